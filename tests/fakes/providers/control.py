"""The control page: everything that exists at the three providers, with buttons for what the world may do to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from tests.fakes.providers import html
from tests.fakes.providers.faults import KINDS
from tests.fakes.providers.wire import Refused, Reply, Request

if TYPE_CHECKING:
    from tests.fakes.providers.world import Providers

Json = dict[str, Any]
OVER = {"complete", "expired", "paid", "successful", "failed", "reversed"}
SHELVES = {"checkouts": "Checkouts", "charges": "Payments", "refunds": "Refunds", "disputes": "Disputes"}
CALLS = {
    "stripe": ("POST /v1/checkout/sessions", "GET /v1/checkout/sessions", "POST /v1/refunds"),
    "omise": ("POST /charges", "GET /charges", "POST /links", "GET /links"),
    "razorpay": ("POST /v1/orders", "GET /v1/orders", "GET /v1/payments", "POST /v1/payments"),
}
BUTTONS = {
    "pay": "Pay",
    "decline": "Decline",
    "expire": "Expire",
    "pay_later": "Pay later",
    "settle": "Money arrives",
    "lose_money": "Money never arrives",
    "late": "Authorized after all",
    "refund": "Refund in dashboard",
    "dispute": "Dispute",
    "finish": "Refund arrives",
    "fail": "Refund fails",
    "win": "Won",
    "lose": "Lost",
}


class Control:
    """Answers ``/`` on every port."""

    def __init__(self, world: Providers) -> None:
        self.world = world

    def answer(self, request: Request) -> Reply:
        if request.method != "POST":
            return self._page()
        asked = request.params
        try:
            self._do(asked)
        except (KeyError, ValueError, NotImplementedError, Refused) as error:
            back = html.link("/", "Back")
            return html.page("That did not work", html.text(error, "note"), f"<p>{back}</p>", status=400)
        return html.redirect("/")

    def _do(self, asked: Json) -> None:
        fake: Any = self.world.all[asked["provider"]]
        key, do = asked.get("id", ""), asked["do"]
        actions: dict[str, Callable[[], Any]] = {
            "pay": lambda: fake.pay(key),
            "decline": lambda: fake.decline(key),
            "expire": lambda: fake.expire(key),
            "pay_later": lambda: fake.pay_later(key),
            "settle": lambda: fake.settle_later(key),
            "lose_money": lambda: fake.settle_later(key, succeeded=False),
            "late": lambda: fake.authorize_late(key),
            "refund": lambda: fake.refund_in_dashboard(key, int(asked["amount"]) if asked.get("amount") else None),
            "dispute": lambda: fake.open_dispute(key),
            "finish": lambda: fake.finish_refund(key),
            "fail": lambda: fake.finish_refund(key, succeeded=False),
            "win": lambda: fake.close_dispute(key, won=True),
            "lose": lambda: fake.close_dispute(key, won=False),
            "slow_refunds": lambda: setattr(fake, "refunds_pending", not fake.refunds_pending),
            "fault": lambda: fake.faults.plan(*asked["call"].split(" ", 1), asked["kind"], int(asked["times"])),
            "healthy": fake.faults.clear,
        }
        actions[do]()

    def _page(self) -> Reply:
        parts = []
        for name, fake in self.world.all.items():
            sums, counted = fake.money(), len(fake.events)
            undelivered = sum(not event.delivered for event in fake.events)
            parts.append(f"<h2>{name.capitalize()} at {fake.url}</h2>")
            told = f"Captured {sums['captured']}, refunded {sums['refunded']} minor units."
            parts.append(html.text(f"{told} {counted} events, {undelivered} of them not delivered."))
            parts.extend(self._table(name, kind, title) for kind, title in SHELVES.items())
            parts.append(self._trouble(name))
        return html.page("Local payment providers", *parts)

    def _table(self, name: str, kind: str, title: str) -> str:
        rows = self.world.all[name].objects(kind)[::-1][:50]
        if not rows:
            return ""
        body = "".join(
            f"<tr><td>{self._name(name, kind, row)}</td><td>{html.money(*_sum(row))}</td>"
            f"<td>{escape(_state(row))}</td><td>{self._buttons(name, kind, row)}</td></tr>"
            for row in rows
        )
        return f"<table><thead><tr><th>{title}</th><th>Amount</th><th>State</th><th></th></tr></thead>{body}</table>"

    def _name(self, name: str, kind: str, row: Json) -> str:
        """A checkout leads to the page its payer sees."""
        shown = f"{row['id'][:24]}…" if len(row["id"]) > 32 else row["id"]
        pages = {"stripe": row.get("url"), "omise": row.get("payment_uri") or f"{self.world.omise.url}/pay/{row['id']}"}
        address = pages.get(name) if kind == "checkouts" else None
        return html.link(address, shown) if address else f"<code>{escape(shown)}</code>"

    def _buttons(self, name: str, kind: str, row: Json) -> str:
        fields = {"provider": name, "id": row["id"]}
        return "".join(
            html.form("/", {**fields, "do": do}, html.button(BUTTONS[do])) for do in _possible(name, kind, row)
        )

    def _trouble(self, name: str) -> str:
        fake = self.world.all[name]
        calls = _select("call", {call: call for call in CALLS[name]})
        kinds = _select("kind", {kind: kind.replace("_", " ") for kind in KINDS})
        times = '<input name="times" type="number" min="1" max="99" value="1" aria-label="times">'
        planned = [f"{one.method} {one.path}: {one.kind}, {one.times} to come" for one in fake.faults.planned]
        slow = "Refunds end at once" if fake.refunds_pending else "Refunds stay pending"
        return "".join(
            [
                html.form("/", {"provider": name, "do": "fault"}, calls + kinds + times + html.button("Plan a fault")),
                html.form("/", {"provider": name, "do": "healthy"}, html.button("No faults")) if planned else "",
                html.form("/", {"provider": name, "do": "slow_refunds"}, html.button(slow)),
                html.text("; ".join(planned), "note"),
            ]
        )


def _select(name: str, options: Mapping[str, str]) -> str:
    inner = "".join(f'<option value="{escape(key)}">{escape(words)}</option>' for key, words in options.items())
    return f'<select name="{name}" aria-label="{name}">{inner}</select>'


def _sum(row: Json) -> tuple[int, str]:
    return row.get("amount_total", row.get("amount", 0)), row["currency"]


def _state(row: Json) -> str:
    """The state, and what left again."""
    status = row.get("status") or ("used" if row.get("used") else "open")
    extra = row.get("payment_status") if status == "complete" else None
    back = row.get("amount_refunded") or row.get("refunded_amount")
    return ", ".join(str(part) for part in (status, extra, f"refunded {back}" if back else None) if part)


def _possible(name: str, kind: str, row: Json) -> list[str]:
    status = row.get("status") or ("paid" if row.get("used") else "open")
    if kind == "checkouts":
        if status == "complete" and row["payment_status"] == "unpaid":
            return ["settle", "lose_money"]
        if status in OVER:
            return []
        ends = name == "stripe" or row["object" if name == "omise" else "entity"] == "charge"
        return ["pay", "decline", *(["expire"] if ends else []), *(["pay_later"] if name == "stripe" else [])]
    if kind == "charges":
        taken = row.get("paid") or row.get("captured")
        late = name == "razorpay" and status == "failed"
        return ["refund", "dispute"] if taken else ["late"] if late else []
    if kind == "refunds":
        return (
            []
            if status == "failed"
            else ["fail"]
            if status in ("succeeded", "closed", "processed")
            else ["finish", "fail"]
        )
    return [] if status in ("won", "lost") else ["win", "lose"]
