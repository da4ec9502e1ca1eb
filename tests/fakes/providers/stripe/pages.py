"""The checkout page a payer's browser sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fakes.providers import html
from tests.fakes.providers.stripe.money_back import MoneyBack
from tests.fakes.providers.wire import Reply, Request, Route

Json = dict[str, Any]


def show(fake: MoneyBack, request: Request, key: str, note: str = "") -> Reply:
    session = fake.sessions.get(key)
    if session is None:
        return html.page("No such checkout", html.text("The address is not one of ours."), status=404)
    if session["status"] != "open":
        back = html.link(_success(session), "Back to the shop")
        return html.page("This checkout is over", html.text(f"It is {session['status']}."), f"<p>{back}</p>")
    offered = {}
    if "card" in session["payment_method_types"]:
        offered |= {"card": "Pay by card", "decline": "Pay by a card that is declined"}
    if "promptpay" in session["payment_method_types"]:
        offered |= {"promptpay": "Pay with PromptPay", "later": "Pay with PromptPay, money arrives later"}
    offered["cancel"] = "Cancel"
    return html.page(
        "Checkout",
        html.text(note, "note"),
        html.amount(session["amount_total"], session["currency"]),
        html.text(session["client_reference_id"]),
        html.choices(f"/c/pay/{key}", offered),
    )


def act(fake: MoneyBack, request: Request, key: str) -> Reply:
    session, do = fake.sessions.get(key), request.params.get("do")
    if session is None or session["status"] != "open":
        return show(fake, request, key)
    if do == "cancel":
        return html.redirect(session["cancel_url"] or _success(session))
    if do == "decline":
        fake.decline(key)
        return show(fake, request, key, "Your card was declined. Nothing was paid; try another way.")
    paying: dict[str, Callable[[], str]] = {
        "card": lambda: fake.pay(key, "card"),
        "promptpay": lambda: fake.pay(key, "promptpay"),
        "later": lambda: fake.pay_later(key),
    }
    if do not in paying:
        return show(fake, request, key)
    paying[do]()
    return html.redirect(_success(session))


def _success(session: Json) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


ROUTES = (
    Route("GET", r"/c/pay/(?P<key>[^/]+)", show, public=True),
    Route("POST", r"/c/pay/(?P<key>[^/]+)", act, public=True),
)
