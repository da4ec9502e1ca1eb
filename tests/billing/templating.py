"""Templates for tests: the least that is taken, and values for every name."""

from __future__ import annotations

from typing import Any

from billing.selectors.documents.templates import standard_look
from billing.templating import fields

LEAST = (
    "<p>{{number}} {{seller_name}} {{buyer_name}} {{issued_on}} {{total}}</p>\n"
    "<table>{{#lines}}<tr><td>{{line_description}}</td><td>{{line_amount}}</td></tr>{{/lines}}"
    "{{#taxes}}<tr><td>{{tax_label}}</td><td>{{tax_amount}}</td></tr>{{/taxes}}</table>\n"
)
STANDARD = standard_look()


def values(**changed: Any) -> dict[str, Any]:
    """Every name says itself; two lines and a tax."""
    found: dict[str, Any] = {name: name for name in fields.INVOICE.plain}
    found.update(dict.fromkeys(fields.INVOICE.flags, True))
    found["qr"] = "https://billing.example/verify/"
    found["lines"] = [{name: f"{name}-{row}" for name in fields.INVOICE.lists["lines"]} for row in (1, 2)]
    found["taxes"] = [{name: name for name in fields.INVOICE.lists["taxes"]}]
    return {**found, **changed}


def task(html: str = LEAST, css: str = "", **changed: Any) -> dict[str, Any]:
    """What the sandbox is asked for."""
    meta = {"title": "t", "author": "a", "subject": "s", "made": 1_790_000_000}
    return {
        "html": html, "css": css, "values": values(), "language": "en", "fonts": [], "meta": meta, "across": "",
        "annex": None, **changed,
    }  # fmt: skip
