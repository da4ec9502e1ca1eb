"""``POST /api/v1/events``: metered events in.

The body is read by msgspec and answered by msgspec: serializers would cost four times as much as the database does.
What stands here of serializers only describes it.
"""

from __future__ import annotations

import re
import zlib
from http import HTTPStatus
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiRequest, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import ApiKey, Scope
from core.api.serializers import page_of, problems
from core.errors import AppError, BadInput
from usage.api.aggregates import StoredEventSerializer, UsageQuery, list_events
from usage.events.checking import Sender
from usage.events.rows import ACCEPTED, CONFLICT, REJECTED
from usage.events.schema import TOO_MANY, Event, Malformed, Refused, read_many, read_one
from usage.reach import may_write_events
from usage.services.events import Taken, Verdict, take_events

CLOUD_EVENT, CLOUD_EVENTS = "application/cloudevents+json", "application/cloudevents-batch+json"
_PART, _MEMBERS = 64 * 1024, 10_000  # bytes of gzip read at once; members that a body may have
_OBJECT = re.compile(rb"\s*\{")
_encode = msgspec.json.Encoder().encode


class TooLarge(AppError):
    code = "too_large"
    http_status = 413


class UnknownEncoding(AppError):
    code = "unsupported_encoding"
    http_status = 415


