"""The pages a payer's browser or phone sees: a payment link, and the banking app that scanned a QR."""

from __future__ import annotations

from tests.fakes.providers import html
from tests.fakes.providers.omise.money_back import MoneyBack
from tests.fakes.providers.wire import Reply, Request, Route

LINK = {"pay": "Pay by card", "decline": "Pay by a card that is declined"}
PHONE = {"pay": "Confirm the payment", "decline": "The bank refuses", "expire": "Let it expire"}


def _unknown() -> Reply:
    return html.page("No such payment", html.text("The address is not one of ours."), status=404)


def show_link(fake: MoneyBack, request: Request, key: str, note: str = "") -> Reply:
    link = fake.links.get(key)
    if link is None:
        return _unknown()
    if link["used"] and not link["multiple"]:
        return html.page("Thank you", html.text("This link has been paid. You can close this page."))
    return html.page(
        link["title"],
        html.text(note, "note"),
        html.amount(link["amount"], link["currency"]),
        html.text(link["description"]),
        html.choices(f"/l/{key}", LINK),
    )


def act_link(fake: MoneyBack, request: Request, key: str) -> Reply:
    link, do = fake.links.get(key), request.params.get("do")
    note = ""
    if link and (link["multiple"] or not link["used"]):
        if do == "pay":
            fake.pay(key)
        elif do == "decline":
            fake.decline(key)
            note = "Your card was declined. Nothing was paid; try again."
    return show_link(fake, request, key, note)


def show_charge(fake: MoneyBack, request: Request, key: str) -> Reply:
    charge = fake.charges.get(key)
    if charge is None:
        return _unknown()
    if charge["status"] != "pending":
        back = html.link(charge["return_uri"], "Back to the shop") if charge["return_uri"] else ""
        return html.page(f"The payment is {charge['status']}", f"<p>{back or 'You can close this page.'}</p>")
    title = "Your banking app" if charge["source"] else "Your card's bank asks"
    return html.page(
        title,
        html.amount(charge["amount"], charge["currency"]),
        html.text(charge["description"]),
        html.choices(f"/pay/{key}", PHONE),
    )


def act_charge(fake: MoneyBack, request: Request, key: str) -> Reply:
    charge, do = fake.charges.get(key), request.params.get("do")
    if charge and charge["status"] == "pending" and do in PHONE:
        {"pay": fake.pay, "decline": fake.decline, "expire": fake.expire}[do](key)
        if charge["return_uri"] and not charge["source"]:
            return html.redirect(charge["return_uri"])
    return show_charge(fake, request, key)


ROUTES = (
    Route("GET", r"/l/(?P<key>[^/]+)", show_link, public=True),
    Route("POST", r"/l/(?P<key>[^/]+)", act_link, public=True),
    Route("GET", r"/pay/(?P<key>[^/]+)", show_charge, public=True),
    Route("POST", r"/pay/(?P<key>[^/]+)", act_charge, public=True),
)
