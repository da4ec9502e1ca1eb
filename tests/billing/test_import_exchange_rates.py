"""``import_exchange_rates``: the form of the European Central Bank, from a file or over real HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from billing.feeds import Reading, ecb
from billing.management.commands import import_exchange_rates as command
from billing.models import ExchangeRate
from billing.services.pricing.exchange import Quote, rate_at, set_rate
from core.context import SYSTEM
from core.errors import BadInput
from hpcbilling.periodic import TASKS

pytestmark = pytest.mark.django_db
SAMPLE = Path(__file__).parents[2] / "hpcbilling" / "sample"
DAILY, HISTORY = SAMPLE / "eurofxref-daily.xml", SAMPLE / "eurofxref-hist-90d.xml"
PUBLISHED = datetime(2026, 11, 20, 15, tzinfo=UTC)  # 16:00 in Frankfurt


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    out, code = StringIO(), 0
    try:
        call_command("import_exchange_rates", "--format", "json", *arguments, stdout=out)
    except CommandError as error:
        return error.returncode, {"error": str(error)}
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    return code, json.loads(out.getvalue())


def document(*days: tuple[str, str], head: str = '<?xml version="1.0" encoding="UTF-8"?>') -> bytes:
    cubes = "".join(f"<Cube time='{day}'>{rates}</Cube>" for day, rates in days)
    return f"{head}<gesmes:Envelope xmlns:gesmes='g' xmlns='e'><Cube>{cubes}</Cube></gesmes:Envelope>".encode()


def cube(currency: str, rate: str) -> str:
    return f"<Cube currency='{currency}' rate='{rate}'/>"


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    def save(body: bytes) -> str:
        path = tmp_path / "rates.xml"
        path.write_bytes(body)
        return str(path)

    return save


# --- files ----------------------------------------------------------------------------
def test_the_daily_file_is_taken_over_and_a_repeat_changes_nothing() -> None:
    code, result = run("--file", str(DAILY))
    assert (code, result["rates_read"], result["added"], result["refused"]) == (0, 29, 29, 0)
    assert (result["first_day"], result["last_day"]) == ("2026-11-20", "2026-11-20")
    row = ExchangeRate.objects.get(target_currency="THB")
    assert (row.base_currency, row.rate, row.effective_from, row.source) == ("EUR", Decimal("37.842"), PUBLISHED, "ecb")
    assert rate_at("USD", "THB", PUBLISHED).rate == Decimal("35.000000000000"), "37.842 / 1.0812"
    code, again = run("--file", str(DAILY))
    assert (code, again["added"], again["unchanged"]) == (0, 0, 29)


def test_the_history_gives_each_day_its_rate_and_a_weekend_the_one_of_friday() -> None:
    assert run("--file", str(DAILY))[0] == 0
    code, result = run("--file", str(HISTORY))
    assert (code, result["added"], result["unchanged"], result["first_day"]) == (0, 5 * 29, 29, "2026-11-13")
    sunday = datetime(2026, 11, 15, 12, tzinfo=UTC)
    assert rate_at("EUR", "THB", sunday).as_of == datetime(2026, 11, 13, 15, tzinfo=UTC)
    assert ExchangeRate.objects.filter(effective_to__isnull=True).count() == 29


def test_a_rate_counts_from_the_hour_at_which_it_is_published_summer_and_winter() -> None:
    reading = ecb.read(document(("2026-07-01", cube("USD", "1.1")), ("2026-12-01", cube("USD", "1.2"))))
    assert [quote.moment for quote in reading.quotes] == [
        datetime(2026, 7, 1, 14, tzinfo=UTC), datetime(2026, 12, 1, 15, tzinfo=UTC),
    ]  # fmt: skip


def test_a_dry_run_writes_nothing() -> None:
    code, result = run("--file", str(DAILY), "--dry-run")
    assert (code, result["added"], ExchangeRate.objects.count()) == (0, 29, 0)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (cube("usd", "1.1"), "no currency"), (cube("EUR", "1"), "no currency"), (cube("USD", "0"), "is no rate"),
        (cube("USD", "-1"), "is no rate"), (cube("USD", "1,1"), "is no rate"), (cube("USD", "NaN"), "is no rate"),
        (cube("USD", "1_0"), "is no rate"), (cube("USD", "1e-40"), "is no rate"), (cube("USD", ""), "is no rate"),
        (cube("USD", "1e1"), "is no rate"), (cube("USD", "１"), "is no rate"),
        (cube("THB", "2"), "given twice"), ("<Cube time='yesterday'/>", "is no day"),
        ("<Cube time='20261120'/>", "is no day"),
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_used_is_refused_and_the_others_are_taken(saved: Any, bad: str, words: str) -> None:
    code, result = run("--file", saved(document(("2026-11-20", cube("THB", "37.8") + bad))))
    assert (code, result["added"], result["refused"]) == (3, 1, 1)
    assert words in result["notes"][0]
    assert ExchangeRate.objects.get().rate == Decimal("37.8")


def test_another_rate_for_a_moment_that_has_one_is_told_and_not_taken(saved: Any) -> None:
    set_rate(actor=SYSTEM, base="EUR", target="THB", rate=Decimal(40), effective_from=PUBLISHED)
    code, result = run("--file", saved(document(("2026-11-20", cube("THB", "37.8")))))
    assert (code, result["differing"]) == (3, 1)
    assert ExchangeRate.objects.get().rate == 40


ENTITY = "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>"
OUTSIDE = "<!DOCTYPE x SYSTEM 'file:///etc/passwd'>"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no xml", b"<a>", b"\xff\xfe\x00", b"<html><body>Service unavailable</body></html>", document(),
        document(("2026-11-20", cube("THB", "0"))), document(("2026-11-20", cube("THB", "1")), head=ENTITY),
        document(("2026-11-20", cube("THB", "1")), head=OUTSIDE),
        document(("2026-11-20", cube("THB", "1")), head='<?xml version="1.0" encoding="klingon"?>'),
    ],
)  # fmt: skip
def test_what_is_no_such_document_is_refused_whole(saved: Any, body: bytes) -> None:
    code, result = run("--file", saved(body))
    assert code == 1, result
    assert not ExchangeRate.objects.exists()


def test_a_dtd_is_refused_whatever_it_says() -> None:
    with pytest.raises(BadInput, match="DTD"):
        ecb.read(document(("2026-11-20", cube("THB", "1")), head=ENTITY))


def test_files_that_cannot_be_read_and_odd_arguments_are_told_apart(tmp_path: Path, monkeypatch: Any) -> None:
    assert run("--file", str(tmp_path / "none.xml"))[0] == 2
    assert run("--file", str(tmp_path))[0] == 2
    assert run()[0] == 78
    assert run("--file", str(DAILY), "--feed", "nobody")[0] == 78
    assert run("--url", "ftp://example.org/x")[0] == 78
    monkeypatch.setattr(command, "LARGEST", 100)
    assert run("--file", str(DAILY))[0] == 1


def one(body: bytes) -> Reading:
    return Reading([Quote("USD", "THB", Decimal(body.decode()), PUBLISHED)])


def test_another_feed_plugs_in(settings: Any, saved: Any) -> None:
    settings.EXCHANGE_FEEDS = {**settings.EXCHANGE_FEEDS, "one": f"{__name__}.one"}
    settings.EXCHANGE_RATES_FEED = "one"
    assert run("--file", saved(b"36.5"))[0] == 0
    row = ExchangeRate.objects.get()
    assert (row.rate, row.source) == (Decimal("36.5"), "one")


# --- addresses --------------------------------------------------------------------------
class Bank:
    url, status, body, drip = "", 200, DAILY.read_bytes(), 0.0


@pytest.fixture
def bank(settings: Any) -> Iterator[Bank]:
    fake = Bank()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(fake.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                for place in range(len(fake.body)) if fake.drip else ():
                    self.wfile.write(fake.body[place : place + 1])
                    time.sleep(fake.drip)
                self.wfile.write(b"" if fake.drip else fake.body)

        def log_message(self, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    fake.url = settings.EXCHANGE_RATES_URL = f"http://127.0.0.1:{httpd.server_port}/daily.xml"
    yield fake
    httpd.shutdown()
    httpd.server_close()


def test_rates_come_from_the_address_that_is_set(bank: Bank) -> None:
    assert run()[1]["added"] == 29
    assert run("--url", bank.url)[1]["unchanged"] == 29


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_answer_that_is_none_ends_with_69(bank: Bank, status: int) -> None:
    bank.status = status
    code, result = run()
    assert (code, f"HTTP {status}" in result["error"]) == (69, True)


def test_rubbish_from_an_address_ends_with_69_and_changes_nothing(bank: Bank) -> None:
    bank.body = b"<html>maintenance</html>"
    assert run()[0] == 69
    assert not ExchangeRate.objects.exists()


def test_a_server_that_is_away_too_slow_or_too_talkative_ends_with_69(bank: Bank, monkeypatch: Any) -> None:
    assert run("--url", "http://127.0.0.1:1/x")[0] == 69
    monkeypatch.setattr(command, "LARGEST", 1000)
    assert "more than 1000 bytes" in run()[1]["error"]
    monkeypatch.setattr(command, "LARGEST", 10**6)
    monkeypatch.setattr(command, "DEADLINE", 0.5)
    bank.drip = 0.05
    began = time.monotonic()
    assert run()[0] == 69
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("arguments", "name"), [(("--url", "ftp://127.0.0.1/x"), "--url: "), ((), "EXCHANGE_RATES_URL: ")]
)
def test_what_is_no_address_is_said_of_what_was_given(settings: Any, arguments: tuple[str, ...], name: str) -> None:
    settings.EXCHANGE_RATES_URL = "ftp://127.0.0.1/y"
    code, result = run(*arguments)
    assert code == 78
    assert result["error"].startswith(name)


def test_it_runs_daily_where_an_address_is_set(settings: Any) -> None:
    task = next(task for task in TASKS if task.name == "import_exchange_rates")
    assert (task.every.days, task.wanted()) == (1, False)
    settings.EXCHANGE_RATES_URL = "https://rates.example.org/daily.xml"
    assert task.wanted()
