"""Long work of this app."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Work, WorkStatus
from accounts.services.work import Kind, Outcome, Report, pieces
from billing.selectors.jobs.run_previews import Candidate, candidates, from_text, to_text, users_to_bill
from billing.services.receipts import create_all
from core.context import Actor
from core.errors import Conflict
from core.words.wording import day_text


def days_of(work: Work) -> tuple[date | None, date | None]:
    """The window that was asked for; None is open."""
    start, end = (date.fromisoformat(day) if (day := work.parameters[name]) else None for name in ("start", "end"))
    return start, end


def _receipt_preview(work: Work, report: Report) -> Outcome:
    """What a run would make for each of many users, kept a week for its page. Changes nothing."""
    days = days_of(work)
    names = users_to_bill(*days)
    found: list[Candidate] = []

    def lines() -> Iterator[bytes]:
        for done, name in enumerate(names):
            report(done, len(names), name)
            for candidate in candidates([name], *days):
                found.append(candidate)
                yield to_text(candidate).encode() + b"\n"

    report.write(lines())
    made = sum(len(each.lines) for each in found)
    errors = [f"{each.username}: {each.trouble}" for each in found if each.trouble]
    return Outcome({"users": len(found), "receipts": made}, errors, file_name="preview.jsonl")


def kept_preview(pk: int, owner: str) -> tuple[Work, list[Candidate]] | None:
    """The preview that ``owner`` had made; None when there is none, or no more."""
    work = Work.objects.filter(pk=pk, owner_id=owner, kind="receipt_preview", status=WorkStatus.DONE).first()
    if work is None or not work.file_name:
        return None
    text = b"".join(pieces(work)).decode()
    return work, [from_text(line) for line in text.splitlines()]


def _tokens(work: Work) -> dict[str, str]:
    """Tokens of the previews that somebody has seen, by user: as sent, or of the kept preview."""
    if "preview" not in work.parameters:
        return dict(work.parameters["tokens"])
    found = kept_preview(work.parameters["preview"], str(work.owner_id))
    if found is None:
        raise Conflict(_("The preview is not kept any more; make it anew."))
    return {each.username: each.token for each in found[1] if each.token}


def _receipt_run(work: Work, report: Report) -> Outcome:
    """The receipts of the users whose previews somebody has seen. Safe to repeat: what is billed is left out."""
    start, end = days_of(work)
    run = create_all(
        actor=Actor(str(work.owner_id)), start=start, end=end, expected=_tokens(work), on_progress=report
    )  # fmt: skip
    errors = [_("User %(name)s: %(why)s") % {"name": name, "why": why} for name, why in run.failed.items()]
    return Outcome({"receipts": len(run.receipts), "users_left_out": len(run.failed)}, errors)


def _day_names(work: Work) -> dict[str, str]:
    start, end = days_of(work)
    return {"start": day_text(start) or "…", "end": day_text(end) or "…"}


def preview_title(work: Work) -> str:
    return _("Preview of receipts of %(start)s to %(end)s") % _day_names(work)


def run_title(work: Work) -> str:
    users = work.parameters.get("users", len(work.parameters.get("tokens", ())))
    return _("Receipts of %(start)s to %(end)s, %(n)d users") % {**_day_names(work), "n": users}


RECEIPT_PREVIEW = Kind(
    gettext_lazy("preview of receipts"), _receipt_preview, "billing.add_receipt", page="admin:billing_receipt_run",
    title=preview_title,
)  # fmt: skip
RECEIPT_RUN = Kind(gettext_lazy("receipts of a period"), _receipt_run, "billing.add_receipt", title=run_title)
