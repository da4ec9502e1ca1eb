"""Long work started from a page: safe to leave, done once, and honest about what became of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.models import Work, WorkPiece
from accounts.services import work as works
from accounts.services.work import Kind, Outcome, Report, TooMuch, cancel_work, run_next, start_work
from audit.models import AuditLog
from core.context import Actor
from core.errors import BadInput, Conflict
from tests.pages.conftest import text
from tests.races import at_once

pytestmark = pytest.mark.django_db
FIN = Actor("fin")
HEAD = "JobIDRaw|JobID|User|Account|Partition|State|Submit|Start|End|ElapsedRaw|AllocCPUS|ReqMem|AllocTRES|NNodes\n"
LINE = "{n}|{n}|alice|physics|normal|COMPLETED|1793000000|1793000000|1793003600|3600|4|8G|cpu=4,mem=8G,node=1|1\n"
RAN: list[int] = []


def _fine(work: Work, report: Report) -> Outcome:
    RAN.append(work.pk)
    report(3, 12, "third")
    work.refresh_from_db()
    assert (work.status, work.percent, work.note) == ("running", 25, "third"), "seen while it runs"
    return Outcome({"answer": 42}, ["one thing"])


def _refused(work: Work, report: Report) -> Outcome:
    raise BadInput("not like this")


def _broken(work: Work, report: Report) -> Outcome:
    raise RuntimeError("secret detail")


def _slow(work: Work, report: Report) -> Outcome:
    """It writes; its claim runs out and another runner takes it over and ends it; then it would write on."""
    RAN.append(work.pk)
    if len(RAN) == 2:
        report.write([b"whole"])
        return Outcome({"by": "the other"}, file_name="x.csv")
    report.write([b"half"])
    Work.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert run_next() == work
    if work.parameters["a"] == "ends":
        return Outcome({"by": "the first"}, ["late"], file_name="y.csv")
    report.write([b" of a file"])
    raise AssertionError("nothing is written past the claim")


FINE, REFUSED, BROKEN = Kind("fine", _fine), Kind("refused", _refused), Kind("broken", _broken)
SLOW, GUARDED = Kind("slow", _slow), Kind("guarded", _fine, "billing.add_receipt")


@pytest.fixture(autouse=True)
def _kinds(settings: Any) -> None:
    RAN.clear()
    here = {name: f"tests.ops.test_work.{name.upper()}" for name in ("fine", "refused", "broken", "slow", "guarded")}
    settings.WORK_KINDS = {**settings.WORK_KINDS, **here}


def ask(kind: str = "fine", a: object = 1) -> Work:
    return start_work(actor=FIN, kind=kind, title="a thing", parameters={"a": a})


# --- the queue ---------------------------------------------------------------
def test_it_is_done_and_says_what_it_came_to(finance: Any) -> None:
    work = ask()
    assert run_next() == work
    work.refresh_from_db()
    assert (work.status, work.percent, work.result, work.errors) == ("done", 100, {"answer": 42}, ["one thing"])
    assert run_next() is None
    acts = AuditLog.objects.filter(entity_type="work").order_by("pk").values_list("action", "actor")
    assert list(acts) == [("work_start", "fin"), ("work_done", "fin")]


@pytest.mark.parametrize(
    ("kind", "words"),
    [("refused", "not like this"), ("broken", "Something went wrong; the log of the server says what.")],
)
def test_what_fails_says_so_and_shows_no_inside(finance: Any, kind: str, words: str) -> None:
    work = ask(kind)
    run_next()
    work.refresh_from_db()
    assert (work.status, work.errors) == ("failed", [words])
    assert AuditLog.objects.filter(action="work_failed").exists()


def test_a_runner_that_died_is_followed_by_another_and_not_by_a_third(finance: Any) -> None:
    work = ask()
    for attempts in (1, 2):
        Work.objects.update(status="running", attempts=attempts, claimed_until=timezone.now() + timedelta(minutes=1))
        assert run_next() is None, "somebody has it"
        Work.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        if attempts == 1:
            WorkPiece.objects.create(work=work, number=0, data=b"half a file")
            assert run_next() == work
            assert not WorkPiece.objects.exists(), "the half file is gone"
    run_next()
    work.refresh_from_db()
    assert work.status == "failed"
    assert "twice" in work.errors[0]
    assert [work.pk] == RAN


@pytest.mark.parametrize("how", ["writes", "ends"])
def test_a_runner_that_was_thought_dead_changes_nothing_more(finance: Any, how: str) -> None:
    ask("slow", how)
    run_next()
    work = Work.objects.get()
    assert (work.status, work.result, work.errors, work.file_name) == ("done", {"by": "the other"}, [], "x.csv")
    assert b"".join(works.pieces(work)) == b"whole"
    assert AuditLog.objects.filter(action="work_done").count() == 1


@pytest.mark.parametrize("how", ["inactive", "no right"])
def test_what_somebody_asked_for_who_may_not_any_more_is_not_done(finance: Any, how: str) -> None:
    work = ask("guarded")
    if how == "inactive":
        type(finance).objects.filter(pk="fin").update(is_active=False)
    else:
        finance.groups.clear()
    run_next()
    work.refresh_from_db()
    assert (work.status, RAN) == ("failed", [])
    assert "may not do it any more" in work.errors[0]


@pytest.mark.parametrize("end", ["taken back", "failed"])
def test_what_comes_to_nothing_keeps_no_bytes(finance: Any, end: str) -> None:
    work = start_work(actor=FIN, kind="broken", title="t", parameters={}, upload=[b"a", b"b"])
    WorkPiece.objects.create(work=work, number=0, data=b"half")
    if end == "failed":
        run_next()
    else:
        cancel_work(actor=FIN, work=work)
    assert not WorkPiece.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_runners_one_does_it(finance: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for _each in range(3):
        ask()
    done = at_once(6, lambda _index: run_next())
    assert sorted(RAN) == sorted(work.pk for work in done if work)
    assert len(RAN) == 3


def test_what_waits_can_be_taken_back_and_what_has_begun_cannot(finance: Any) -> None:
    work = ask()
    assert cancel_work(actor=FIN, work=work) is True
    assert run_next() is None
    begun = ask()
    Work.objects.filter(pk=begun.pk).update(status="running")
    with pytest.raises(Conflict):
        cancel_work(actor=FIN, work=begun)


def test_nobody_queues_without_end(finance: Any) -> None:
    for _each in range(works.MOST_OPEN):
        ask()
    with pytest.raises(TooMuch):
        ask()
    run_next()
    ask()


def test_the_periodic_runner_does_it(finance: Any, capsys: Any) -> None:
    ask()
    with suppress(SystemExit):  # 3: some of the periodic work has nothing to reach here
        call_command("run_due", "--format", "json")
    assert Work.objects.get().status == "done"


def test_old_files_go_and_the_work_stays(finance: Any) -> None:
    old = ask()
    WorkPiece.objects.create(work=old, number=0, data=b"x")
    Work.objects.update(status="done", file_name="x.csv", finished_at=timezone.now() - timedelta(days=8))
    ask()
    run_next()
    old.refresh_from_db()
    assert (old.file_name, WorkPiece.objects.count()) == ("", 0)


# --- what is started from pages ------------------------------------------------


# --- who sees what -----------------------------------------------------------
def test_others_see_that_it_was_done_and_fetch_nothing(client: Any, finance: Any, auditor: Any, make_user: Any) -> None:
    work = ask()
    run_next()
    Work.objects.update(file_name="x.csv")
    client.force_login(auditor)
    assert "a thing" in text(client.get("/admin/accounts/prepared/"))
    assert client.get(f"/admin/accounts/prepared/{work.pk}/file/").status_code == 403
    assert client.post(f"/admin/accounts/prepared/{work.pk}/cancel/").status_code == 403
    client.force_login(make_user("ed", role="admin", groups=["Rates editor"]))
    assert "a thing" not in text(client.get("/admin/accounts/prepared/"))
    assert client.get(f"/admin/accounts/prepared/{work.pk}/change/").status_code in (302, 403)


def test_the_page_says_how_far_it_is_and_looks_again_by_itself(as_finance: Any) -> None:
    work = ask()
    Work.objects.update(status="running", percent=40, done=1200, note="day 4")
    page = as_finance.get(f"/admin/accounts/prepared/{work.pk}/change/").content.decode()
    assert 'data-watch="running:1200:40"' in page
    assert "waiting.js" in page
    for words in ("40 %", "1,200 done", "day 4", "Look again"):
        assert words in text(as_finance.get(f"/admin/accounts/prepared/{work.pk}/change/"))


def test_work_that_waits_shows_no_bar(client: Any, superuser: Any) -> None:
    client.force_login(superuser)
    work = start_work(actor=Actor("root"), kind="fine", title="a thing", parameters={})
    where = f"/admin/accounts/prepared/{work.pk}/change/"
    assert "<progress" not in client.get(where).text
    Work.objects.update(status="running")
    assert "<progress" in client.get(where).text


def test_it_is_taken_back_on_its_page(as_finance: Any) -> None:
    work = ask()
    as_finance.post(f"/admin/accounts/prepared/{work.pk}/cancel/")
    work.refresh_from_db()
    assert work.status == "canceled"
