"""Stripe's API: the routes our product and its reconciliation use."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from tests.fakes.providers.wire import Refused, Request, Route

from . import checks, shapes
from .money_back import MoneyBack

Json = dict[str, Any]


def _one(shelf: dict[str, Json], key: str, what: str) -> Json:
    if key not in shelf:
        raise checks.invalid(f"No such {what}: '{key}'", "id", "resource_missing", 404)
    return shelf[key]


def _page(fake: MoneyBack, request: Request, things: Iterable[Json], url: str) -> Json:
    """Newest first; ``created[gte]`` and friends, ``limit``, ``starting_after``, ``ending_before``."""
    query = request.query
    limit = checks.integer(query.get("limit", 10), "limit", 1)
    if limit > 100:
        raise checks.invalid("Limit is at most 100.", "limit")
    rows = [thing for thing in things if _in_time(thing, query.get("created"))][::-1]
    names = [row["id"] for row in rows]
    for name in ("starting_after", "ending_before"):
        if name in query and query[name] not in names:
            raise checks.invalid(f"No such object: '{query[name]}'", name, "resource_missing")
    if "starting_after" in query:
        rows = rows[names.index(query["starting_after"]) + 1 :]
    if "ending_before" in query:
        rows = rows[: names.index(query["ending_before"])][-limit:]
    paths = [str(path).removeprefix("data.") for path in query.get("expand") or []]
    data = [_expanded(fake, paths, row) for row in rows[:limit]]
    return {"object": "list", "url": url, "has_more": len(rows) > limit, "data": data}


def _in_time(thing: Json, bounds: Any) -> bool:
    if bounds is None:
        return True
    bounds = bounds if isinstance(bounds, dict) else {"gte": bounds, "lte": bounds}
    tests = {"gte": int.__ge__, "gt": int.__gt__, "lte": int.__le__, "lt": int.__lt__}
    return all(tests[name](thing["created"], checks.integer(value, "created")) for name, value in bounds.items())


def _matching(request: Request, things: Iterable[Json], *names: str) -> list[Json]:
    wanted = {name: request.query[name] for name in names if name in request.query}
    return [thing for thing in things if all(thing[name] == value for name, value in wanted.items())]


def _expanded(fake: MoneyBack, paths: Iterable[str], thing: Json) -> Json:
    """``expand[]=payment_intent.latest_charge``: names give way to what they name."""
    shelves = {"payment_intent": fake.intents, "latest_charge": fake.charges, "charge": fake.charges}
    whole = copy.deepcopy(thing)
    for path in paths:
        node: Any = whole
        for name in path.split("."):
            if name not in shelves or name not in node:
                raise checks.invalid(f"This property cannot be expanded ({name}).", "expand")
            if isinstance(node[name], str):
                node[name] = copy.deepcopy(shelves[name][node[name]])
            node = node[name]
            if node is None:
                break
    return whole


def _shown(fake: MoneyBack, request: Request, thing: Json) -> Json:
    return _expanded(fake, [str(path) for path in request.params.get("expand") or []], thing)


def create_session(fake: MoneyBack, request: Request) -> Json:
    params, now = request.params, fake.now()
    checks.new_session(params)
    amount, currency = checks.total(params)
    checks.limits(amount, currency)
    metadata = checks.metadata(params.get("metadata"))
    inner = (params.get("payment_intent_data") or {}).get("metadata")
    passed_on = checks.metadata(inner, "payment_intent_data[metadata]")
    key = fake.new_id("cs_live_a1" if fake.live else "cs_test_a1", 56)
    names = ("client_reference_id", "cancel_url", "customer_email", "locale", "submit_type")
    session = shapes.session(
        id=key,
        amount_subtotal=amount,
        amount_total=amount,
        created=now,
        currency=currency,
        expires_at=checks.expiry(params, now),
        livemode=fake.live,
        metadata=metadata,
        payment_method_types=checks.methods(params, currency),
        success_url=params["success_url"],
        url=f"{fake.url}/c/pay/{key}",
        **{name: params[name] for name in names if name in params},
    )
    fake.sessions[key] = session
    fake.intent_metadata[key] = passed_on
    return _shown(fake, request, session)


def get_session(fake: MoneyBack, request: Request, key: str) -> Json:
    return _shown(fake, request, _one(fake.sessions, key, "checkout.session"))


def list_sessions(fake: MoneyBack, request: Request) -> Json:
    rows = _matching(request, fake.sessions.values(), "payment_intent", "status")
    return _page(fake, request, rows, "/v1/checkout/sessions")


def expire_session(fake: MoneyBack, request: Request, key: str) -> Json:
    session = _one(fake.sessions, key, "checkout.session")
    if session["status"] != "open":
        text = 'Only Checkout Sessions with a status in ["open"] can be expired.'
        raise Refused(400, f"{text} This Checkout Session has a status of {session['status']}.", stored=True)
    fake.expire(key)
    return copy.deepcopy(session)


def get_intent(fake: MoneyBack, request: Request, key: str) -> Json:
    return _shown(fake, request, _one(fake.intents, key, "payment_intent"))


def get_charge(fake: MoneyBack, request: Request, key: str) -> Json:
    return _shown(fake, request, _one(fake.charges, key, "charge"))


def list_charges(fake: MoneyBack, request: Request) -> Json:
    return _page(fake, request, _matching(request, fake.charges.values(), "payment_intent"), "/v1/charges")


def create_refund(fake: MoneyBack, request: Request) -> Json:
    params = request.params
    if "charge" not in params and "payment_intent" not in params:
        raise checks.invalid("One of the following params should be provided: charge, payment_intent.")
    if "charge" in params:
        charge = _one(fake.charges, params["charge"], "charge")
    else:
        intent = _one(fake.intents, params["payment_intent"], "payment_intent")
        if intent["status"] != "succeeded":
            raise checks.invalid(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.", stored=True
            )
        charge = fake.charges[intent["latest_charge"]]
    amount = checks.integer(params["amount"], "amount", 1) if "amount" in params else None
    reason = params.get("reason")
    if reason not in (None, "duplicate", "fraudulent", "requested_by_customer"):
        raise checks.invalid("Invalid reason", "reason")
    known = {"metadata": checks.metadata(params.get("metadata")), "reason": reason}
    if params.get("instructions_email"):
        known["instructions_email"] = params["instructions_email"]
    return _shown(fake, request, fake.make_refund(charge, amount, **known))


def get_refund(fake: MoneyBack, request: Request, key: str) -> Json:
    return _shown(fake, request, _one(fake.refunds, key, "refund"))


def list_refunds(fake: MoneyBack, request: Request) -> Json:
    return _page(fake, request, _matching(request, fake.refunds.values(), "payment_intent", "charge"), "/v1/refunds")


def get_dispute(fake: MoneyBack, request: Request, key: str) -> Json:
    return _shown(fake, request, _one(fake.disputes, key, "dispute"))


def list_disputes(fake: MoneyBack, request: Request) -> Json:
    return _page(fake, request, _matching(request, fake.disputes.values(), "payment_intent", "charge"), "/v1/disputes")


def get_event(fake: MoneyBack, request: Request, key: str) -> Json:
    return copy.deepcopy(_one({event.id: event.payload for event in fake.events}, key, "event"))


def list_events(fake: MoneyBack, request: Request) -> Json:
    """``type``, ``types[]``, ``delivery_success``: whether a webhook call got its 2xx."""
    query, events = request.query, fake.events
    kinds = query.get("types") or ([query["type"]] if "type" in query else [])
    if kinds:
        events = [event for event in events if any(_kind(event.type, kind) for kind in kinds)]
    if "delivery_success" in query:
        events = [event for event in events if event.delivered == (query["delivery_success"] == "true")]
    return _page(fake, request, [event.payload for event in events], "/v1/events")


def _kind(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


KEY = r"/(?P<key>[^/]+)"
ROUTES = (
    Route("POST", "/v1/checkout/sessions", create_session),
    Route("GET", "/v1/checkout/sessions", list_sessions),
    Route("GET", "/v1/checkout/sessions" + KEY, get_session),
    Route("POST", "/v1/checkout/sessions" + KEY + "/expire", expire_session),
    Route("GET", "/v1/payment_intents" + KEY, get_intent),
    Route("GET", "/v1/charges", list_charges),
    Route("GET", "/v1/charges" + KEY, get_charge),
    Route("POST", "/v1/refunds", create_refund),
    Route("GET", "/v1/refunds", list_refunds),
    Route("GET", "/v1/refunds" + KEY, get_refund),
    Route("GET", "/v1/disputes", list_disputes),
    Route("GET", "/v1/disputes" + KEY, get_dispute),
    Route("GET", "/v1/events", list_events),
    Route("GET", "/v1/events" + KEY, get_event),
)
