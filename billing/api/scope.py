"""Whose rows a request may see. Somebody else's object is as absent as one that does not exist."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from accounts.models import Organisation
from accounts.models.users import fold_username
from billing.models import Receipt
from core.api.asking import actor, read
from core.api.asking import is_staff as sees_all
from core.errors import BadInput
from usage.models import Job

__all__ = ["actor", "allow", "find_job", "find_receipt", "organisation", "read", "sees_all", "whose"]


def whose(request: Request, wanted: str, permission: str) -> str | None:
    """The user whose list is shown; None is everybody's. Raises ``PermissionDenied`` for somebody else's."""
    own = actor(request).name
    if sees_all(request, permission):
        return fold_username(wanted) if wanted else None
    if wanted and fold_username(wanted) != own:
        raise PermissionDenied(_("You may ask for your own only."))
    return own


def find_job(request: Request, pk: int) -> Job:
    jobs = (
        Job.objects.all() if sees_all(request, "usage.view_job") else Job.objects.filter(username=actor(request).name)
    )
    job = jobs.select_related("import_run").filter(pk=pk).first()
    if job is None:
        raise Http404(_("There is no such job."))
    return job


def find_receipt(request: Request, pk: int) -> Receipt:
    receipts = Receipt.objects.select_related("rate_version", "pricing_tier")
    if not sees_all(request, "billing.view_receipt"):
        receipts = receipts.filter(user_id=actor(request).name)
    receipt = receipts.filter(pk=pk).first()
    if receipt is None:
        raise Http404(_("There is no such receipt."))
    return receipt


def allow(request: Request, permission: str, words: str) -> None:
    """Raises ``PermissionDenied`` for anybody but staff with this permission."""
    if not sees_all(request, permission):
        raise PermissionDenied(words)


def organisation(uuid: UUID) -> Organisation:
    """The organisation that a body of staff names. Raises ``BadInput``."""
    found = Organisation.objects.filter(uuid=uuid).first()
    if found is None:
        raise BadInput(_("There is no such organisation."), field="organisation")
    return found
