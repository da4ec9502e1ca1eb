"""Plain pages: no script in them, readable on a phone, honest about what they are."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from tests.fakes.providers.wire import Reply

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color:#1c2733;background:#f6f7f9}
main{background:#fff;border:1px solid #d5dbe1;border-radius:8px;padding:1rem;margin-bottom:1rem;overflow-x:auto}
h1{font-size:1.3rem;margin:0 0 .5rem} h2{font-size:1.05rem;margin:1.2rem 0 .3rem}
.amount{font-size:1.8rem;font-weight:600;margin:.5rem 0} .note{border-left:4px solid #b45309;padding:.3rem .8rem}
.stand-in{color:#44515e;font-size:.9rem} form{display:inline-block;margin:.2rem .2rem .2rem 0}
button,select,input{font:inherit;padding:.5rem .8rem;border:1px solid #5b6875;border-radius:6px;background:#fff}
button.main{background:#14532d;color:#fff;border-color:#14532d} .big form,.big button{display:block;width:100%;max-width:30rem}
table{border-collapse:collapse;font-size:.85rem} td,th{text-align:left;padding:.25rem .6rem .25rem 0;vertical-align:top}
td button{padding:.2rem .5rem}
@media(max-width:40rem){thead{display:none} tr,td{display:block;padding:.1rem 0} tr{margin-bottom:.6rem}}
 code{overflow-wrap:anywhere} a{color:#1d4ed8}
"""
STAND_IN = "This is a local stand-in for tests and demos. It takes no cards and moves no money."
UNDIVIDED = (
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "JPY",
    "KMF",
    "KRW",
    "MGA",
    "PYG",
    "RWF",
    "UGX",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
)


def page(title: str, *parts: str, status: int = 200) -> Reply:
    """A page of ready HTML ``parts``; ``title`` is text."""
    body = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>"
        f'{"".join(parts)}</main><p class="stand-in">{STAND_IN}</p></body></html>'
    )
    return Reply(status, body.encode(), {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"})


def redirect(address: str) -> Reply:
    """On to another page, by GET."""
    return Reply(303, b"", {"Location": address})


def money(amount: int, currency: str) -> str:
    """``12345, "thb"`` -> "123.45 THB"."""
    name = currency.upper()
    return f"{amount:,} {name}" if name in UNDIVIDED else f"{amount / 100:,.2f} {name}"


def amount(value: int, currency: str) -> str:
    return f'<p class="amount">{escape(money(value, currency))}</p>'


def text(words: Any, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(str(words))}</p>' if words else ""


def link(address: str, words: str) -> str:
    return f'<a href="{escape(address)}">{escape(words)}</a>'


def hidden(fields: Mapping[str, Any]) -> str:
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(str(value))}">' for name, value in fields.items()
    )


def form(address: str, fields: Mapping[str, Any], inner: str) -> str:
    return f'<form method="post" action="{escape(address)}">{hidden(fields)}{inner}</form>'


def button(words: str, main: bool = False) -> str:
    return f"<button{' class=main' if main else ''}>{escape(words)}</button>"


def choices(address: str, offered: Mapping[str, str], **fields: Any) -> str:
    """One button below the other; each posts ``do``. The first stands out."""
    first = next(iter(offered), "")
    rows = [form(address, {**fields, "do": do}, button(words, do == first)) for do, words in offered.items()]
    return f'<div class="big">{"".join(rows)}</div>'
