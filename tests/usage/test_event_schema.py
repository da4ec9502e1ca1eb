"""What is read of JSON as an event: a name that stands twice in an object is never passed over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from usage.events import schema
from usage.events.schema import Event, Refused, read_many, read_one, standing_twice

EVENT = '"metric_name":"a","idempotency_key":"k","timestamp":"2026-11-27T10:15:00+07:00"'


def event(more: str = "") -> bytes:
    return f"{{{EVENT}{more}}}".encode()


@pytest.mark.parametrize(
    ("more", "name"),
    [
        (',"metric_value":1,"metric_value":5', "metric_value"),
        (',"metric_value":5,"metric_value":5', "metric_value"),
        (',"unit":"","unit"  \n :""', "unit"),
        (',"unit":"","\\u0075nit":""', "unit"),
        (',"unit":"","unit":"","model":"\\u003a"', "unit"),
        (',"model":"\\u003A","unit":"a","unit":"b"', "unit"),
        (',"metadata":{"a":1,"b":2,"a":3}', "a"),
        (',"metadata":{"":1,"":3}', ""),
        (',"metadata":{"a":[{"x":1},{"y":{"z":1,"z":2}}]}', "z"),
        (',"metadata":{"a":1},"metadata":{"a":1}', "metadata"),
        (',"metric_value":1e999,"metadata":{"n":1,"m":1,"m":2}', "m"),
        (f',"metric_value":{"9" * 5000},"metadata":{{"m":1,"m":2}}', "m"),
        (',"metadata":{"ก":1,"ก":2}', "ก"),
    ],
)
def test_a_name_that_stands_twice_is_refused_and_named(more: str, name: str) -> None:
    found = read_one(event(more), cloud=False)
    assert isinstance(found, Refused)
    assert (found.code, found.field, f"{name!r} stands twice" in found.reason) == ("invalid", name, True)
    many = read_many(b"[" + event() + b"," + event(more) + b"]", cloud=False, most=9)
    assert [type(each) for each in many] == [Event, Refused]


@pytest.mark.parametrize(
    "more",
    [
        "",
        ',"model":":","unit":"\\":"',
        ',"model":"\\u003a"',
        ',"error_message":"{\\"a\\":1,\\"a\\":2}"',
        ',"metadata":{"a:b":":","\\"":1,":":{"a":1},"b":{"a":1},"c":[{"a":1},{"a":1}]}',
        ',"metric_value":1e999',
        f',"metric_value":{"9" * 5000}',
        ',"metadata":{"n":12345678901234567890123456789}',
    ],
)
def test_what_only_looks_like_it_is_taken(more: str) -> None:
    assert isinstance(read_one(event(more), cloud=False), Event)
    assert read_many(b"[" + event(more) + b"," + event(more) + b"]", cloud=False, most=9) != []


def test_a_cloud_event_too() -> None:
    whole = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "time": "2026-11-27T10:15:00Z", "data": {}}
    text = json.dumps(whole)
    assert isinstance(read_one(text.encode(), cloud=True), Event)
    for twice in (text.replace("{}", '{"unit":"a","unit":"b"}'), text.replace('"id"', '"id": "0", "id"')):
        for cloud in (True, False):
            assert isinstance(read_one(twice.encode(), cloud=cloud), Refused)


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ('"k"', '"k\\u0000"', "idempotency_key", "control characters are not allowed"),
        ("}", ',"unit":"a\\n"}', "unit", "control characters are not allowed"),
        ("}", ',"unit":"THB\\u202e"}', "unit", "control characters are not allowed"),
        ("}", ',"model":"a\\u2028b"}', "model", "control characters are not allowed"),
        ("}", ',"model":"\\u007f"}', "model", "control characters are not allowed"),
        ('"a"', '"-a"', "metric_name", "letters"),
    ],
)
def test_what_is_not_allowed_is_said_in_words(old: str, new: str, field: str, words: str) -> None:
    found = read_one(event().replace(old.encode(), new.encode(), 1), cloud=False)
    assert isinstance(found, Refused)
    assert (found.field, words in found.reason, "regex" in found.reason) == (field, True, False)


def test_usual_bodies_are_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """That takes as long as all the rest of reading them."""

    def slow(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(schema.json, "loads", slow)
    written = json.dumps([{"a": 1.5, "b": 'ก: "x": é', "c": {"d": [1, None, True, "10:15"]}}] * 3)
    assert standing_twice(written.encode()) is None
