"""compose.yaml: what an operator writes into .env is what the program gets."""

from __future__ import annotations

import re

import pytest

from tests.ops import composed
from tests.ops.test_configuration import GOOD
from tests.ops.test_packaging import example, variables_read
from tests.starts import manage

PROGRAMS = ("web", "runner", "migrate")
DEMANDED = {**GOOD, "POSTGRES_PASSWORD": "kettle93harbour", "ADMIN_PASSWORD": "violet-harbour-93-kettle"}
# Of the image: where its files and its port are, and that it has no .env file of its own.
FIXED = {"READ_DOT_ENV": "0", "STATIC_ROOT": "staticfiles", "PORT": "8000"}


def written(variables: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def test_every_service_that_runs_the_program_is_tested_here() -> None:
    ours = {name for name, each in composed.services().items() if each.get("image") == "hpcbilling"}
    assert ours == set(PROGRAMS)


@pytest.mark.parametrize("service", PROGRAMS)
def test_every_variable_of_the_settings_reaches_the_program_as_it_stands_in_the_env_file(service: str) -> None:
    wanted = {name: f"value-of-{name}" for name in variables_read()}
    found = composed.environment(service, written(wanted | {"POSTGRES_PASSWORD": "kettle93harbour"}))
    changed = {name: found.get(name) for name, value in wanted.items() if found.get(name) != value}
    first = {} if service == "migrate" else {"ADMIN_PASSWORD": ""}
    assert changed == FIXED | first


def test_what_is_set_for_one_cluster_or_given_as_a_file_reaches_the_program_too() -> None:
    more = {"SLURMRESTD_URL__c1": "http://c1:6820", "AUDIT_SIGNING_KEY_FILE": "/var/lib/hpcbilling/key.pem"}
    assert composed.environment("runner", written(DEMANDED | more)).items() >= more.items()


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "ALLOWED_HOSTS", "SITE_BASE_URL", "POSTGRES_PASSWORD", "ADMIN_PASSWORD"]
)
def test_nothing_starts_until_what_has_no_default_is_given(name: str) -> None:
    text = written({key: value for key, value in DEMANDED.items() if key != name})
    with pytest.raises(composed.Missing, match=f"set {name} in .env"):
        composed.environment("migrate", text)


def test_the_example_with_only_what_is_demanded_filled_in_passes_the_deployment_check() -> None:
    """As the documents say: copy .env.example, fill in the secrets."""
    lines = [
        f"{name}={DEMANDED.get(name, value)}" for _above, name, value in example() if name in DEMANDED or value == ""
    ]
    for service in PROGRAMS:
        environment = composed.environment(service, "\n".join([*lines, written(DEMANDED)]))
        assert re.fullmatch(r"postgres://hpcbilling:kettle93harbour@db:5432/hpcbilling", environment["DATABASE_URL"])
        done = manage("check", "--deploy", "--fail-level", "WARNING", **environment)
        assert done.returncode == 0, done.stderr


def test_a_database_of_the_operators_own_is_taken_instead_of_the_one_that_comes_along() -> None:
    address = "postgres://billing:another93harbour@db.example.ac.th:5432/billing"
    assert composed.environment("web", written(DEMANDED | {"DATABASE_URL": address}))["DATABASE_URL"] == address
