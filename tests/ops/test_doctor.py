"""The most likely misconfigurations of a site: doctor finds each, and says what to do."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.utils import ConnectionHandler
from django.utils import timezone

from accounts.models import SecondFactor
from audit import heads
from audit.models import AuditVerification
from core import sealing
from core.words.said import say, written
from hpcbilling.diagnosis import site as site_diagnosis
from hpcbilling.models import PeriodicTask
from tests import postgres
from tests.audit.worlds import Signed
from tests.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(settings: Any, tmp_path: Path, superuser: Any) -> Any:
    """A production site at which all is well."""
    from billing.models import RateVersion

    settings.DEBUG, settings.BASE_DIR = False, tmp_path
    settings.ALLOWED_HOSTS, settings.SITE_BASE_URL = [".example.ac.th"], "https://billing.example.ac.th"
    settings.TRUSTED_PROXY_COUNT, settings.SECURE_SSL_REDIRECT = 1, True
    settings.DATABASE_POOLED, settings.DATABASE_DIRECT_URL = False, ""
    Signed(tmp_path, settings)
    heads.sign()
    PeriodicTask.objects.create(name="send_emails", last_run_at=timezone.now(), last_status="done")
    assert RateVersion.objects.exists(), "a fresh site has rates"
    return settings


def said(level: str = "") -> dict[str, str]:
    found = site_diagnosis.examine(migrated=True)
    return {name: message for name, got, message in found if got == level or (not level and got != "ok")}


def test_nothing_is_said_of_a_site_at_which_all_is_well(site: Any) -> None:
    assert {name for name in said() if name != "engine"} == set()
    assert {"names", "proxy", "static files", "audit heads"} <= said("ok").keys()


def test_1_a_name_that_the_site_does_not_answer_to(site: Any) -> None:
    site.ALLOWED_HOSTS = ["other.example"]
    assert "ALLOWED_HOSTS" in said("problem")["names"]


def test_2_a_proxy_that_was_not_announced(site: Any) -> None:
    site.TRUSTED_PROXY_COUNT = 0
    assert "TRUSTED_PROXY_COUNT" in said("note")["proxy"]


def test_3_style_sheets_that_were_not_collected(site: Any, monkeypatch: Any, tmp_path: Path) -> None:
    from whitenoise.storage import CompressedManifestStaticFilesStorage

    monkeypatch.setattr(
        site_diagnosis, "staticfiles_storage", CompressedManifestStaticFilesStorage(location=tmp_path / "no")
    )
    assert "collectstatic" in said("problem")["static files"]


def test_4_a_secret_that_others_may_read(site: Any, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / ".env").write_text("SECRET_KEY=x")
    for mode, found in ((0o644, True), (0o660, True), (0o640, False), (0o600, False)):
        (tmp_path / ".env").chmod(mode)
        assert ("secret files" in said()) == found, oct(mode)
    key = tmp_path / "key.pem"
    key.chmod(0o644)
    monkeypatch.setenv("AUDIT_SIGNING_KEY_FILE", str(key))
    assert str(key) in said("note")["secret files"]


@pytest.mark.postgres
def test_5_a_pooler_that_was_not_announced_or_that_commands_cannot_pass(site: Any, monkeypatch: Any) -> None:
    from django.db import connection

    site.DATABASE_POOLED = True
    assert "DATABASE_DIRECT_URL" in said("problem")["pooler"]
    site.DATABASE_POOLED = False
    monkeypatch.setitem(connection.settings_dict, "PORT", "6432")
    assert "DATABASE_POOLED=1" in said("note")["pooler"]


def test_6_a_runner_that_never_ran_died_or_fails(site: Any) -> None:
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(hours=1))
    assert "hpcbilling-due.timer" in said("note")["runner"]
    PeriodicTask.objects.update(last_run_at=timezone.now(), last_status="failed", last_error="no\nroute to host")
    assert "no route to host" in said("note")["task send_emails"]
    kept = written(
        say("%(name)s is not set.", name="SLURMRESTD_URL"), most=2000
    )  # as the runner keeps what it can say twice
    PeriodicTask.objects.filter(name="send_emails").update(last_error=kept)
    assert said("note")["task send_emails"] == "The last run failed: SLURMRESTD_URL is not set."
    PeriodicTask.objects.all().delete()
    assert "run_due" in said("note")["runner"]


def test_7_an_audit_log_that_nothing_signs_or_that_is_not_whole(site: Any, tmp_path: Path) -> None:
    AuditVerification.objects.create(first_id=1, last_id=9, head_hash="0" * 64, ok=False, first_bad=4, reason="row #4")
    assert "row #4" in said("note")["audit log"]
    AuditVerification.objects.all().delete()
    Path(site.AUDIT_HEADS_FILE).write_text("")
    assert "no head yet" in said("note")["audit heads"]
    AuditVerification.objects.create(first_id=1, last_id=9, head_hash="0" * 64, ok=True, signed_id=9)
    assert "held heads and holds none now" in said("note")["audit heads"], "and sign_audit_head refuses to write one"
    site.AUDIT_HEADS_FILE = ""
    assert "AUDIT_HEADS_FILE" in said("note")["audit heads"]
    site.AUDIT_HEADS_FILE, site.AUDIT_SIGNING_KEY = str(tmp_path / "heads"), "no key"
    assert "audit_key" in said("problem")["audit heads"]


def test_7_a_public_key_that_is_none_is_named_by_its_place(site: Any) -> None:
    former = "a9" * 32
    for keys, entry in (([former, "zz"], "entry 2 of 2"), ([former[:-1]], "entry 1 of 1")):
        site.AUDIT_PUBLIC_KEYS = keys
        words = said("problem")["audit heads"]
        assert f"AUDIT_PUBLIC_KEYS: {entry} is no public key; 64 hexadecimal digits are wanted" in words
        assert "--new" not in words, "a new key is no answer to that"


@pytest.mark.postgres  # SQLite has no clock of its own
def test_8_a_clock_that_is_wrong(site: Any, monkeypatch: Any) -> None:
    real = timezone.now
    monkeypatch.setattr(site_diagnosis.timezone, "now", lambda: real() + timedelta(minutes=3))
    assert "NTP" in said("note")["clock"]


def test_9_a_site_that_nobody_can_administer(site: Any, superuser: Any) -> None:
    type(superuser).objects.update(is_superuser=False)
    assert "bootstrap_admin" in said("note")["administrator"]


def test_somebody_of_the_group_admin_can(site: Any, superuser: Any, make_user: Any) -> None:
    type(superuser).objects.update(is_superuser=False)
    make_user("head", role="admin", groups=["Admin"])
    assert not list(site_diagnosis._people())


def test_10_a_site_without_rates(site: Any, monkeypatch: Any) -> None:
    from billing.models import RateVersion

    monkeypatch.setattr(site_diagnosis, "RateVersion", RateVersion)
    monkeypatch.setattr(
        timezone, "now", lambda: RateVersion.objects.earliest("effective_at").effective_at - timedelta(days=9)
    )
    assert "Rates" in {name: message for name, _level, message in site_diagnosis._rates()}["rates"]


def test_11_secrets_that_the_present_key_does_not_open(site: Any, superuser: Any) -> None:
    factor = SecondFactor.objects.create(user=superuser, secret=sealing.seal("SEED"))
    assert "stored secrets" not in said()
    site.SECRET_KEY, site.SECRET_KEY_FALLBACKS = f"{site.SECRET_KEY}, changed", [site.SECRET_KEY]
    assert "seal_secrets" in said("note")["stored secrets"]
    site.SECRET_KEY_FALLBACKS = []
    assert "SECRET_KEY_FALLBACKS" in said("note")["stored secrets"]
    assert "stored secrets" not in said("problem"), "the site starts: it is where they are reset"
    SecondFactor.objects.filter(pk=factor.pk).update(secret=sealing.seal("SEED"))
    assert "stored secrets" not in said()


def test_12_a_variable_that_is_misspelt(site: Any, tmp_path: Path) -> None:
    shutil.copy(Path(__file__).resolve().parents[2] / ".env.example", tmp_path)
    file = tmp_path / ".env"
    file.write_text("SECRET_KEY_FILE=/run/key\nPOSTGRES_PASSWORD=x\n# A_NOTE=1\nexport PORT = 8000\n")
    file.chmod(0o600)
    assert "variables" not in said()
    with file.open("a") as more:
        more.write("SLURMRESTD_ULR=http://slurm:6820\nwholly_else=1\n")
    words = said("note")["variables"]
    assert "SLURMRESTD_ULR (SLURMRESTD_URL?), wholly_else." in words
    assert "http://slurm" not in words, "what stands there may be a secret"
    for odd in (b"\xff\xfe", b""):
        file.write_bytes(odd)
        assert "variables" not in said()


@pytest.mark.parametrize("host", ["", "localhost", "127.0.0.1", "::1"])
def test_13_what_stays_on_this_machine_need_not_be_encrypted(site: Any, host: str) -> None:
    site.EMAIL_BACKEND, site.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", host
    site.EMAIL_USE_TLS = site.EMAIL_USE_SSL = False
    assert "mail connection" not in said()


def test_13_a_mail_server_elsewhere_that_is_spoken_to_in_the_clear(site: Any) -> None:
    site.EMAIL_BACKEND, site.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", "mail.example.ac.th"
    site.EMAIL_USE_TLS = site.EMAIL_USE_SSL = False
    assert "smtp+tls://" in said("note")["mail connection"]
    site.EMAIL_USE_TLS = True
    assert "mail connection" not in said()


@pytest.mark.postgres
@pytest.mark.skipif(postgres._local_binaries() is None, reason="needs initdb and pg_ctl: a server with a certificate")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_13_a_database_elsewhere_that_is_spoken_to_in_the_clear(site: Any, monkeypatch: Any) -> None:
    with tempfile.TemporaryDirectory(prefix="pgt-") as name, _with_certificate(Path(name)) as port:
        for mode, found in (("disable", True), ("require", False)):
            options = {"sslmode": mode, "hostaddr": "127.0.0.1"}
            spoken_to = {"HOST": "db.example.ac.th", "PORT": port, "NAME": "postgres", "USER": "postgres"}
            there = ConnectionHandler(
                {"default": {"ENGINE": "django.db.backends.postgresql", "OPTIONS": options, **spoken_to}}
            )["default"]
            monkeypatch.setattr(site_diagnosis, "connection", there)
            lines = list(site_diagnosis._wire())
            there.close()
            assert ["db.example.ac.th" in words for _name, _level, words in lines] == [True] * found, mode


@contextmanager
def _with_certificate(folder: Path) -> Iterator[str]:
    """The port of a PostgreSQL that speaks TLS."""
    key, certificate, port = folder / "key.pem", folder / "certificate.pem", str(free_port())
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
               "-subj", "/CN=db.example.ac.th", "-keyout", str(key), "-out", str(certificate)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    if prefix := postgres._as_plain_user(folder):
        for file in (key, certificate):
            shutil.chown(file, user=prefix[1].partition("=")[2])
    options = f"-c listen_addresses=127.0.0.1 -p {port} -c ssl=on -c ssl_key_file={key} -c ssl_cert_file={certificate}"
    binaries = postgres._local_binaries()
    assert binaries
    with contextmanager(postgres._local)(binaries, folder, options):
        yield port


def test_what_asks_the_database_is_left_out_where_it_cannot_answer(site: Any) -> None:
    names = {name for name, _level, _message in site_diagnosis.examine(migrated=False)}
    assert not names & {"runner", "rates", "audit heads", "administrator"}