class EventSerializer(serializers.Serializer):
    """One event. A key of a project sends events of its own project; with another key each event names its project.

    A call of an AI model is an event with `model`. With `reservation` it settles quota that was set aside. In
    CloudEvents (`application/cloudevents+json`, `application/cloudevents-batch+json`) `type` is the metric, `source`
    and `id` the idempotency key, `time` the moment, and `data` the rest.
    """

    metric_name = serializers.RegexField(r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$", max_length=120)
    idempotency_key = serializers.CharField(max_length=200, help_text="Unique within the project.")
    timestamp = serializers.DateTimeField(help_text="With an offset from UTC.")
    metric_value = serializers.DecimalField(
        max_digits=30, decimal_places=9, min_value=0, required=False, help_text="A number or decimal text; 1 if absent."
    )
    unit = serializers.CharField(max_length=40, required=False)
    metadata = serializers.DictField(required=False, help_text="At most 8 kB.")
    project = serializers.UUIDField(required=False)
    subscription = serializers.UUIDField(required=False)
    reservation = serializers.UUIDField(required=False)
    model = serializers.CharField(max_length=255, required=False)
    request_tokens = serializers.IntegerField(min_value=0, required=False)
    response_tokens = serializers.IntegerField(min_value=0, required=False)
    cached_tokens = serializers.IntegerField(min_value=0, required=False, help_text="Part of request_tokens.")
    reasoning_tokens = serializers.IntegerField(min_value=0, required=False, help_text="Part of response_tokens.")
    latency_ms = serializers.IntegerField(min_value=0, required=False)
    status_code = serializers.IntegerField(min_value=100, max_value=599, required=False)
    error_message = serializers.CharField(max_length=500, required=False)


class CloudEventSerializer(serializers.Serializer):
    """CloudEvents 1.0. Extensions are allowed and not kept."""

    specversion = serializers.ChoiceField(["1.0"])
    id = serializers.CharField(max_length=120)
    source = serializers.CharField(max_length=79)  # type: ignore[assignment]  # its name in the standard
    type = serializers.RegexField(r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$", max_length=120, help_text="The metric.")
    time = serializers.DateTimeField()
    subject = serializers.CharField(required=False, max_length=255, help_text="Kept in the metadata.")
    data = serializers.DictField(  # type: ignore[assignment]  # as above
        required=False, allow_null=True, help_text="The other fields of an event."
    )


_EVENT = {"$ref": "#/components/schemas/Event"}
ONE_OR_MANY = {"oneOf": [_EVENT, {"type": "array", "items": _EVENT, "minItems": 1, "maxItems": 1000}]}


class VerdictSerializer(serializers.Serializer):
    index = serializers.IntegerField()
    status = serializers.ChoiceField(["accepted", "duplicate", "conflict", "rejected"])
    id = serializers.UUIDField(required=False, help_text="Of an accepted event.")
    late = serializers.BooleanField(required=False)
    code = serializers.CharField(required=False, help_text="Stable; of a conflict or rejection.")
    reason = serializers.CharField(required=False, help_text="For whoever writes the client, in English.")
    field = serializers.CharField(required=False)


class TakenSerializer(serializers.Serializer):
    accepted = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    conflict = serializers.IntegerField()
    rejected = serializers.IntegerField()
    late = serializers.IntegerField()
    results = VerdictSerializer(many=True)


class EventsView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ, "POST": Scope.EVENTS_WRITE}
    takes_project_keys = True
    parser_classes = ()

    def get_throttles(self) -> list[Any]:
        """What is sent is limited by sizes, quotas and budgets."""
        return super().get_throttles() if self.request.method == "GET" else []

    @extend_schema(
        operation_id="events_list",
        parameters=[UsageQuery],
        responses={200: page_of(StoredEventSerializer), **problems(400, 401, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        """Single events that you may read, newest first."""
        return list_events(request)

    @extend_schema(
        operation_id="events_create",
        request={
            "application/json": ONE_OR_MANY,
            "application/vnd.hpcbilling.event+json": OpenApiRequest(EventSerializer),
            CLOUD_EVENT: OpenApiRequest(CloudEventSerializer),
            CLOUD_EVENTS: OpenApiRequest(CloudEventSerializer(many=True)),
        },
        responses={202: TakenSerializer, **problems(400, 401, 403, 409, 413, 415, 422)},
    )
    def post(self, request: Request) -> HttpResponse:
        """Take one event (an object) or up to 1,000 (an array); `Content-Encoding: gzip` is understood.

        202 once everything accepted is durable, with a verdict for each item. A single event that is not taken is
        409 (another one is stored under its key) or 422.
        """
        kind = request.content_type.split(";")[0].strip().lower()
        if kind and not kind.endswith(("/json", "+json")):  # no kind at all comes with no body, which is told as such
            raise UnsupportedMediaType(kind[:60])
        body, cloud = read_body(request), kind in (CLOUD_EVENT, CLOUD_EVENTS)
        single = is_object(body)
        items = read_items(body, single=single, cloud=cloud)
        taken = take_events(sender=sender_of(request), items=items)
        return answer(taken, single=single)


def sender_of(request: Request) -> Sender:
    key = request.auth if isinstance(request.auth, ApiKey) else None
    user = request.user
    return Sender(
        project=key.project if key else None,
        api_key=key,
        username="" if key and key.project_id else user.get_username(),
        may_write=lambda project: may_write_events(user, project),
    )


def is_object(body: bytes) -> bool:
    """One event, and not a list of them."""
    return _OBJECT.match(body) is not None


def read_items(body: bytes, *, single: bool, cloud: bool) -> list[Event | Refused]:
    try:
        if single:
            return [read_one(body, cloud=cloud)]
        items = read_many(body, cloud=cloud, most=settings.EVENTS_MAX_ITEMS)
    except (Malformed, RecursionError) as error:
        raise BadInput(_("The body is not JSON that can be read: %(why)s") % {"why": error}) from error
    if not items:
        raise BadInput(_("The list of events is empty."))
    if isinstance(items[0], Refused) and items[0].code == TOO_MANY:
        words = _("At most %(most)s events at once; these are %(number)s.")
        raise TooLarge(words % {"most": settings.EVENTS_MAX_ITEMS, "number": items[0].reason})
    return items


def read_body(request: Request) -> bytes:
    """Unpacked, and never more than ``EVENTS_MAX_BODY_BYTES`` of it."""
    body = request._request.body
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise UnknownEncoding(_("Content-Encoding may be gzip; %(name)s is not known.") % {"name": encoding[:40]})
    return _unpacked(body, settings.EVENTS_MAX_BODY_BYTES)


def _unpacked(packed: bytes, most: int) -> bytes:
    """One member of gzip or several (RFC 1952). What is read at once is short, for each member copies what is left."""
    unpacker, found, members = zlib.decompressobj(wbits=31), bytearray(), 1
    try:
        for start in range(0, len(packed), _PART):
            part = packed[start : start + _PART]
            while part:
                if unpacker.eof:
                    unpacker, members = zlib.decompressobj(wbits=31), members + 1
                found += unpacker.decompress(part, most + 1 - len(found))
                if len(found) > most or members > _MEMBERS:
                    raise TooLarge(_("Unpacked, the body is larger than %(most)s bytes.") % {"most": most})
                part = unpacker.unused_data
    except zlib.error as error:
        raise BadInput(_("The body is not gzip that can be read.")) from error
    if not unpacker.eof:
        raise BadInput(_("The body is not gzip that can be read."))
    return bytes(found)


def answer(taken: Taken, *, single: bool) -> HttpResponse:
    results = [_verdict(index, verdict) for index, verdict in enumerate(taken.verdicts)]
    body: dict[str, Any] = {**taken.counts, "late": taken.late, "results": results}
    first = taken.verdicts[0]
    if single and first.refused is not None:
        status = HTTPStatus.CONFLICT if first.status == CONFLICT else HTTPStatus.UNPROCESSABLE_ENTITY
        title = {"type": "about:blank", "title": first.refused.reason, "status": status, "code": first.refused.code}
        return HttpResponse(_encode({**title, **body}), status=status, content_type="application/problem+json")
    return HttpResponse(_encode(body), status=HTTPStatus.ACCEPTED, content_type="application/json")


def _verdict(index: int, verdict: Verdict) -> dict[str, Any]:
    found: dict[str, Any] = {"index": index, "status": verdict.status}
    if verdict.status == ACCEPTED:
        found["id"] = verdict.id
        if verdict.is_late:
            found["late"] = True
    elif verdict.status in (CONFLICT, REJECTED) and verdict.refused is not None:
        found |= {"code": verdict.refused.code, "reason": verdict.refused.reason}
        if verdict.refused.field:
            found["field"] = verdict.refused.field
    return found
