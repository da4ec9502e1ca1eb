"""What a reader may open. Whatever is not theirs is as absent as what does not exist."""

from __future__ import annotations

from django.db.models import Q
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from accounts.projects import LedProject, led_accounts, led_project
from billing.models import Receipt
from billing.selectors.documents.readable import openable
from core.context import actor_of
from usage.models import Job


def find_project(request: HttpRequest, pk: int | None) -> LedProject | None:
    """The project of the address, when the reader leads it; None where the address names none. Raises ``Http404``."""
    if pk is None:
        return None
    found = led_project(actor_of(request).name, pk)
    if found is None:
        raise Http404(_("There is no such project."))
    return found


def find_receipt(request: HttpRequest, pk: int) -> Receipt:
    """Staff with ``billing.view_receipt`` may open any."""
    receipts = openable(Receipt.objects.select_related("pricing_tier", "rate_version"), request.user)
    receipt = receipts.filter(pk=pk).first()
    if receipt is None:
        raise Http404(_("There is no such receipt."))
    return receipt


def find_job(request: HttpRequest, pk: int) -> Job:
    """One's own job, or one under an account of a project that one leads. Staff with ``usage.view_job``: any."""
    jobs = Job.objects.select_related("import_run")
    if not (request.user.is_staff and request.user.has_perm("usage.view_job")):
        name = actor_of(request).name
        jobs = jobs.filter(Q(username=name) | Q(account__in=led_accounts(name)))
    job = jobs.filter(pk=pk).first()
    if job is None:
        raise Http404(_("There is no such job."))
    return job
