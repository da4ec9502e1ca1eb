"""Razorpay's entities as JSON. Amounts are integers in paise (minor units), times unix seconds."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
_ERRORS = ("error_code", "error_description", "error_source", "error_step", "error_reason")


def order(**known: Any) -> Json:
    return {
        "entity": "order",
        "amount_paid": 0,
        "amount_due": known["amount"],
        "offer_id": None,
        "status": "created",
        "attempts": 0,
        **known,
    }


def payment(order: Json, method: str, key: str, now: int) -> Json:
    """One try at an order, just begun."""
    return {
        "id": key,
        "entity": "payment",
        "amount": order["amount"],
        "currency": order["currency"],
        "base_amount": order["amount"],
        "status": "created",
        "order_id": order["id"],
        "invoice_id": None,
        "international": False,
        "method": method,
        "amount_refunded": 0,
        "amount_transferred": 0,
        "refund_status": None,
        "captured": False,
        "description": None,
        "card_id": f"card_{key[4:]}" if method == "card" else None,
        "bank": "HDFC" if method == "netbanking" else None,
        "wallet": None,
        "vpa": "payer@okaxis" if method == "upi" else None,
        "email": "payer@example.com",
        "contact": "+919900000000",
        "notes": order["notes"],
        "fee": None,
        "tax": None,
        **dict.fromkeys(_ERRORS),
        "acquirer_data": {},
        "created_at": now,
    }


def failed(payment: Json) -> None:
    payment.update(
        status="failed",
        error_code="BAD_REQUEST_ERROR",
        error_description="Your payment has been declined by the bank. Try another method.",
        error_source="bank",
        error_step="payment_authorization",
        error_reason="payment_failed",
    )


def authorized(payment: Json) -> None:
    payment.update(
        {"status": "authorized", "acquirer_data": {"auth_code": payment["id"][-6:]}, **dict.fromkeys(_ERRORS)}
    )


def captured(payment: Json) -> None:
    fee = payment["amount"] * 2 // 100
    payment.update(status="captured", captured=True, fee=fee + fee * 18 // 100, tax=fee * 18 // 100)


def refund(payment: Json, amount: int, status: str, **known: Any) -> Json:
    return {
        "entity": "refund",
        "amount": amount,
        "currency": payment["currency"],
        "payment_id": payment["id"],
        "notes": [],
        "receipt": None,
        "acquirer_data": {"arn": None},
        "batch_id": None,
        "status": status,
        "speed_processed": "normal",
        "speed_requested": "normal",
        **known,
    }


def dispute(payment: Json, amount: int, reason: str, key: str, now: int) -> Json:
    return {
        "id": key,
        "entity": "dispute",
        "payment_id": payment["id"],
        "amount": amount,
        "currency": payment["currency"],
        "amount_deducted": 0,
        "reason_code": reason,
        "reason_description": reason.replace("_", " ").capitalize(),
        "respond_by": now + 7 * 86400,
        "status": "open",
        "phase": "chargeback",
        "evidence": {"amount": amount, "summary": None, "submitted_at": None},
        "created_at": now,
    }
