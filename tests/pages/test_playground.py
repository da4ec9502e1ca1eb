"""What would it cost: the same arithmetic as the bill."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.factories import make_job
from tests.pages.conftest import text

JOB = "tier=private&nodes=2&cpus=16&gpus=1&mem=64&hours=1.5"


def test_the_price_comes_with_its_arithmetic(client: Any, db: None) -> None:
    words = text(client.get(f"/playground/?{JOB}"))
    assert "Core-hours 48.0000 × 5.00 = 240.00" in words
    assert "GPU-hours 3.0000 × 100.00 = 300.00" in words
    assert "GB-hours 192.0000 × 2.00 = 384.00" in words
    assert "Total THB 924.00" in words


def test_the_other_tiers_stand_beside_it(client: Any, db: None) -> None:
    assert "University THB 159.00" in text(client.get(f"/playground/?{JOB}"))


def test_a_link_carries_the_question(client: Any, db: None) -> None:
    page = client.get(f"/playground/?{JOB}").content.decode()
    assert 'name="cpus" value="16"' in page


@pytest.mark.parametrize(
    "query",
    ["hours=", "hours=-1", "hours=NaN", "hours=1e99", "tier=none&hours=1", "nodes=0&hours=1", "hours=1&mem=Infinity"],
)
def test_nonsense_is_answered_beside_the_field(client: Any, db: None, query: str) -> None:
    response = client.get(f"/playground/?{query}")
    assert response.status_code == 200
    assert "Something in the form does not fit" in text(response)


def test_the_tier_is_that_of_the_newest_job(as_alice: Any, jobs: None, days_ago: Any) -> None:
    assert as_alice.get("/playground/").context["tier"].pk == "mu"
    make_job(account="ministry", end_at=days_ago(1))
    assert as_alice.get("/playground/").context["tier"].pk == "gov"


def test_a_signed_in_user_starts_with_their_own_tier(as_alice: Any, db: None) -> None:
    from accounts.models import TierRule

    TierRule.objects.create(position=1, kind="user", pattern="alice", tier_id="mu")
    assert as_alice.get("/playground/").context["tier"].pk == "mu"


# --- a script ----------------------------------------------------------------
SCRIPT = "#!/bin/bash\n#SBATCH -n 4 -c 2 -t 1:30:00\n#SBATCH --mem=16G --gres=gpu:a100:2\n"


def ask(client: Any, script: str, **fields: str) -> str:
    return text(client.get("/playground/?" + urlencode({"view": "script", "script": script, **fields})))


def test_a_pasted_header_is_priced_with_its_arithmetic(client: Any, db: None) -> None:
    words = ask(client, SCRIPT, tier="mu")
    assert "THB 39.00" in words
    assert "CPUs 8 GPUs 2 a100 × 2 Memory 16 GB Time limit 01:30:00" in words
    assert "Core-hours 12.0000 × 1.00 = 12.00" in words
    assert "Rates no." in words


def test_a_command_line_is_priced_too_and_array_tasks_are_counted(client: Any, db: None) -> None:
    words = ask(client, "sbatch -n 1 -t 60 --mem=1G -a 1-10%2 job.sh", tier="private")
    assert "10 array tasks, THB 7.00 each" in words
    assert "All array tasks THB 70.00" in words


def test_the_page_opens_with_an_example_that_has_a_price(client: Any, db: None) -> None:
    page = client.get("/playground/?view=script")
    assert "#SBATCH --ntasks=4" in page.content.decode()
    assert "THB" in text(page)


def test_a_signed_in_user_is_priced_by_the_account_in_the_script(as_alice: Any, jobs: None) -> None:
    words = ask(as_alice, SCRIPT + "#SBATCH -A physics")
    assert "University rule 10: account physics THB 39.00" in words
    assert "Government rule 20: account ministry" in ask(as_alice, SCRIPT + "#SBATCH -A ministry")
    assert "University chosen here" in ask(as_alice, SCRIPT + "#SBATCH -A ministry", tier="mu")


def test_a_strangers_question_is_priced_without_anybodys_rules(client: Any, jobs: None) -> None:
    assert "default tier THB" in ask(client, SCRIPT + "#SBATCH -A physics")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("#SBATCH -n 1\n#SBATCH --mem=lots -t 5", "Line 2, --mem: “lots” is no amount of memory"),
        ("#SBATCH -n 1", "How long may it run?"),
        ("echo hello", "There is no #SBATCH line"),
        ("<script>alert(1)</script>", "There is no #SBATCH line"),
        ("", "Something in the form does not fit"),
        ("#SBATCH -n 1 -t 5 --new=1", "Not known here, and left out: --new."),
    ],
)
def test_what_cannot_be_priced_is_said_in_words(client: Any, db: None, script: str, said: str) -> None:
    assert said in ask(client, script)


def test_what_is_pasted_is_never_markup(client: Any, db: None) -> None:
    query = urlencode({"view": "script", "script": "#SBATCH -n 1 -t 5 -p <b>x</b> -A '<i>'"})
    page = client.get(f"/playground/?{query}").content.decode()
    assert "<b>x" not in page
    assert "<i>" not in page


def test_a_long_script_goes_by_post_and_the_link_carries_the_lines_that_count(client: Any, db: None) -> None:
    body = SCRIPT + "module load x\n" + "# long\n" * 2000
    page = client.post("/playground/", {"view": "script", "script": body, "tier": "mu"})
    assert "THB 39.00" in text(page)
    link = page.context["link"]
    assert "module" not in link
    assert "THB 39.00" in text(client.get("/playground/" + link))


def test_a_header_too_long_for_an_address_is_priced_and_said(client: Any, db: None) -> None:
    body = SCRIPT + "#SBATCH --comment=" + "x" * 4000
    page = text(client.post("/playground/", {"view": "script", "script": body, "tier": "mu"}))
    assert "THB 39.00" in page
    assert "too long for an address" in page


def test_a_post_needs_the_token_that_its_button_carries(db: None) -> None:
    strict = Client(enforce_csrf_checks=True)
    page = strict.get("/playground/?view=script")
    token = str(page.context["csrf_token"])
    asked = {"view": "script", "script": SCRIPT}
    assert strict.post("/playground/", asked).status_code == 403
    assert strict.post("/playground/", {**asked, "csrfmiddlewaretoken": token}).status_code == 200


def test_the_token_is_in_no_link(client: Any, db: None) -> None:
    page = client.get("/playground/?view=script").content.decode()
    assert 'type="hidden" name="csrfmiddlewaretoken"' not in page.split('id="playground"')[1]


def test_of_a_script_that_is_far_too_long_little_comes_back(client: Any, db: None) -> None:
    """Anybody may ask; each ``<`` that was sent came back as four letters."""
    page = client.post("/playground/", {"view": "script", "script": "<b>" * 700_000})
    assert "65,536 characters" in text(page)
    assert len(page.content) < 10 * 65_536


def test_a_script_beyond_all_headers_is_refused_in_words(client: Any, db: None) -> None:
    page = client.post("/playground/", {"view": "script", "script": "#" * 70_000})
    assert "65,536 characters" in text(page)


@pytest.mark.parametrize(("query", "price"), [("hours=5", "40.00"), ("cpus=2", "24.00"), ("hours=5&cpus=1", "5.00")])
def test_a_link_that_names_some_fields_leaves_the_others_as_they_begin(
    client: Any, db: None, query: str, price: str
) -> None:
    page = client.get(f"/playground/?{query}")
    assert "required" not in text(page)
    assert price in text(page)


@pytest.mark.parametrize("query", ["nodes=-1", "cpus=x", "hours="])
def test_a_field_that_does_not_fit_is_never_passed_over(client: Any, db: None, query: str) -> None:
    page = client.get(f"/playground/?{query}")
    assert page.context["form"].errors.keys() == {query.split("=", maxsplit=1)[0]}
    assert "answer" not in page.context
