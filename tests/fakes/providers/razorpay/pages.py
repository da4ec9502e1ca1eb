"""The hosted checkout a payer's browser sees; the result goes back to the shop as a form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fakes.providers import html
from tests.fakes.providers.wire import Reply, Request, Route

if TYPE_CHECKING:
    from tests.fakes.providers.razorpay.provider import Razorpay

Json = dict[str, Any]
OFFERED = {"card": "Pay by card", "upi": "Pay by UPI", "fail": "Pay fails", "cancel": "Cancel"}
CARRIED = ("key_id", "order_id", "name", "description", "callback_url", "cancel_url")
SUBMIT = b"document.forms[0].submit();\n"


def open_checkout(fake: Razorpay, request: Request) -> Reply:
    """The shop's form: ``key_id``, ``order_id``, ``callback_url``, ``cancel_url``; other fields are for looks."""
    return _page(fake, request.params)


def _page(fake: Razorpay, params: Json, note: str = "", extra: str = "") -> Reply:
    order = fake.orders.get(str(params.get("order_id", "")))
    if params.get("key_id") != fake.key_id or order is None:
        return html.page("Something went wrong", html.text("Wrong key_id or order_id."), status=400)
    if order["status"] == "paid":
        return html.page("This order is paid", html.text("You can close this page."))
    carried = {name: params[name] for name in CARRIED if isinstance(params.get(name), str)}
    return html.page(
        str(params.get("name") or "Checkout"),
        html.text(note, "note"),
        html.amount(order["amount"], order["currency"]),
        html.text(params.get("description") or order["receipt"]),
        html.choices("/v1/checkout/act", OFFERED, **carried),
        extra,
    )


def act(fake: Razorpay, request: Request) -> Reply:
    params = request.params
    order, do = fake.orders.get(str(params.get("order_id", ""))), params.get("do")
    if order is None or order["status"] == "paid" or do not in OFFERED:
        return _page(fake, params)
    if do == "cancel":
        return html.redirect(params["cancel_url"]) if params.get("cancel_url") else _page(fake, params, "Cancelled.")
    if do == "fail":
        return _failed(fake, params, fake.decline(order["id"]))
    payment_id = fake.pay(order["id"], method=do)
    if not params.get("callback_url"):
        return html.page("Thank you", html.text("You can close this page."))
    told = {
        "razorpay_payment_id": payment_id,
        "razorpay_order_id": order["id"],
        "razorpay_signature": fake.signature(order["id"], payment_id),
    }
    back = html.form(params["callback_url"], told, html.button("Back to the shop", True))
    return html.page("Thank you", back, '<script src="/submit.js"></script>')


def _failed(fake: Razorpay, params: Json, payment_id: str) -> Reply:
    payment = fake.payments[payment_id]
    told = {f"error[{name}]": payment[f"error_{name}"] for name in ("code", "description", "source", "step", "reason")}
    told["error[metadata]"] = f'{{"payment_id":"{payment_id}","order_id":"{payment["order_id"]}"}}'
    back = ""
    if params.get("callback_url"):
        back = html.form(params["callback_url"], told, html.button("Back to the shop without paying"))
    return _page(fake, params, payment["error_description"], back)


def script(fake: Razorpay, request: Request) -> Reply:
    return Reply(200, SUBMIT, {"Content-Type": "text/javascript"})


ROUTES = (
    Route("POST", "/v1/checkout/embedded", open_checkout, public=True),
    Route("POST", "/v1/checkout/act", act, public=True),
    Route("GET", "/submit.js", script, public=True),
)
