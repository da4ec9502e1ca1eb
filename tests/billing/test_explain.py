"""Any amount goes back to its raw record, and is recomputed to the last digit on the way."""

from __future__ import annotations

import json
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Tier, TierRule
from billing.models import Receipt, ReceiptItem
from billing.selectors.documents.explain import explain_job, explain_receipt
from billing.selectors.documents.genuine import digest_of, is_unchanged
from billing.selectors.documents.paper import paper_of
from billing.services.pricing.rates import NewRates, set_rates
from billing.services.receipts import create_receipts, void_receipt
from core.context import Actor
from tests.billing.invoicing import fee, finalized, make_customer
from tests.factories import account_tier, make_job, make_jobs, make_run
from usage.models import ImportRun, Job, QuarantinedRow

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _physics_is_mu(alice: Any) -> None:
    account_tier("physics", "mu")


def bill() -> Receipt:
    return create_receipts(actor=Actor("alice"), username="alice")[0]


def explain(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("explain", *arguments, "--format", "json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_a_billed_job_leads_from_the_raw_record_to_the_line() -> None:
    job = make_job(cpus=3, gpus=1, mem_mib=3410, elapsed_seconds=4321, raw="7|alice|cpu=3")
    ImportRun.objects.update(columns=["JobID", "User", "AllocTRES"], file_sha256="ab" * 32)
    receipt = bill()
    found = explain("job", job.job_key)
    assert found["record"] == {"JobID": "7", "User": "alice", "AllocTRES": "cpu=3"}
    assert found["imported"]["file_sha256"] == "ab" * 32
    assert (found["resources"]["cpu_core_seconds"], found["resources"]["mem_mib"]) == (12963, 3410)
    assert found["tier"]["reasons"] == ["rule:10:account:physics"]
    assert (found["rates"]["set_by"], found["rates"]["price_at"]) == ("system", "receipt")
    cpu, gpu, mem = found["arithmetic"]["terms"]
    assert (cpu["seconds"], cpu["divisor"], cpu["hours"]) == (12963, 3600, "3.6008")
    assert (gpu["hours"], mem["divisor"], mem["hours"]) == ("1.2003", 1024 * 3600, "3.9970")
    exact = Decimal("3.6008") + Decimal("1.2003") * 5 + Decimal("3.9970") / 2
    arithmetic = found["arithmetic"]
    assert Decimal(arithmetic["exact"]) == exact
    assert Decimal(arithmetic["cost"]) == exact + Decimal(arithmetic["rounding"]) == receipt.total
    (line,) = found["billed_on"]
    assert (line["number"], line["recomputed"], line["is_live"]) == (str(receipt), True, True)
    assert {entry["action"] for entry in found["audit"]} >= {"receipt_create", "rate_update"}


def test_it_stays_what_it_was_when_rates_change_and_tells_until_when_they_held() -> None:
    job = make_job()
    bill()
    before = explain("job", job.job_key)
    set_rates(
        actor=Actor("fin"),
        tier=Tier.objects.get(pk="mu"),
        rates=NewRates(Decimal(9), Decimal(9), Decimal(9)),
        note="up",
    )
    after = explain("job", job.job_key)
    assert after["arithmetic"] == before["arithmetic"]
    assert (before["rates"]["until"], after["rates"]["until"] is None) == (None, False)


def test_an_unbilled_job_is_priced_by_the_policy_now_and_says_why_it_is_on_no_receipt() -> None:
    job = make_job(state="NODE_FAIL")
    found = explain("job", job.job_id_display)
    assert (found["standing"]["code"], found["billed_on"]) == ("free_state", [])


def test_voided_receipts_stay_in_its_history() -> None:
    job = make_job()
    first = bill()
    void_receipt(actor=Actor("fin"), receipt=first, reason="wrong")
    second = bill()
    found = explain("job", job.job_key)
    assert [(line["number"], line["status"]) for line in found["billed_on"]] == [
        (str(first), "void"), (str(second), "pending"),
    ]  # fmt: skip
    assert "receipt_void" in {entry["action"] for entry in found["audit"]}


def test_a_receipt_is_recomputed_from_its_jobs(settings: Any) -> None:
    settings.BILLING_TAX_ENABLED = True
    make_jobs(7, cpus=3, elapsed_seconds=4321)
    receipt = bill()
    found = explain("receipt", str(receipt))
    assert found == explain("receipt", str(receipt.pk))
    assert (found["lines"], found["recomputed"], found["unchanged"]) == (7, True, True)
    assert Decimal(found["lines_total"]) + Decimal(found["tax"]["amount"]) == Decimal(found["total"]) == receipt.total


@pytest.mark.parametrize(
    "damage",
    [
        lambda job: Job.objects.filter(pk=job.pk).update(mem_mib_seconds=1),
        lambda job: ReceiptItem.objects.filter(job_key=job.job_key).update(cost=1),
        lambda job: Receipt.objects.update(total=1),
    ],
)
def test_an_amount_that_does_not_follow_from_the_record_is_said(damage: Any) -> None:
    job = make_job()
    receipt = bill()
    damage(job)
    receipt.refresh_from_db()
    assert explain_receipt(receipt).recomputed is False


def test_the_statements_do_not_grow_with_the_lines(django_assert_max_num_queries: Any) -> None:
    make_jobs(50)
    receipt = bill()
    with django_assert_max_num_queries(8):
        explain_receipt(Receipt.objects.select_related("rate_version", "pricing_tier").get(pk=receipt.pk))


def test_a_job_id_that_several_have_is_asked_for_by_its_key() -> None:
    make_job(job_id=5, cluster="a")
    make_job(job_id=5, cluster="b")
    with pytest.raises(CommandError, match=r"a:5:.*b:5:") as error:
        call_command("explain", "job", "5")
    assert error.value.returncode == 2


def test_a_line_of_an_invoice_goes_back_to_what_it_sums() -> None:
    project = make_customer()
    fee(project, "100")
    invoice = finalized(project)
    for name in (str(invoice), f"#{invoice.pk}", str(invoice).lower()):
        found = explain("invoice", f"{name}/1")
        assert (found["invoice"], found["number"], Decimal(found["total"])) == (str(invoice), 1, 100)
    out = StringIO()
    call_command("explain", "invoice", f"{invoice}/1", stdout=out)
    assert "total              100" in out.getvalue()


@pytest.mark.parametrize("what", ["job", "receipt", "invoice"])
@pytest.mark.parametrize("which", ["nothing", "0", "9" * 30, "٣", "INV-1/1", "#" + "9" * 30 + "/1", "1/٣"])
def test_what_there_is_not_is_a_usage_error(what: str, which: str) -> None:
    with pytest.raises(CommandError, match=r"no (job|receipt|line)|Name a line") as error:
        call_command("explain", what, which)
    assert error.value.returncode == 2


def test_the_page_shows_the_arithmetic_the_author_of_the_rates_and_what_happened(alice: Any) -> None:
    job = make_job()
    set_rates(
        actor=Actor("fin"),
        tier=Tier.objects.get(pk="mu"),
        rates=NewRates(Decimal(2), Decimal(5), Decimal(1)),
        note="year 2027",
    )
    bill()
    browser = Client()
    browser.force_login(alice)
    page = browser.get(reverse("billing:job", args=[job.pk])).content.decode()
    for words in ("14,400 ÷ 3,600", "year 2027", "Receipt created", "rule 10: account physics"):
        assert words in page


def test_the_text_form_reads_like_arithmetic() -> None:
    job = make_job()
    out = StringIO()
    call_command("explain", "job", job.job_key, stdout=out)
    assert "14400 s / 3600 = 4.0000 h  x 1 = 4" in out.getvalue()
    assert explain_job(job).arithmetic is not None


def test_each_jobs_own_reason_is_told_and_a_renamed_tier_changes_no_issued_receipt(alice: Any) -> None:
    account_tier("chemistry", "mu")
    job = make_job(account="physics")
    make_job(account="chemistry")
    (receipt,) = create_receipts(actor=Actor("alice"), username="alice")
    assert len(receipt.tier_reason.splitlines()) == 2
    TierRule.objects.all().delete()
    Tier.objects.filter(pk="mu").update(name="RENAMED", name_th="เปลี่ยนชื่อ")
    told = explain_job(job)
    assert told.tier.reasons == ["rule:10:account:physics"], "not that of the other account"
    receipt = Receipt.objects.get(pk=receipt.pk)
    assert receipt.tier_label == "University"
    assert paper_of(receipt).tier == "University"
    assert is_unchanged(receipt)
    Receipt.objects.filter(pk=receipt.pk).update(tier_names={"en": "Other"})
    assert not is_unchanged(Receipt.objects.get(pk=receipt.pk)), "the hash covers the name on the paper"


def test_receipts_from_before_names_were_kept_are_still_genuine() -> None:
    make_job()
    receipt = bill()
    receipt.tier_names, receipt.tier_by_account = {}, {}
    receipt.save()
    Receipt.objects.filter(pk=receipt.pk).update(digest=digest_of(receipt))
    assert is_unchanged(Receipt.objects.get(pk=receipt.pk))
    assert receipt.tier_label == "University"


def test_the_columns_of_the_text_form_have_names(alice: Any) -> None:
    job = make_job()
    receipt = bill()
    ReceiptItem.objects.update(cost=1)
    out = StringIO()
    call_command("explain", "job", job.job_key, stdout=out)
    lines = [line.split() for line in out.getvalue().splitlines()]
    head = next(number for number, line in enumerate(lines) if line[:2] == ["receipt", "number"])
    assert lines[head][-2:] == ["is_live", "recomputed"]
    assert lines[head + 1][:3] == [str(receipt.pk), str(receipt), "pending"]
    assert lines[head + 1][-2:] == ["yes", "no"]
    assert ["id", "at", "actor", "action", "words", "hash"] in lines


def refuse(raw: str, *, columns: list[str] | None = None, **fields: Any) -> QuarantinedRow:
    run = make_run()
    ImportRun.objects.filter(pk=run.pk).update(columns=columns or [], file_name="july.psv")
    digest = str(QuarantinedRow.objects.count())
    values = {"reason": "bad_duration", "source": "csv", "line_no": 7, "detail": "1-2-3", **fields}
    return QuarantinedRow.objects.create(run=run, raw=raw, raw_sha256=digest, **values)


@pytest.mark.parametrize("asked", ["1035", "bench:1035:1790000000"])
def test_a_job_whose_record_was_refused_says_so_with_the_reason(asked: str) -> None:
    row = refuse("1035|bob|1-2-3", columns=["JobID", "User", "Elapsed"], job_id_display="1035", username="bob")
    found = explain("job", asked)
    assert found["standing"]["code"] == "quarantined"
    assert "elapsed time cannot be read" in found["standing"]["words"]
    (refused,) = found["refused"]
    assert (refused["row"], refused["file"], refused["line"], refused["detail"]) == (row.pk, "july.psv", 7, "1-2-3")
    assert refused["record"] == {"JobID": "1035", "User": "bob", "Elapsed": "1-2-3"}
    out = StringIO()
    call_command("explain", "job", asked, stdout=out)
    assert "bad_duration" in out.getvalue()


def test_a_row_too_broken_to_name_its_job_is_found_by_its_text() -> None:
    refuse("1035|bob|x|y|z")
    assert explain("job", "1035")["refused"][0]["record"] == {"": "1035|bob|x|y|z"}
    for other in ("103", "035", "b.b", "", " "):
        with pytest.raises(CommandError, match="no job"):
            call_command("explain", "job", other)


def test_a_number_in_another_cell_of_a_refused_row_is_not_its_job() -> None:
    refuse("7|bob|1035", columns=["JobID", "User", "Elapsed"])
    with pytest.raises(CommandError, match="no job"):
        call_command("explain", "job", "1035")


def test_a_dismissed_row_says_that_and_a_released_one_is_its_job() -> None:
    decided = {"decided_at": timezone.now(), "decided_by": "fin", "note": "a test", "job_id_display": "1035"}
    row = refuse("1035|bob", status="dismissed", **decided)
    found = explain("job", "1035")
    assert (found["standing"]["code"], found["refused"][0]["note"]) == ("dismissed", "a test")
    QuarantinedRow.objects.filter(pk=row.pk).update(status="accepted")
    with pytest.raises(CommandError, match="no job"):
        call_command("explain", "job", "1035")


@pytest.mark.parametrize("prefix", ["RC", "Rc-"])
def test_a_receipt_is_found_by_its_number_in_any_case(settings: Any, prefix: str) -> None:
    settings.BILLING_RECEIPT_PREFIX = prefix
    make_job()
    receipt = bill()
    for number in (str(receipt), str(receipt).lower(), f"  {str(receipt).upper()} "):
        assert explain("receipt", number)["receipt"]["id"] == receipt.pk
        query = {"number": number, "hash": receipt.digest}
        assert Client().get("/verify/", query).context["answer"] == "genuine"
    assert Client().get("/verify/", {"number": f"x{receipt}", "hash": receipt.digest}).context["answer"] == "unknown"
