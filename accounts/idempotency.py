"""``Idempotency-Key`` at the API: a repeat of a write under the same key gets the first answer, and does nothing.

Answers that refuse are not kept, as nothing was done: the same key may be sent again. What waits for a second person
was written down, and its answer is kept like any other. Whoever has other rights by now is not told it again. How long
keys are known is ``prune``'s to say.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any, TypeVar

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import IdempotentRequest
from accounts.services import idempotency
from accounts.services.approvals import WaitsForSecond
from core.api.problems import CONTENT_TYPE, problem_of
from core.context import actor_of

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEY = OpenApiParameter(
    HEADER, str, OpenApiParameter.HEADER,
    description="1 to 255 printable ASCII characters of your choice. A repeat with the same key and body gets the same"
    " answer, marked `Idempotent-Replayed: true`, and changes nothing; another body is refused with 422.",
)  # fmt: skip

View = TypeVar("View", bound=Callable[..., Response])


def idempotent(*, atomic: bool = True) -> Callable[[View], View]:
    """For a method of a view. ``atomic``: what it writes and its answer become true together; not for a method that
    asks somebody outside, which must itself be safe to repeat."""

    def decorate(view: View) -> View:
        @wraps(view)
        def answer(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
            key = request.headers.get(HEADER)
            if key is None:
                return view(self, request, *args, **kwargs)
            row = idempotency.claim(
                actor=actor_of(request._request), key=key, method=str(request.method), path=request.path,
                body=request.data,
            )  # fmt: skip
            if row.status_code is not None:
                idempotency.check_rights(row, idempotency.rights_of(request.user))
                return _again(row)
            try:
                return _first(lambda: view(self, request, *args, **kwargs), request, row, atomic)
            except BaseException:
                idempotency.release(row=row)
                raise

        return answer  # type: ignore[return-value]

    return decorate


def _first(view: Callable[[], Response], request: Request, row: IdempotentRequest, atomic: bool) -> Response:
    def keep(status: int, body: Any) -> None:
        idempotency.keep(row=row, status=status, body=body, rights=idempotency.rights_of(request.user))

    with transaction.atomic() if atomic else nullcontext():
        try:
            response = view()
        except WaitsForSecond as waits:  # what waits for a second person is written down, and stays: so does the answer
            keep(waits.http_status, problem_of(waits))
            held = waits
        else:
            keep(response.status_code, response.data)
            return response
    raise held


def _again(row: IdempotentRequest) -> Response:
    waits = isinstance(row.body, dict) and row.body.get("code") == WaitsForSecond.code
    return Response(
        row.body, status=row.status_code, headers={REPLAYED: "true"}, content_type=CONTENT_TYPE if waits else None
    )
