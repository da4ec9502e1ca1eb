"""Where pages part what is laid out, nothing of it is lost and nothing runs into the margin.

If this broke, an invoice of several pages could lack lines that its total holds.
"""

from __future__ import annotations

import pytest

from billing.documents.sheet import HEIGHT
from billing.templating import document, worker
from billing.templating.strips import Words
from tests.billing.templating import LEAST, values

FACES = worker._faces([])


@pytest.mark.parametrize(
    "css",
    [
        "table { break-after: avoid }",
        "table, p { break-after: avoid }",
        "p { margin-bottom: 200pt } table { break-after: avoid }",
    ],
)
@pytest.mark.parametrize("head", [False, True])
def test_no_line_is_lost_where_pages_part_what_belongs_together(css: str, *, head: bool) -> None:
    rows = [{**values()["lines"][0], "line_amount": f"{row}.25"} for row in range(1, 161)]
    html = LEAST.replace("<table>", "<table><thead>").replace("</table>", "</thead></table>") if head else LEAST
    pages = document.compose(html, css, values(lines=rows), FACES, leading=1.42)
    assert len(pages) > 2
    said = [mark for marks in pages for mark in marks if isinstance(mark, Words)]
    assert [mark.text for mark in said if mark.text.endswith(".25")] == [row["line_amount"] for row in rows]
    assert max(mark.y for mark in said) < HEIGHT - 60  # the margin below
