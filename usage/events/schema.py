"""What an event looks like when it is sent: our own form, and CloudEvents 1.0 in JSON. Compiled by msgspec.

Numbers with a point are read as decimals, never as floats. Unknown fields are errors, but in a CloudEvent, where
extensions are allowed. A name that stands twice in one object is an error: msgspec would keep the last value. No Django
here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

NAME = r"^[A-Za-z0-9][A-Za-z0-9._:/-]*\Z"
# As in core.lines: control characters, breaks of lines, marks after which the writing goes another way.
_UNSEEN = r"\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069"
PRINTABLE = rf"^[^{_UNSEEN}]+\Z"
_LINE = rf"^[^{_UNSEEN}]*\Z"
LARGEST_EXPONENT = 60
TOO_MANY = "$too_many"
_IN_WORDS = {  # what msgspec says with a pattern
    NAME: "only letters of a to z, digits and . _ : / - are allowed, and a letter or digit comes first",
    PRINTABLE: "control characters are not allowed",
    _LINE: "control characters are not allowed",
}

MetricName = Annotated[str, Meta(min_length=1, max_length=120, pattern=NAME)]
Key = Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTABLE)]
Line = Annotated[str, Meta(max_length=255, pattern=_LINE)]
Unit = Annotated[str, Meta(max_length=40, pattern=_LINE)]
Moment = Annotated[datetime, Meta(tz=True)]
Tokens = Annotated[int, Meta(ge=0, le=10**12)]


class Facts(Struct, kw_only=True, forbid_unknown_fields=True):
    """What both forms share. ``metric_value`` is a JSON number or decimal text, checked in ``checking``."""

    metric_value: msgspec.Raw = msgspec.Raw(b"1")
    unit: Unit = ""
    metadata: dict[str, Any] | None = None
    project: UUID | None = None
    subscription: UUID | None = None
    reservation: UUID | None = None
    model: Line = ""
    request_tokens: Tokens | None = None
    response_tokens: Tokens | None = None
    cached_tokens: Tokens | None = None
    reasoning_tokens: Tokens | None = None
    latency_ms: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    status_code: Annotated[int, Meta(ge=100, le=599)] | None = None
    error_message: Annotated[str, Meta(max_length=500)] | None = None


class Event(Facts, kw_only=True, forbid_unknown_fields=True):
    metric_name: MetricName
    idempotency_key: Key
    timestamp: Moment


class CloudEvent(Struct, kw_only=True):
    """https://github.com/cloudevents/spec (1.0): ``type`` is the metric; ``source`` and ``id`` together identify it."""

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(min_length=1, max_length=120, pattern=PRINTABLE)]
    source: Annotated[str, Meta(min_length=1, max_length=79, pattern=PRINTABLE)]
    type: MetricName
    time: Moment
    subject: Line | None = None
    data: Facts | None = None

    def as_event(self) -> Event:
        data = self.data or Facts()
        fields = {name: getattr(data, name) for name in Facts.__struct_fields__}
        if self.subject:
            fields["metadata"] = {**(data.metadata or {}), "subject": self.subject}
        return Event(
            metric_name=self.type,
            idempotency_key=f"{_without_mark(self.source)}#{self.id}",
            timestamp=self.time,
            **fields,
        )


def _without_mark(source: str) -> str:
    """So that the mark between source and id is the first one: no two pairs make the same key."""
    return source.replace("%", "%25").replace("#", "%23")


class Malformed(ValueError):
    """The body is not JSON that can be read."""


class Refused(Struct, frozen=True):
    """Why one item was not taken: ``code`` is API, ``reason`` is English for whoever wrote the client."""

    code: str
    reason: str
    field: str = ""


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if abs(value.adjusted()) > LARGEST_EXPONENT:
        raise ValueError("a number is too large or too small")
    return value


_event = msgspec.json.Decoder(Event, float_hook=_decimal)
_events = msgspec.json.Decoder(list[Event], float_hook=_decimal)
_cloud_event = msgspec.json.Decoder(CloudEvent, float_hook=_decimal)
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_anything = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode
_PATH = re.compile(r" - at `\$\.?([A-Za-z_.\[\]0-9]*)`")
_REASONS = {f"Expected `str` matching regex {pattern!r}": words for pattern, words in _IN_WORDS.items()}
_MISSING = re.compile(r"(?:missing required|contains unknown) field `([^`]*)`")


def read_many(body: bytes, *, cloud: bool, most: int) -> list[Event | Refused]:
    """A JSON array of events. Raises ``Malformed``; an item that is not an event is ``Refused``, the others stand."""
    found = None if cloud else _all_right(body)
    if found is not None:
        return list(found) if len(found) <= most else [Refused(TOO_MANY, str(len(found)))]
    try:
        items = _raws.decode(body)
    except msgspec.DecodeError as error:
        raise Malformed(str(error)) from error
    if len(items) > most:
        return [Refused(TOO_MANY, str(len(items)))]
    return [read_one(bytes(item), cloud=cloud) for item in items]


def _all_right(body: bytes) -> list[Event] | None:
    """The events; None where some item is wrong, and each has to be looked at by itself. Raises ``Malformed``."""
    try:
        found = _events.decode(body)
    except msgspec.ValidationError:
        return None
    except msgspec.DecodeError as error:
        raise Malformed(str(error)) from error
    return found if standing_twice(body) is None else None


def read_one(body: bytes, *, cloud: bool) -> Event | Refused:
    """One JSON object. Raises ``Malformed``."""
    try:
        event = _cloud_event.decode(body).as_event() if cloud else _event.decode(body)
    except msgspec.ValidationError as error:
        if not cloud and b'"specversion"' in body:
            return read_one(body, cloud=True)
        return _refusal(error)
    except msgspec.DecodeError as error:
        raise Malformed(str(error)) from error
    twice = standing_twice(body)
    if twice is None:
        return event
    return Refused("invalid", f"the name {twice!r} stands twice in one object", twice if twice.isprintable() else "")


class _Twice(Exception):
    pass


def standing_twice(body: bytes) -> str | None:
    """The beginning of a name that stands twice in an object of this JSON, which msgspec has read already."""
    if not _has_all_its_names(body):
        try:
            # Numbers are of no interest here, and may have more digits than an int of Python takes.
            json.loads(body, object_pairs_hook=_names, parse_int=len, parse_float=len)
        except _Twice as twice:
            return str(twice)[:40]
    return None


def _has_all_its_names(body: bytes) -> bool:
    """True where every name and value is still there once the JSON was read and written, which loses one of two.

    Each name brings a colon, and those in texts stay as they are, if they are not written as an escape. Other bodies
    have to be looked through, which takes twice as long.
    """
    if b"\\u003" in body:
        return False
    try:
        return _encode(_anything.decode(body)).count(b":") == body.count(b":")
    except (msgspec.MsgspecError, OverflowError):  # numbers that only a decimal holds
        return False


def _names(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) < len(pairs):
        raise _Twice(Counter(name for name, _value in pairs).most_common(1)[0][0])


def _refusal(error: msgspec.ValidationError) -> Refused:
    text = str(error)
    at = _PATH.search(text)
    name = _MISSING.search(text)
    field = ".".join(part for part in ((at[1] if at else ""), (name[1] if name else "")) if part)
    reason = text.split(" - at ", maxsplit=1)[0]
    return Refused("invalid", _REASONS.get(reason, reason), field)
