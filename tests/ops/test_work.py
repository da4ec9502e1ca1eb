"""Long work started from a page: safe to leave, done once, and honest about what became of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.models import Work, WorkPiece
from accounts.services import work as works
from accounts.services.work import Kind, Outcome, Report, TooMuch, cancel_work, run_next, start_work
from audit.models import AuditLog
from billing.models import Receipt
from core.context import Actor
from core.errors import BadInput, Conflict
from tests.factories import account_tier, make_job
from tests.pages.conftest import text
from tests.races import at_once
from usage.models import Cluster, ImportRun, Job

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


@pytest.fixture
def as_finance(client: Any, finance: Any) -> Any:
    client.force_login(finance)
    return client


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
def test_an_uploaded_file_is_imported_and_its_bytes_are_not_kept(client: Any, make_user: Any, alice: Any) -> None:
    client.force_login(make_user("opr", role="admin", groups=["Operator"]))
    body = (HEAD + "".join(LINE.format(n=n) for n in range(1, 6)) + "broken|line\n").encode()
    form = {"file": SimpleUploadedFile("oct.psv", body), "cluster": "cluster", "timezone": "UTC"}
    assert "Import a file" in text(client.get("/admin/usage/importrun/"))
    page = text(client.post("/admin/usage/importrun/upload/", form, follow=True))
    assert "It waits for its turn" in page
    assert Job.objects.count() == 0
    run_next()
    assert Job.objects.count() == 5
    page = text(client.get(f"/admin/accounts/work/{Work.objects.get().pk}/change/"))
    for words in ("It is done.", "Imported 5", "Quarantined 1", "oct.psv"):
        assert words in page
    assert not WorkPiece.objects.exists()


def test_what_an_upload_leaves_out_is_counted_and_said_in_the_language_of_the_reader(
    client: Any, superuser: Any, alice: Any
) -> None:
    """A cluster that was imported from before is offered; the rows of another one in the file are named."""
    Cluster.objects.create(name="tara")
    client.force_login(superuser)
    client.cookies["django_language"] = "th"
    rows = "".join(f"{LINE.format(n=n).strip()}|{name}\n" for n, name in ((1, "tara"), (2, "lanta"), (3, "lanta")))
    body = (HEAD.strip() + "|Cluster\n" + rows).encode()
    assert 'value="tara"' in client.get("/admin/usage/importrun/upload/").text
    form = {"file": SimpleUploadedFile("oct.psv", body), "cluster": "tara", "timezone": "UTC"}
    assert "oct.psv" in client.post("/admin/usage/importrun/upload/", form, follow=True).text
    run_next()
    work, run = Work.objects.get(), ImportRun.objects.get()
    assert (Job.objects.count(), work.result["left_out"]) == (1, 2)
    client.cookies["django_language"] = "en"
    for path in (f"accounts/work/{work.pk}/change/", f"usage/importrun/{run.pk}/change/"):
        assert "2 rows of other clusters were left out." in text(client.get(f"/admin/{path}")), path
    page = text(client.get(f"/admin/accounts/work/{work.pk}/change/"))
    assert "Left out 2" in page
    assert "Import of oct.psv" in page
    assert "Import of oct.psv" in text(client.get("/admin/accounts/work/"))


def test_work_that_waits_shows_no_bar(client: Any, superuser: Any) -> None:
    client.force_login(superuser)
    work = start_work(actor=Actor("root"), kind="fine", title="a thing", parameters={})
    where = f"/admin/accounts/work/{work.pk}/change/"
    assert "<progress" not in client.get(where).text
    Work.objects.update(status="running")
    assert "<progress" in client.get(where).text


@pytest.mark.parametrize(("field", "value"), [("timezone", "Mars/Base"), ("cluster", "elsewhere"), ("file", "")])
def test_an_upload_that_cannot_be_is_refused_beside_its_field(
    client: Any, superuser: Any, field: str, value: str
) -> None:
    client.force_login(superuser)
    form: dict[str, Any] = {"file": SimpleUploadedFile("a.psv", b"x"), "cluster": "cluster", "timezone": "UTC"}
    response = client.post("/admin/usage/importrun/upload/", {**form, field: value})
    assert response.status_code == 400
    assert response.context["form"].errors[field]
    assert not Work.objects.exists()


def test_who_may_not_import_uploads_nothing(as_finance: Any) -> None:
    assert as_finance.get("/admin/usage/importrun/upload/").status_code == 403
    assert "Import a file" not in text(as_finance.get("/admin/usage/importrun/"))


def test_a_month_for_several_people_is_long_work(as_finance: Any, alice: Any, bob: Any) -> None:
    account_tier("physics", "mu")
    for username in ("alice", "bob"):
        make_job(username=username)
    where = "/admin/billing/receipt/run/"
    days = {"start": "2026-10-01", "end": "2026-10-31", "user": ""}
    page = as_finance.get(where, days)
    tokens = {f"token:{each.username}": each.token for each in page.context["candidates"]}
    response = as_finance.post(where, {**days, **tokens})
    work = Work.objects.get()
    assert response.headers["Location"] == f"/admin/accounts/work/{work.pk}/change/"
    assert Receipt.objects.count() == 0
    make_job(username="bob")  # what bob's preview showed fits no more
    run_next()
    work.refresh_from_db()
    assert [str(receipt.user_id) for receipt in Receipt.objects.all()] == ["alice"]
    assert work.result == {"receipts": 1, "users_left_out": 1}
    assert "bob" in work.errors[0]


MANY = {"start": "2026-10-01", "end": "2026-10-31", "user": ""}
RUN = "/admin/billing/receipt/run/"


@pytest.fixture
def crowd(make_user: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """More users than a page previews while somebody waits; one of them cannot be billed."""
    from accounts.models import Tier
    from billing.admin import receipt_run

    monkeypatch.setattr(receipt_run, "FEW", 2)
    account_tier("physics", "mu")
    Tier.objects.create(code="partner", name="Partner")
    account_tier("partner", "partner")
    names = ["ann", "ben", "cy", "dan"]
    for name in names:
        make_user(name)
        make_job(username=name, account="partner" if name == "dan" else "physics")
    return names


def test_the_preview_of_many_users_is_long_work_and_bills_nobody(as_finance: Any, crowd: list[str]) -> None:
    page = text(as_finance.get(RUN, MANY))
    assert "4 users have usage to bill" in page
    assert "would be made" not in page
    assert not Work.objects.exists(), "looking starts nothing"
    where = as_finance.post(RUN, {**MANY, "prepare": "1"}).headers["Location"]
    run_next()
    work = Work.objects.get()
    assert (work.status, work.result, Receipt.objects.count()) == ("done", {"users": 4, "receipts": 3}, 0)
    assert "dan: " in work.errors[0]
    assert f'href="{RUN}?work={work.pk}"' in as_finance.get(where).content.decode()

    page = as_finance.get(RUN, {"work": work.pk})
    assert "3 receipts would be made" in text(page)
    assert "cannot be billed" in text(page)
    assert "token:" not in page.content.decode(), "a form takes 1,000 fields, a preview may have more users"


def test_what_was_previewed_is_made_and_nothing_else(as_finance: Any, crowd: list[str]) -> None:
    as_finance.post(RUN, {**MANY, "prepare": "1"})
    preview = run_next()
    make_job(username="ben")
    make_job(username="alice")
    as_finance.post(RUN, {"work": preview.pk})
    run_next()
    assert sorted(str(receipt.user_id) for receipt in Receipt.objects.all()) == ["ann", "cy"]
    work = Work.objects.latest("pk")
    assert (work.kind, work.result) == ("receipt_run", {"receipts": 2, "users_left_out": 1})
    assert work.parameters["preview"] == preview.pk
    assert "ben" in work.errors[0]


def test_a_preview_is_its_owners_and_is_not_kept_for_ever(as_finance: Any, make_user: Any, crowd: list[str]) -> None:
    as_finance.post(RUN, {**MANY, "prepare": "1"})
    preview = run_next()
    other = Client()
    other.force_login(make_user("fay", role="admin", groups=["Finance"]))
    for answer in (other.get(RUN, {"work": preview.pk}), other.post(RUN, {"work": preview.pk})):
        assert answer.headers["Location"] == RUN
    as_finance.post(RUN, {"work": preview.pk})
    Work.objects.filter(pk=preview.pk).update(file_name="")
    run_next()
    work = Work.objects.latest("pk")
    assert (work.status, Receipt.objects.count()) == ("failed", 0)
    assert "not kept any more" in work.errors[0]
    assert "not kept any more" in text(as_finance.get(RUN, {"work": preview.pk}, follow=True))


def test_statements_of_a_kept_preview_do_not_grow_with_its_users(
    as_finance: Any, crowd: list[str], django_assert_max_num_queries: Any
) -> None:
    as_finance.post(RUN, {**MANY, "prepare": "1"})
    preview = run_next()
    for address in (f"{RUN}?work={preview.pk}", f"{RUN}?start=2026-10-01&end=2026-10-31"):
        with django_assert_max_num_queries(15):
            assert as_finance.get(address).status_code == 200


def test_a_prepared_export_is_the_file_that_the_page_sends(as_finance: Any, alice: Any) -> None:
    account_tier("physics", "mu")
    for number in range(3):
        make_job(job_name=f"=cmd{number}")
    where, asked = "/admin/exports/usage/", {"start": "2026-10-01", "end": "2026-10-31"}
    direct = b"".join(as_finance.post(where, {**asked, "format": "csv"}).streaming_content)
    as_finance.post(where, {**asked, "later": "csv"})
    run_next()
    work = Work.objects.get()
    assert (work.status, work.result["rows"], work.result["bytes"]) == ("done", 3, len(direct))
    response = as_finance.get(f"/admin/accounts/work/{work.pk}/file/")
    assert b"".join(response.streaming_content) == direct
    assert "usage-2026-10-01-2026-10-31.csv" in response.headers["Content-Disposition"]
    assert AuditLog.objects.filter(action="work_fetch", actor="fin").count() == 1


def test_an_export_prepared_as_xlsx_is_one(as_finance: Any, alice: Any) -> None:
    account_tier("physics", "mu")
    make_job()
    as_finance.post("/admin/exports/usage/", {"later": "xlsx"})
    run_next()
    body = b"".join(as_finance.get(f"/admin/accounts/work/{Work.objects.get().pk}/file/").streaming_content)
    assert body.startswith(b"PK")


def test_somebody_who_lost_the_right_gets_no_file(as_finance: Any, finance: Any) -> None:
    as_finance.post("/admin/exports/usage/", {"later": "csv"})
    finance.groups.clear()
    run_next()
    assert Work.objects.get().status == "failed"
    assert not WorkPiece.objects.exists()


# --- who sees what -----------------------------------------------------------
def test_others_see_that_it_was_done_and_fetch_nothing(client: Any, finance: Any, auditor: Any, make_user: Any) -> None:
    work = ask()
    run_next()
    Work.objects.update(file_name="x.csv")
    client.force_login(auditor)
    assert "a thing" in text(client.get("/admin/accounts/work/"))
    assert client.get(f"/admin/accounts/work/{work.pk}/file/").status_code == 403
    assert client.post(f"/admin/accounts/work/{work.pk}/cancel/").status_code == 403
    client.force_login(make_user("ed", role="admin", groups=["Rates editor"]))
    assert "a thing" not in text(client.get("/admin/accounts/work/"))
    assert client.get(f"/admin/accounts/work/{work.pk}/change/").status_code in (302, 403)


def test_the_page_says_how_far_it_is_and_looks_again_by_itself(as_finance: Any) -> None:
    work = ask()
    Work.objects.update(status="running", percent=40, done=1200, note="day 4")
    page = as_finance.get(f"/admin/accounts/work/{work.pk}/change/").content.decode()
    assert 'data-watch="running:1200:40"' in page
    assert "waiting.js" in page
    for words in ("40 %", "1,200 done", "day 4", "Look again"):
        assert words in text(as_finance.get(f"/admin/accounts/work/{work.pk}/change/"))


def test_it_is_taken_back_on_its_page(as_finance: Any) -> None:
    work = ask()
    as_finance.post(f"/admin/accounts/work/{work.pk}/cancel/")
    work.refresh_from_db()
    assert work.status == "canceled"
