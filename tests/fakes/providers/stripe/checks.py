"""What Stripe refuses in a new Checkout Session, in its words."""

from __future__ import annotations

from typing import Any

from tests.fakes.providers.wire import Refused

Json = dict[str, Any]
# Smallest charge by currency, minor units; other currencies: 50.
MINIMUM = {"thb": 1000, "gbp": 30, "jpy": 50, "hkd": 400, "mxn": 1000, "myr": 200, "sek": 300, "dkk": 250, "nok": 300}
THAI_ONLY = ("promptpay",)
KNOWN_METHODS = {"card", "promptpay", "link", "alipay", "wechat_pay", "paynow", "grabpay", "customer_balance"}
KNOWN = {
    "adaptive_pricing",
    "after_expiration",
    "allow_promotion_codes",
    "allowed_payment_method_types",
    "automatic_tax",
    "billing_address_collection",
    "branding_settings",
    "cancel_url",
    "client_reference_id",
    "consent_collection",
    "currency",
    "custom_fields",
    "custom_text",
    "customer",
    "customer_account",
    "customer_creation",
    "customer_email",
    "customer_update",
    "discounts",
    "excluded_payment_method_types",
    "expand",
    "expires_at",
    "invoice_creation",
    "line_items",
    "locale",
    "metadata",
    "mode",
    "name_collection",
    "optional_items",
    "origin_context",
    "payment_intent_data",
    "payment_method_collection",
    "payment_method_configuration",
    "payment_method_data",
    "payment_method_options",
    "payment_method_types",
    "permissions",
    "phone_number_collection",
    "redirect_on_completion",
    "return_url",
    "saved_payment_method_options",
    "shipping_address_collection",
    "shipping_options",
    "submit_type",
    "success_url",
    "tax_id_collection",
    "ui_mode",
    "wallet_options",
}


def invalid(message: str, param: str | None = None, code: str | None = None, status: int = 400, **more: Any) -> Refused:
    stored = more.pop("stored", False)
    return Refused(status, message, stored=stored, type="invalid_request_error", param=param, code=code, **more)


def missing(param: str) -> Refused:
    return invalid(f"Missing required param: {param}.", param, "parameter_missing")


def integer(value: Any, param: str, least: int = 0) -> int:
    text = str(value)
    if not (text.isascii() and text.lstrip("-").isdigit()):
        raise invalid(f"Invalid integer: {text}", param, "parameter_invalid_integer")
    if int(text) < least:
        raise invalid(f"This value must be greater than or equal to {least}.", param, "parameter_invalid_integer")
    return int(text)


def metadata(value: Any, param: str = "metadata") -> dict[str, str]:
    """At most 50 pairs, names of 40 and values of 500 characters; empty values are dropped as unset."""
    if not value:
        return {}
    if not isinstance(value, dict):
        raise invalid("Invalid object", param)
    if len(value) > 50:
        raise invalid("Metadata can have at most 50 keys.", param)
    for name, text in value.items():
        if len(name) > 40:
            raise invalid(f"Metadata keys must be under 40 characters long. {name!r} is longer.", param)
        if len(str(text)) > 500:
            raise invalid("Metadata values can have up to 500 characters.", f"{param}[{name}]")
    return {name: str(text) for name, text in value.items() if text != ""}


def total(params: Json) -> tuple[int, str]:
    """Sum and currency of the line items."""
    items = params.get("line_items")
    if not items or not isinstance(items, list):
        raise missing("line_items")
    lines = [_line(item, f"line_items[{number}]") for number, item in enumerate(items)]
    if len({currency for _, currency in lines}) > 1:
        raise invalid("All line items must have the same currency.", "line_items")
    return sum(amount for amount, _ in lines), lines[0][1]


def _line(item: Json, at: str) -> tuple[int, str]:
    price = item.get("price_data")
    if not isinstance(price, dict):
        raise missing(f"{at}[price_data]")
    for name in ("currency", "unit_amount"):
        if name not in price:
            raise missing(f"{at}[price_data][{name}]")
    if not (price.get("product_data") or {}).get("name") and not price.get("product"):
        raise missing(f"{at}[price_data][product_data][name]")
    if "quantity" not in item:
        raise missing(f"{at}[quantity]")
    unit = integer(price["unit_amount"], f"{at}[price_data][unit_amount]")
    return unit * integer(item["quantity"], f"{at}[quantity]", 1), str(price["currency"]).lower()


def limits(amount: int, currency: str) -> None:
    least = MINIMUM.get(currency, 50)
    if amount < least:
        text = f"The Checkout Session's total amount due must add up to at least {least / 100:.2f} {currency}"
        raise invalid(text, code="amount_too_small")
    if amount > 99_999_999:
        raise invalid("The Checkout Session's total amount must be no more than 999,999.99", code="amount_too_large")


def methods(params: Json, currency: str) -> list[str]:
    """Named payment methods, or those the account offers for this currency."""
    named = params.get("payment_method_types")
    if not named:
        return ["card", "promptpay"] if currency == "thb" else ["card"]
    for number, method in enumerate(named):
        if method not in KNOWN_METHODS:
            raise invalid(f"Invalid payment_method_types[{number}]: {method}", f"payment_method_types[{number}]")
        if method in THAI_ONLY and currency != "thb":
            text = f"The currency provided ({currency}) is invalid for one of the payment method types provided"
            raise invalid(text, "payment_method_types")
    return list(named)


def expiry(params: Json, now: int) -> int:
    """Between 30 minutes and 24 hours from now, unix seconds; default 24 hours."""
    if "expires_at" not in params:
        return now + 86400
    moment = integer(params["expires_at"], "expires_at")
    if moment < now + 1800:
        raise invalid("The `expires_at` timestamp must be at least 30 minutes from now.", "expires_at")
    if moment > now + 86400:
        raise invalid("The `expires_at` timestamp must be less than 24 hours from now.", "expires_at")
    return moment


def new_session(params: Json) -> None:
    """Everything that needs no clock and no sums."""
    for name in params:
        if name not in KNOWN:
            raise invalid(f"Received unknown parameter: {name}", name, "parameter_unknown")
    if params.get("mode") != "payment":
        raise missing("mode") if "mode" not in params else invalid("This account takes payments only.", "mode")
    for name in ("success_url", "cancel_url"):
        if name in params and not str(params[name]).startswith(("http://", "https://")):
            raise invalid("Not a valid URL", name, "url_invalid")
    if "success_url" not in params:
        raise missing("success_url")
    if len(str(params.get("client_reference_id", ""))) > 200:
        raise invalid("client_reference_id can be at most 200 characters.", "client_reference_id")
