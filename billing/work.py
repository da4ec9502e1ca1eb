"""Long work of this app."""

from __future__ import annotations

from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Work
from accounts.services.work import Kind, Outcome, Report
from billing.services.receipts import create_all
from core.context import Actor


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _receipt_run(work: Work, report: Report) -> Outcome:
    """The receipts of the users whose previews somebody has seen. Safe to repeat: what is billed is left out."""
    asked = work.parameters
    run = create_all(
        actor=Actor(str(work.owner_id)), start=_day(asked["start"]), end=_day(asked["end"]), expected=asked["tokens"],
        on_progress=report,
    )  # fmt: skip
    errors = [_("User %(name)s: %(why)s") % {"name": name, "why": why} for name, why in run.failed.items()]
    return Outcome({"receipts": len(run.receipts), "users_left_out": len(run.failed)}, errors)


RECEIPT_RUN = Kind(gettext_lazy("receipts of a period"), _receipt_run, "billing.add_receipt")
