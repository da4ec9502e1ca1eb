"""Razorpay's API: the routes our product and its reconciliation use."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any

from tests.fakes.providers.wire import Refused, Request, Route

from . import shapes
from .money_back import MoneyBack

Json = dict[str, Any]


def _one(shelf: dict[str, Json], key: str) -> Json:
    if key not in shelf:
        raise Refused(400, "The id provided does not exist")
    return shelf[key]


def _amount(value: Any, least: int = 100) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"\d+", str(value)):
        raise Refused(400, "The amount must be an integer.", field="amount")
    if int(value) < least:
        raise Refused(400, "Order amount less than minimum amount allowed", field="amount")
    return int(value)


def _notes(value: Any) -> Any:
    """At most 15 pairs of 256 characters; none is an empty list, as the real one answers."""
    if not value:
        return []
    if not isinstance(value, dict) or len(value) > 15:
        raise Refused(400, "Number of fields in notes should be less than or equal to 15", field="notes")
    if any(len(str(text)) > 256 for text in value.values()):
        raise Refused(400, "Notes fields must be at most 256 characters", field="notes")
    return {name: str(text) for name, text in value.items()}


def _page(request: Request, things: Iterable[Json]) -> Json:
    """Newest first; ``from`` and ``to`` in unix seconds, ``count`` up to 100, ``skip``."""
    query = request.query
    try:
        begin, end = int(query.get("from", 0)), int(query.get("to", 2**40))
        count, skip = int(query.get("count", 10)), int(query.get("skip", 0))
    except ValueError:
        raise Refused(400, "from, to, count and skip must be integers.") from None
    if not 1 <= count <= 100:
        raise Refused(400, "The count must be between 1 and 100.", field="count")
    rows = [thing for thing in things if begin <= thing["created_at"] <= end][::-1][skip : skip + count]
    return {"entity": "collection", "count": len(rows), "items": copy.deepcopy(rows)}


def create_order(fake: MoneyBack, request: Request) -> Json:
    params = request.params
    for name in ("amount", "currency"):
        if name not in params:
            raise Refused(400, f"The {name} field is required.", field=name)
    receipt = params.get("receipt")
    if receipt is not None and len(str(receipt)) > 40:
        raise Refused(400, "The receipt may not be greater than 40 characters.", field="receipt")
    currency = str(params["currency"])
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise Refused(400, "Currency is not supported", field="currency")
    order = shapes.order(
        id=fake.new_id("order_"),
        amount=_amount(params["amount"]),
        currency=currency,
        receipt=receipt,
        notes=_notes(params.get("notes")),
        created_at=fake.now(),
    )
    fake.orders[order["id"]] = order
    if str(params.get("payment_capture", "0")).lower() in ("1", "true"):
        fake.auto_capture.add(order["id"])
    return copy.deepcopy(order)


def list_orders(fake: MoneyBack, request: Request) -> Json:
    receipt = request.query.get("receipt")
    return _page(request, [one for one in fake.orders.values() if receipt in (None, one["receipt"])])


def get_order(fake: MoneyBack, request: Request, key: str) -> Json:
    return copy.deepcopy(_one(fake.orders, key))


def payments_of_order(fake: MoneyBack, request: Request, key: str) -> Json:
    _one(fake.orders, key)
    return _page(request, [one for one in fake.payments.values() if one["order_id"] == key])


def list_payments(fake: MoneyBack, request: Request) -> Json:
    return _page(request, fake.payments.values())


def get_payment(fake: MoneyBack, request: Request, key: str) -> Json:
    return copy.deepcopy(_one(fake.payments, key))


def capture(fake: MoneyBack, request: Request, key: str) -> Json:
    payment, params = _one(fake.payments, key), request.params
    if payment["captured"]:
        raise Refused(400, "This payment has already been captured")
    if payment["status"] != "authorized":
        raise Refused(400, "Only payments which have been authorized and not yet captured can be captured")
    if "amount" not in params:
        raise Refused(400, "The amount field is required.", field="amount")
    if _amount(params["amount"], 0) != payment["amount"]:
        raise Refused(400, "Capture amount must be equal to the amount authorized", field="amount")
    if params.get("currency", payment["currency"]) != payment["currency"]:
        raise Refused(400, "Currency does not match the authorized currency", field="currency")
    fake.take(payment)
    return copy.deepcopy(payment)


def refund(fake: MoneyBack, request: Request, key: str) -> Json:
    payment, params = _one(fake.payments, key), request.params
    amount = _amount(params["amount"], 1) if "amount" in params else None
    known = {"notes": _notes(params.get("notes")), "receipt": params.get("receipt")}
    if params.get("speed") in ("normal", "optimum"):
        known["speed_requested"] = params["speed"]
    return copy.deepcopy(fake.make_refund(payment, amount, **known))


def refunds_of_payment(fake: MoneyBack, request: Request, key: str) -> Json:
    _one(fake.payments, key)
    return _page(request, [one for one in fake.refunds.values() if one["payment_id"] == key])


def refund_of_payment(fake: MoneyBack, request: Request, key: str, part: str) -> Json:
    found = _one(fake.refunds, part)
    return copy.deepcopy(_one({found["payment_id"]: found}, key))


def list_refunds(fake: MoneyBack, request: Request) -> Json:
    return _page(request, fake.refunds.values())


def get_refund(fake: MoneyBack, request: Request, key: str) -> Json:
    return copy.deepcopy(_one(fake.refunds, key))


def list_disputes(fake: MoneyBack, request: Request) -> Json:
    return _page(request, fake.disputes.values())


def get_dispute(fake: MoneyBack, request: Request, key: str) -> Json:
    return copy.deepcopy(_one(fake.disputes, key))


KEY = r"/(?P<key>[^/]+)"
ROUTES = (
    Route("POST", "/v1/orders/?", create_order),
    Route("GET", "/v1/orders/?", list_orders),
    Route("GET", "/v1/orders" + KEY, get_order),
    Route("GET", "/v1/orders" + KEY + "/payments", payments_of_order),
    Route("GET", "/v1/payments/?", list_payments),
    Route("GET", "/v1/payments" + KEY, get_payment),
    Route("POST", "/v1/payments" + KEY + "/capture", capture),
    Route("POST", "/v1/payments" + KEY + "/refund", refund),
    Route("GET", "/v1/payments" + KEY + "/refunds", refunds_of_payment),
    Route("GET", "/v1/payments" + KEY + "/refunds/(?P<part>[^/]+)", refund_of_payment),
    Route("GET", "/v1/refunds/?", list_refunds),
    Route("GET", "/v1/refunds" + KEY, get_refund),
    Route("GET", "/v1/disputes/?", list_disputes),
    Route("GET", "/v1/disputes" + KEY, get_dispute),
)
