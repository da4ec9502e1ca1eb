"""A template cannot hide what a document has to show: not by its style sheet, not by a condition, not in one language.

If this broke, a buyer could get an invoice without a total that can be read, with all checks of its HTML passed.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.models import InvoiceTemplate
from billing.selectors.documents.templates import Look, standard_look
from billing.services.invoices.templates import save_template, use_template
from billing.templating import document, sandbox, worker
from billing.templating.legibility import contrast, unread
from billing.templating.problems import Refused
from billing.templating.strips import Box, Words
from billing.words.templates import TemplateRefused
from core.context import SYSTEM
from tests.billing.invoicing import FIN
from tests.billing.templating import LEAST, task, values

FACES = worker._faces([])
LOOKS = {kind: standard_look(kind) for kind in ("invoice", "credit_note")}


def faults(html: str, css: str, kind: str = "invoice") -> list[tuple[str, str]]:
    """Code and name of each problem; none for a template that is taken."""
    try:
        document.check_readable(html, css, FACES, kind)
    except Refused as refused:
        return [(each.code, each.name) for each in refused.problems]
    return []


@pytest.mark.parametrize("kind", LOOKS)
def test_the_standard_looks_are_readable_in_every_situation(kind: str) -> None:
    assert not faults(*LOOKS[kind], kind)


def test_the_least_that_is_taken_is_readable() -> None:
    assert not faults(LEAST, "")


HIDING = {
    "not shown": ("* { display: none }", "unseen"),
    "only the last row": ("tr:last-child td { display: none }", "unseen"),
    "only the first row": ("table tr:first-child td { display: none }", "unseen"),
    "white on white": ("td { color: #fff }", "faint"),
    "nearly white": ("td { color: #cccccc }", "faint"),
    "ink on ink": ("td { background: #1c2430 }", "faint"),
    "ink on the row's ink": ("tr { background: #1c2430 }", "faint"),
    "ink on the table's ink": ("table { background: #1c2430 }", "faint"),
    "behind a wide line": ("td { border-left: 20pt solid #1c2430 }", "faint"),
    "too small": ("td { font-size: 4.9pt }", "small"),
    "small inside of small": ("table { font-size: 50% } td { font-size: 50% }", "small"),
    "beside the page": ("table { margin-left: 700pt }", "off_page"),
    "a column of no width": ("td:last-child { width: 1pt; padding: 0 }", "broken"),
}


@pytest.mark.parametrize(("css", "code"), HIDING.values(), ids=HIDING)
def test_a_style_sheet_that_hides_an_amount_is_refused(css: str, code: str) -> None:
    assert code in {found for found, name in faults(LEAST, css) if name in ("{{line_amount}}", "{{tax_amount}}")}


@pytest.mark.parametrize("kind", LOOKS)
@pytest.mark.parametrize(
    "css", [".total { display: none }", ".total td { color: #e6f0f0 }", ".total .num { font-size: 4pt }"]
)
def test_the_total_of_a_standard_look_cannot_be_hidden(kind: str, css: str) -> None:
    html, own = LOOKS[kind]
    assert [name for _code, name in faults(html, own + css, kind)] == ["{{total}}"]


CONDITIONS = {
    "{{?thai}}{{total}}{{/thai}}": "{{total}} {{?english}}",
    "{{?english}}{{total}}{{/english}}": "{{total}} {{?thai}}",
    "{{?note}}{{total}}{{/note}}": "{{total}} {{^note}}",
    "{{^discount}}{{total}}{{/discount}}": "{{total}} {{?discount}}",
    "{{?is_paid}}{{total}}{{/is_paid}}": "{{total}} {{^is_paid}}",
    "{{^is_draft}}{{total}}{{/is_draft}}": "{{total}} {{?is_draft}}",
    "{{?discount}}{{?note}}{{total}}{{/note}}{{/discount}}{{^discount}}{{total}}{{/discount}}": "{{total}} {{?discount}} {{^note}}",
}


@pytest.mark.parametrize(("written", "told"), CONDITIONS.items())
def test_a_condition_that_leaves_it_out_is_refused_and_named(written: str, told: str) -> None:
    assert faults(LEAST.replace("{{total}}", written), "") == [("unseen", told)]


@pytest.mark.parametrize(
    "written",
    [
        "{{?thai}}<b>{{total}}</b>{{/thai}}{{?english}}{{total}}{{/english}}",
        "{{?label_total}}{{total}}{{/label_total}}",
        "{{?total}}{{total}}{{/total}}",
        "{{?note}}{{total}}{{/note}}{{^note}}<b>{{total}}</b>{{/note}}",
    ],
)
def test_a_condition_that_always_shows_it_is_taken(written: str) -> None:
    assert not faults(LEAST.replace("{{total}}", written), "")


def test_one_readable_place_is_enough() -> None:
    assert not faults(LEAST + "<div class='quiet'>{{total}}</div>", ".quiet { color: #eeeeee; font-size: 4pt }")


def test_something_over_it_hides_it() -> None:
    """Words of a column that is too narrow run into the next."""
    html = LEAST.replace(
        "<td>{{line_amount}}</td>", "<td class='a'>{{line_amount}}</td><td class='b'>WWWWWWWWWWWW</td>"
    )
    assert "covered" in {code for code, _name in faults(html, ".a { width: 1pt; padding: 0 } .b { width: 60pt }")}


@given(st.integers(0, 255), st.integers(0, 255))
def test_contrast_is_the_same_both_ways_and_between_one_and_twenty_one(one: int, other: int) -> None:
    first, second = f"#{one:02x}{other:02x}{one:02x}", f"#{other:02x}{one:02x}{one:02x}"
    assert contrast(first, second) == contrast(second, first)
    assert 1 <= contrast(first, second) <= contrast("#000000", "#ffffff") == 21


@pytest.mark.django_db
def test_what_hides_the_total_is_not_saved_and_the_reason_is_told_in_words() -> None:
    with pytest.raises(TemplateRefused) as caught:
        save_template(actor=FIN, name="Hides", look=Look(LEAST, "p { color: white }"))
    assert "{{total}}" in str(caught.value.details["problems"])
    assert not InvoiceTemplate.objects.exists()


@pytest.mark.django_db
def test_what_was_saved_when_less_was_asked_is_not_put_to_use() -> None:
    row = InvoiceTemplate.objects.create(
        kind="invoice", name="Old", version=1, html_content=LEAST, css_content="p { font-size: 4pt }", created_by="x"
    )
    with pytest.raises(TemplateRefused, match="5 pt"):
        use_template(actor=SYSTEM, template=row)
    row.refresh_from_db()
    assert not row.is_default


# --- real documents --------------------------------------------------------------------------
# Shown unless there are a day and a month and neither note nor discount: four conditions that differ from what was tried.
UNTRIED = (
    "{{^due_on}}{{total}}{{/due_on}}{{?due_on}}{{^month}}{{total}}{{/month}}{{?month}}{{?note}}{{total}}{{/note}}"
    "{{^note}}{{?discount}}{{total}}{{/discount}}{{/note}}{{/month}}{{/due_on}}"
)
FIRST = "<div>{{?note}}<p></p>{{/note}}{{^month}}<p></p>{{/month}}<p class='sum'>{{total}}</p></div>"
SNEAKY = {"conditions": (UNTRIED, ""), "neighbours": (FIRST, ".sum:first-child { display: none }")}


@pytest.mark.parametrize(("written", "css"), SNEAKY.values(), ids=SNEAKY)
def test_what_no_trial_showed_is_found_on_the_document_itself(written: str, css: str) -> None:
    html = LEAST.replace("{{total}}", "") + written
    assert not faults(html, css)
    with pytest.raises(Refused) as caught:
        sandbox.pdf(**task(html, css, values=values(note="", discount="")))
    assert [(each.code, each.name) for each in caught.value.problems] == [("unseen", "{{total}}")]
    assert sandbox.pdf(**task(html, css)).pages == 1


@pytest.mark.parametrize("name", ["buyer_name", "line_description"])
@pytest.mark.parametrize(
    "text",
    [
        "A B C D",
        "straße Ａ",
        "ศูนย์คอมพิวเตอร์สมรรถนะสูง มหาวิทยาลัย",
        "x" * 300,
        "soft\u00adhyphen \u202eback",
        "two\nlines",
        "",
    ],
)
def test_whatever_words_a_document_carries_they_are_found_again(name: str, text: str) -> None:
    found = values(**{name: text} if name == "buyer_name" else {})
    if name == "line_description":
        found["lines"] = [{**found["lines"][0], name: text}]
    for css in ("", "td, p { text-transform: uppercase; font-size: 20pt }"):
        assert document.compose(LEAST, css, found, FACES, leading=1.42, readable=True)


def test_letters_are_looked_at_from_end_to_end() -> None:
    """A box or other words behind any part of them, however long they are."""
    total = Words(50, 100, "THB 12,345,678.90", 30, False, False, "#000000", 250, "total")
    assert not unread([[total]], {"total": total.text})
    for part in (0.12, 0.37, 0.62, 0.88):
        box = Box(50 + 250 * part - 8, 60, 16, 60, "#000000")
        words = Words(50 + 250 * part - 8, 100, "WW", 10, False, False, "#000000", 16)
        assert unread([[box, total]], {"total": total.text}) == {"total": "faint"}
        assert unread([[total, words]], {"total": total.text}) == {"total": "covered"}
