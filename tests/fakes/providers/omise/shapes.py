"""Omise's objects as JSON, version 2019-05-29. Amounts are integers in satang, currencies upper case, times ISO 8601."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
VERSION = "2019-05-29"
EPOCH = "1970-01-01T00:00:00Z"
_CHARGE_NULLS = [
    "approval_code",
    "authorize_uri",
    "branch",
    "card",
    "customer",
    "device",
    "dispute",
    "failure_code",
    "failure_message",
    "ip",
    "link",
    "merchant_advice",
    "merchant_advice_code",
    "missing_3ds_fields",
    "paid_at",
    "expired_at",
    "return_uri",
    "reversed_at",
    "schedule",
    "source",
    "terminal",
    "transaction",
    "zero_interest_installments",
    "authorization_type",
    "description",
]
_SOURCE_NULLS = [
    "absorption_type",
    "bank",
    "barcode",
    "email",
    "installment_term",
    "ip",
    "mobile_number",
    "name",
    "phone_number",
    "platform_type",
    "provider_references",
    "receipt_amount",
    "references",
    "scannable_code",
    "store_id",
    "store_name",
    "terminal_id",
    "zero_interest_installments",
]
RATES = {"promptpay": "1.65", "card": "3.65"}


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def listing(rows: Iterable[Json], location: str, now: int, **page: Any) -> Json:
    """A list inside an object, or a page of one: ``total`` counts what there is, ``data`` is what was asked for."""
    data = list(rows)
    known = {"limit": 20, "offset": 0, "total": len(data), "order": "chronological", "from": EPOCH, "to": moment(now)}
    return {"object": "list", "data": data, "location": location, **known, **page}


def source(key: str, kind: str, amount: int, currency: str, live: bool, now: int) -> Json:
    flow = "offline" if kind == "promptpay" else "redirect"
    return {
        "object": "source",
        "id": key,
        "livemode": live,
        "location": f"/sources/{key}",
        **dict.fromkeys(_SOURCE_NULLS),
        "amount": amount,
        "charge_status": "unknown",
        "created_at": moment(now),
        "currency": currency,
        "discounts": [],
        "flow": flow,
        "items": [],
        "type": kind,
    }


def scannable(charge_id: str, document: str, token: str, live: bool, now: int, base: str) -> Json:
    """Where the QR picture of a charge is; the picture needs no key, as at Omise."""
    path = f"/charges/{charge_id}/documents/{document}"
    return {
        "object": "barcode",
        "type": "qr",
        "image": {
            "object": "document",
            "livemode": live,
            "id": document,
            "deleted": False,
            "filename": "qrcode.svg",
            "location": path,
            "kind": "qr",
            "download_uri": f"{base}{path}/downloads/{token}",
            "created_at": moment(now),
        },
        "raw_data": None,
    }


def card(key: str, live: bool, now: int) -> Json:
    return {
        "object": "card",
        "id": key,
        "livemode": live,
        "location": None,
        "deleted": False,
        "bank": "Test Bank",
        "brand": "Visa",
        "country": "th",
        "created_at": moment(now),
        "expiration_month": 12,
        "expiration_year": 2034,
        "financing": "credit",
        "last_digits": "4242",
        "name": "Test Payer",
        "security_code_check": True,
    }


def charge(key: str, now: int, **known: Any) -> Json:
    """A charge just made: pending."""
    fresh = {
        "object": "charge",
        "id": key,
        "location": f"/charges/{key}",
        **dict.fromkeys(_CHARGE_NULLS),
        "status": "pending",
        "authorized": False,
        "authorized_amount": known["amount"],
        "can_perform_void": False,
        "capturable": False,
        "capture": True,
        "captured_amount": 0,
        "created_at": moment(now),
        "discount_amount": 0,
        "discounts": [],
        "disputable": False,
        "expired": False,
        "fee": 0,
        "fee_vat": 0,
        "funding_amount": known["amount"],
        "funding_currency": known["currency"],
        "interest": 0,
        "interest_vat": 0,
        "net": known["amount"],
        "original_amount": known["amount"],
        "paid": False,
        "partially_refundable": False,
        "platform_fee": {"fixed": None, "amount": None, "percentage": None},
        "refundable": False,
        "refunded_amount": 0,
        "refunds": listing([], f"/charges/{key}/refunds", now),
        "reversed": False,
        "reversible": False,
        "transaction_fees": {"fee_flat": "0.0", "fee_rate": "3.65", "vat_rate": "7.0"},
        "voided": False,
    }
    return fresh | known


def link(key: str, now: int, **known: Any) -> Json:
    return {
        "object": "link",
        "id": key,
        "location": f"/links/{key}",
        "deleted": False,
        "used": False,
        "used_at": None,
        "multiple": False,
        "created_at": moment(now),
        "charges": listing([], f"/links/{key}/charges", now),
        **known,
    }


def refund(key: str, charge: Json, amount: int, status: str, now: int, metadata: Json) -> Json:
    """``status`` "pending" or "closed"; "failed" is ours, for money that came back."""
    return {
        "object": "refund",
        "id": key,
        "location": f"/charges/{charge['id']}/refunds/{key}",
        "amount": amount,
        "approval_code": None,
        "charge": charge["id"],
        "created_at": moment(now),
        "currency": charge["currency"],
        "funding_amount": amount,
        "funding_currency": charge["currency"],
        "livemode": charge["livemode"],
        "metadata": metadata,
        "status": status,
        "transaction": key.replace("rfnd_", "trxn_") if status == "closed" else None,
        "voided": False,
    }


def dispute(key: str, charge: Json, amount: int, reason: str, now: int) -> Json:
    return {
        "object": "dispute",
        "id": key,
        "livemode": charge["livemode"],
        "location": f"/disputes/{key}",
        "admin_message": None,
        "amount": amount,
        "charge": charge["id"],
        "closed_at": None,
        "created_at": moment(now),
        "currency": charge["currency"],
        "documents": listing([], f"/disputes/{key}/documents", now),
        "funding_amount": amount,
        "funding_currency": charge["currency"],
        "message": None,
        "metadata": {},
        "reason_code": reason,
        "reason_message": reason.replace("_", " ").capitalize(),
        "status": "open",
        "transactions": [],
    }
