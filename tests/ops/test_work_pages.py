"""What is started from pages and goes on without them: uploads, runs of many users, exports."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import Work, WorkPiece
from accounts.services.work import run_next
from audit.models import AuditLog
from billing.models import Receipt
from tests.factories import account_tier, make_job
from tests.ops.test_work import HEAD, LINE
from tests.pages.conftest import text
from usage.models import Cluster, ImportRun, Job

pytestmark = pytest.mark.django_db


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
    page = text(client.get(f"/admin/accounts/prepared/{Work.objects.get().pk}/change/"))
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
    for path in (f"accounts/prepared/{work.pk}/change/", f"usage/importrun/{run.pk}/change/"):
        assert "2 rows of other clusters were left out." in text(client.get(f"/admin/{path}")), path
    page = text(client.get(f"/admin/accounts/prepared/{work.pk}/change/"))
    assert "Left out 2" in page
    assert "Import of oct.psv" in page
    assert "Import of oct.psv" in text(client.get("/admin/accounts/prepared/"))


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
    assert response.headers["Location"] == f"/admin/accounts/prepared/{work.pk}/change/"
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
    response = as_finance.get(f"/admin/accounts/prepared/{work.pk}/file/")
    assert b"".join(response.streaming_content) == direct
    assert "usage-2026-10-01-2026-10-31.csv" in response.headers["Content-Disposition"]
    assert AuditLog.objects.filter(action="work_fetch", actor="fin").count() == 1


def test_an_export_prepared_as_xlsx_is_one(as_finance: Any, alice: Any) -> None:
    account_tier("physics", "mu")
    make_job()
    as_finance.post("/admin/exports/usage/", {"later": "xlsx"})
    run_next()
    body = b"".join(as_finance.get(f"/admin/accounts/prepared/{Work.objects.get().pk}/file/").streaming_content)
    assert body.startswith(b"PK")


def test_somebody_who_lost_the_right_gets_no_file(as_finance: Any, finance: Any) -> None:
    as_finance.post("/admin/exports/usage/", {"later": "csv"})
    finance.groups.clear()
    run_next()
    assert Work.objects.get().status == "failed"
    assert not WorkPiece.objects.exists()
