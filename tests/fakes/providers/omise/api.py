"""Omise's API: the routes our product and its reconciliation use."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tests.fakes.providers.wire import Refused, Reply, Request, Route

from . import qr, shapes
from .money_back import MoneyBack

Json = dict[str, Any]
SMALLEST = 2000  # satang, cards
LARGEST = 15_000_000  # satang


def _one(shelf: dict[str, Json], key: str, what: str) -> Json:
    if key not in shelf:
        raise Refused(404, f"{what} {key} was not found", code="not_found")
    return shelf[key]


def _bad(message: str, code: str = "bad_request") -> Refused:
    return Refused(400, message, code=code)


def _whole(value: Any, name: str = "amount") -> int:
    if isinstance(value, bool) or not str(value).isascii() or not str(value).isdigit():
        raise _bad(f"{name} must be an integer", f"invalid_{name}" if name == "amount" else "bad_request")
    return int(value)


def _seconds(value: str) -> int:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _bad(f"{value} is not an ISO 8601 time") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _page(fake: MoneyBack, request: Request, things: Iterable[Json], location: str) -> Json:
    """``limit`` up to 100, ``offset``, ``from``, ``to``, ``order`` (chronological unless said)."""
    asked = request.query
    limit, offset = _whole(asked.get("limit", 20), "limit"), _whole(asked.get("offset", 0), "offset")
    order = asked.get("order", "chronological")
    begin, end = asked.get("from", shapes.EPOCH), asked.get("to", shapes.moment(fake.now() + 1))
    rows = [one for one in things if _seconds(begin) <= _seconds(one["created_at"]) <= _seconds(end)]
    if order == "reverse_chronological":
        rows.reverse()
    known = {"limit": limit, "offset": offset, "total": len(rows), "order": order, "from": begin, "to": end}
    page = copy.deepcopy(rows[offset : offset + min(limit, 100)])
    return shapes.listing(page, location, fake.now(), **known)


def _metadata(value: Any) -> Json:
    if value in (None, ""):
        return {}
    if not isinstance(value, dict):
        raise _bad("metadata must be an object")
    return value


def _money(fake: MoneyBack, params: Json, kind: str) -> tuple[int, str]:
    amount, currency = _whole(params.get("amount", "")), str(params.get("currency", "")).upper()
    if currency not in ("THB", "USD", "JPY", "SGD", "EUR", "GBP", "AUD", "HKD", "MYR", "CNY"):
        raise _bad("currency is currently not supported", "invalid_charge")
    if kind == "promptpay" and currency != "THB":
        raise _bad("currency must be THB for promptpay", "invalid_charge")
    least = fake.promptpay_minimum if kind == "promptpay" else SMALLEST
    if amount < least:
        raise _bad(f"amount must be greater than or equal to {least} satangs", "invalid_charge")
    if kind == "promptpay" and amount > LARGEST:
        raise _bad(f"amount must be less than or equal to {LARGEST} satangs", "invalid_charge")
    return amount, currency


def create_source(fake: MoneyBack, request: Request) -> Json:
    return copy.deepcopy(_new_source(fake, request.params))


def _new_source(fake: MoneyBack, params: Json) -> Json:
    kind = params.get("type")
    if not kind:
        raise _bad("type can't be blank")
    amount, currency = _money(fake, params, kind)
    source = shapes.source(fake.new_id("src"), kind, amount, currency, fake.live, fake.now())
    fake.sources[source["id"]] = source
    return source


def get_source(fake: MoneyBack, request: Request, key: str) -> Json:
    return copy.deepcopy(_one(fake.sources, key, "source"))


def _source_of(fake: MoneyBack, params: Json) -> Json | None:
    """The unused source a new charge names or describes; None for a card."""
    given = params.get("source")
    if not given and not params.get("card"):
        raise _bad("source or card is required", "invalid_charge")
    if isinstance(given, dict):
        return _new_source(fake, {"amount": params.get("amount"), "currency": params.get("currency"), **given})
    if not given:
        return None
    source = _one(fake.sources, given, "source")
    if source["charge_status"] != "unknown":
        raise _bad("source was already used", "invalid_charge")
    return source


def create_charge(fake: MoneyBack, request: Request) -> Json:
    params = request.params
    source = _source_of(fake, params)
    amount, currency = _money(fake, params, source["type"] if source else "card")
    if source and (source["amount"], source["currency"]) != (amount, currency):
        raise _bad("amount or currency does not match the source", "invalid_charge")
    ends = _seconds(params["expires_at"]) if params.get("expires_at") else None
    if ends is not None and ends <= fake.now():
        raise _bad("expires_at must be in the future")
    charge = fake.open_charge(
        amount=amount,
        currency=currency,
        source=source,
        card=None if source else shapes.card(fake.new_id("card"), fake.live, fake.now()),
        description=params.get("description"),
        metadata=_metadata(params.get("metadata")),
        return_uri=params.get("return_uri"),
        ip=params.get("ip"),
        ends=ends,
    )
    if not source or source["flow"] == "redirect":
        charge["authorize_uri"] = f"{fake.url}/pay/{charge['id']}"
        if not charge["return_uri"]:
            fake.pay(charge["id"])
    return copy.deepcopy(charge)


def list_charges(fake: MoneyBack, request: Request) -> Json:
    return _page(fake, request, fake.charges.values(), "/charges")


def get_charge(fake: MoneyBack, request: Request, key: str) -> Json:
    return copy.deepcopy(_one(fake.charges, key, "charge"))


def update_charge(fake: MoneyBack, request: Request, key: str) -> Json:
    charge, params = _one(fake.charges, key, "charge"), request.params
    if "description" in params:
        charge["description"] = params["description"]
    if "metadata" in params:
        charge["metadata"] = _metadata(params["metadata"])
    return copy.deepcopy(charge)


def expire_charge(fake: MoneyBack, request: Request, key: str) -> Json:
    charge = _one(fake.charges, key, "charge")
    if charge["status"] != "pending":
        raise _bad("charge is not pending", "failed_expire")
    fake.expire(key)
    return copy.deepcopy(charge)


def picture(fake: MoneyBack, request: Request, key: str, document: str, token: str) -> Reply:
    """The QR; whoever knows its address sees it."""
    charge = _one(fake.charges, key, "charge")
    code = (charge["source"] or {}).get("scannable_code")
    if not code or not code["image"]["download_uri"].endswith(f"/{document}/downloads/{token}"):
        raise Refused(404, "document was not found", code="not_found")
    return Reply(200, qr.svg(qr.text(key, charge["amount"])), {"Content-Type": "image/svg+xml"})


def create_refund(fake: MoneyBack, request: Request, key: str) -> Json:
    charge, params = _one(fake.charges, key, "charge"), request.params
    amount = _whole(params.get("amount", ""))
    return copy.deepcopy(fake.make_refund(charge, amount, _metadata(params.get("metadata"))))


def list_refunds(fake: MoneyBack, request: Request, key: str) -> Json:
    charge = _one(fake.charges, key, "charge")
    return _page(fake, request, charge["refunds"]["data"], f"/charges/{key}/refunds")


def get_refund(fake: MoneyBack, request: Request, key: str, part: str) -> Json:
    rows = _one(fake.charges, key, "charge")["refunds"]["data"]
    return copy.deepcopy(_one({one["id"]: one for one in rows}, part, "refund"))


def all_refunds(fake: MoneyBack, request: Request) -> Json:
    return _page(fake, request, fake.refunds.values(), "/refunds")


def create_link(fake: MoneyBack, request: Request) -> Json:
    params = request.params
    for name in ("title", "description"):
        if not params.get(name):
            raise _bad(f"{name} can't be blank", "invalid_link")
    amount, currency = _money(fake, params, "link")
    key = fake.new_id("link")
    link = shapes.link(
        key,
        fake.now(),
        amount=amount,
        currency=currency,
        description=params["description"],
        livemode=fake.live,
        multiple=str(params.get("multiple", "false")).lower() == "true",
        payment_uri=f"{fake.url}/l/{key}",
        title=params["title"],
    )
    fake.links[key] = link
    fake.emit("link.create", link)
    return copy.deepcopy(link)


def list_links(fake: MoneyBack, request: Request) -> Json:
    return _page(fake, request, fake.links.values(), "/links")


def get_link(fake: MoneyBack, request: Request, key: str) -> Json:
    return copy.deepcopy(_one(fake.links, key, "link"))


def charges_of_link(fake: MoneyBack, request: Request, key: str) -> Json:
    return _page(fake, request, _one(fake.links, key, "link")["charges"]["data"], f"/links/{key}/charges")


def delete_link(fake: MoneyBack, request: Request, key: str) -> Json:
    link = _one(fake.links, key, "link")
    link.update(deleted=True, used=True)
    return {"object": "link", "id": key, "livemode": link["livemode"], "deleted": True}


def list_disputes(fake: MoneyBack, request: Request) -> Json:
    return _page(fake, request, fake.disputes.values(), "/disputes")


def get_dispute(fake: MoneyBack, request: Request, key: str) -> Json:
    return copy.deepcopy(_one(fake.disputes, key, "dispute"))


def list_events(fake: MoneyBack, request: Request) -> Json:
    return _page(fake, request, [event.payload for event in fake.events], "/events")


def get_event(fake: MoneyBack, request: Request, key: str) -> Json:
    return copy.deepcopy(_one({event.id: event.payload for event in fake.events}, key, "event"))


def search(fake: MoneyBack, request: Request) -> Json:
    """``scope`` charge or link; ``query`` is looked for in id, title, description and metadata. Newest first."""
    asked = request.query
    scope, words = asked.get("scope", ""), str(asked.get("query", ""))
    shelves = {"charge": fake.charges, "link": fake.links, "dispute": fake.disputes}
    if scope not in shelves:
        raise _bad("scope is not supported", "invalid_filter")
    rows = [one for one in shelves[scope].values() if any(words in text for text in _texts(one))][::-1]
    per_page, page = _whole(asked.get("per_page", 30), "per_page"), _whole(asked.get("page", 1), "page")
    data = copy.deepcopy(rows[(page - 1) * per_page : page * per_page])
    pages = -(-len(rows) // per_page) if per_page else 0
    known = {"page": page, "per_page": per_page, "total": len(rows), "total_pages": pages, "location": "/search"}
    return {
        "object": "search",
        "order": "reverse_chronological",
        "scope": scope,
        "query": words,
        "filters": {},
        "data": data,
        **known,
    }


def _texts(thing: Json) -> list[str]:
    named = [thing.get(name) for name in ("id", "title", "description")]
    return [str(text) for text in [*named, *thing.get("metadata", {}).values()] if text]


KEY = r"/(?P<key>[^/]+)"
ROUTES = (
    Route("POST", "/sources", create_source),
    Route("GET", "/sources" + KEY, get_source),
    Route("POST", "/charges", create_charge),
    Route("GET", "/charges/?", list_charges),
    Route("GET", "/charges" + KEY, get_charge),
    Route("PATCH", "/charges" + KEY, update_charge),
    Route("POST", "/charges" + KEY + "/expire", expire_charge),
    Route("GET", "/charges" + KEY + "/documents/(?P<document>[^/]+)/downloads/(?P<token>[^/]+)", picture, public=True),
    Route("POST", "/charges" + KEY + "/refunds", create_refund),
    Route("GET", "/charges" + KEY + "/refunds", list_refunds),
    Route("GET", "/charges" + KEY + "/refunds/(?P<part>[^/]+)", get_refund),
    Route("GET", "/refunds/?", all_refunds),
    Route("POST", "/links", create_link),
    Route("GET", "/links/?", list_links),
    Route("GET", "/links" + KEY, get_link),
    Route("GET", "/links" + KEY + "/charges", charges_of_link),
    Route("DELETE", "/links" + KEY, delete_link),
    Route("GET", "/disputes/?", list_disputes),
    Route("GET", "/disputes" + KEY, get_dispute),
    Route("GET", "/events/?", list_events),
    Route("GET", "/events" + KEY, get_event),
    Route("GET", "/search", search),
)
