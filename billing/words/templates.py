"""What a refused template is told, in words: line, name, what to do. And what each variable means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.templating.fields import KINDS
from billing.templating.problems import DOCUMENT, Problem
from core.errors import BadInput

WORDS: dict[str, str | Promise] = {
    "too_long": gettext_lazy("It is longer than %(name)s characters."),
    "too_many": gettext_lazy("It has more than %(name)s elements or rules."),
    "too_deep": gettext_lazy("Elements stand in each other more than %(name)s deep."),
    "needed": gettext_lazy("The document has to show {{%(name)s}}."),
    "not_closed": gettext_lazy("%(name)s is not closed."),
    "crossed": gettext_lazy("%(name)s closes what is not open here."),
    "no_tag": gettext_lazy("This is no tag that can be read: %(name)s"),
    "tag": gettext_lazy("The element <%(name)s> is not permitted."),
    "place": gettext_lazy("%(name)s cannot stand here."),
    "text_here": gettext_lazy("Text cannot stand between rows or cells: %(name)s"),
    "attribute": gettext_lazy("The attribute %(name)s is not permitted here."),
    "variable_in_tag": gettext_lazy("Variables stand in text, not inside of a tag (%(name)s)."),
    "no_variable": gettext_lazy("This is no variable: %(name)s"),
    "unknown_variable": gettext_lazy("There is no variable {{%(name)s}}."),
    "outside_list": gettext_lazy("{{%(name)s}} is known inside of its list only."),
    "outside_margin": gettext_lazy("{{%(name)s}} is known in <header> and <footer> only."),
    "list_in_list": gettext_lazy("The list {{#%(name)s}} cannot stand inside of a list."),
    "no_list": gettext_lazy("{{#%(name)s}} is no list; write {{?%(name)s}} to show something when it is there."),
    "no_condition": gettext_lazy("{{%(name)s}} cannot be asked for."),
    "no_text": gettext_lazy("{{%(name)s}} is no text; write {{#%(name)s}} for a list, {{?%(name)s}} for yes or no."),
    "image_missing": gettext_lazy("An image needs its src, as data URI."),
    "image_address": gettext_lazy("Images are PNG or JPEG inside of the template (data:image/png;base64,…): %(name)s"),
    "image_size": gettext_lazy("The image is larger than 150 kB or two million pixels."),
    "image_broken": gettext_lazy("The image cannot be read."),
    "css_sign": gettext_lazy("The sign %(name)s is not permitted in CSS."),
    "css_rule": gettext_lazy("This is no rule that can be read: %(name)s"),
    "css_function": gettext_lazy("Functions such as url(), var() or calc() are not permitted: %(name)s"),
    "css_value": gettext_lazy("This value is not known: %(name)s"),
    "property": gettext_lazy("The property %(name)s is not known here."),
    "selector": gettext_lazy("This selector is not known here: %(name)s"),
    "at_rule": gettext_lazy("%(name)s is not permitted; @page with margins is."),
    "page_margin": gettext_lazy("Margins of the page are 20 to 200 pt, in pt, mm, cm or px: %(name)s"),
    "document_size": gettext_lazy("The document becomes too large (%(name)s parts)."),
    "too_many_pages": gettext_lazy("The document becomes longer than %(name)s pages."),
    "no_room": gettext_lazy("Margins, header and footer leave no room on the page."),
    "unseen": gettext_lazy("What the document has to show is not shown: %(name)s"),
    "broken": gettext_lazy("What the document has to show stands in too narrow a place and is broken up: %(name)s"),
    "small": gettext_lazy("What the document has to show is smaller than 5 pt: %(name)s"),
    "off_page": gettext_lazy("What the document has to show runs off the page when it is long: %(name)s"),
    "covered": gettext_lazy("What the document has to show is covered by something else: %(name)s"),
    "faint": gettext_lazy(
        "What the document has to show is hardly told from its background (3 to 1 is the least): %(name)s"
    ),
    "limits": gettext_lazy("Setting it took too much time or memory."),
    "fault": gettext_lazy("It cannot be set (%(name)s)."),
}


class TemplateRefused(BadInput):
    """``details["problems"]``: [{"part", "line", "code", "name", "message"}], all that was found."""

    code = "template_refused"

    def __init__(self, problems: Iterable[Problem]) -> None:
        found = [{**each._asdict(), "message": in_words(each)} for each in problems]
        super().__init__(str(found[0]["message"]), problems=found, field=field_of(found[0]["part"]))


def field_of(part: object) -> str:
    return "css" if part == "css" else "html"


def in_words(problem: Problem) -> str:
    """``HTML, line 12: There is no variable {{totl}}.``"""
    words = str(WORDS[problem.code]) % {"name": problem.name}
    if problem.part == DOCUMENT or not problem.line:
        return words
    named = {"part": problem.part.upper(), "line": problem.line, "words": words}
    return _("%(part)s, line %(line)s: %(words)s") % named


MEANINGS: dict[str, str | Promise] = {
    "title": gettext_lazy("The word Invoice."), "number": gettext_lazy("Number of the invoice."),
    "state": gettext_lazy("TO PAY, PAID, CANCELED or DRAFT."), "month": gettext_lazy("The month that it is for."),
    "issued_on": gettext_lazy("Day of issue."), "due_on": gettext_lazy("Last day to pay."),
    "currency": gettext_lazy("Currency of all amounts."),
    "exchange_rate": gettext_lazy("Rate, its day and source, where prices were in another currency."),
    "seller_name": gettext_lazy("Your name, as it was when the invoice was issued."),
    "seller_address": gettext_lazy("Your address."), "seller_tax_id": gettext_lazy("Your tax number."),
    "seller_email": gettext_lazy("Your address for questions."), "buyer_name": gettext_lazy("The organisation."),
    "buyer_email": gettext_lazy("Its e-mail for bills."),
    "subtotal": gettext_lazy("Sum of the lines, before discount and tax."),
    "discount": gettext_lazy("The discount, with a minus; empty without one."),
    "tax": gettext_lazy("All taxes together; empty without any."), "total": gettext_lazy("Total, with its currency."),
    "total_in_words": gettext_lazy("Total in words, in the document's language."),
    "total_in_words_other": gettext_lazy("Total in words, in the other language."),
    "paid": gettext_lazy("What was paid so far, with a minus; empty when nothing was."),
    "credited": gettext_lazy("What was credited, with a minus; empty when nothing was."),
    "due": gettext_lazy("What is left to pay, where that is not the total."),
    "note": gettext_lazy("Note of finance, in the document's language."),
    "annex_note": gettext_lazy("Says that all lines are on the pages after it."),
    "payment_instructions": gettext_lazy("How to pay; empty when nothing is due."),
    "bank_name": gettext_lazy("Your bank (ORG_BANK_NAME)."), "bank_account": gettext_lazy("Your account there."),
    "bank_holder": gettext_lazy("Its holder."), "invoice_address": gettext_lazy("Page of one's invoices."),
    "digest": gettext_lazy("Content hash; empty on drafts."),
    "verify_address": gettext_lazy("Page that says whether it is genuine."),
    "verify_words": gettext_lazy("How to check it there."), "qr": gettext_lazy("Code to scan, leads to that page."),
    "lines": gettext_lazy("List of the lines; with more than 200, a sum for each project."),
    "line_number": gettext_lazy("Number of the line."), "line_description": gettext_lazy("What it is for."),
    "line_project": gettext_lazy("Its project."), "line_quantity": gettext_lazy("How much."),
    "line_unit": gettext_lazy("Of what."), "line_unit_price": gettext_lazy("Price of one, where there is one."),
    "line_amount": gettext_lazy("Amount of the line."), "taxes": gettext_lazy("List of the taxes, by rate."),
    "tax_label": gettext_lazy("Name of the tax."), "tax_rate": gettext_lazy("Its rate in percent."),
    "tax_base": gettext_lazy("What it is on."), "tax_amount": gettext_lazy("Its amount."),
    "tax_reason": gettext_lazy("Why it is so, as for an exemption; empty without a reason."),
    "english": gettext_lazy("Yes in the English document."), "thai": gettext_lazy("Yes in the Thai document."),
    "is_draft": gettext_lazy("Yes while it is a draft."), "is_open": gettext_lazy("Yes while it is to pay."),
    "is_paid": gettext_lazy("Yes when it is paid."), "is_canceled": gettext_lazy("Yes when it is canceled."),
    "is_tax_inside": gettext_lazy("Yes where prices hold the tax."),
    "has_annex": gettext_lazy("Yes with more than 200 lines."),
    "page": gettext_lazy("Number of the page; in header and footer."),
    "pages": gettext_lazy("How many pages; in header and footer."),
}  # fmt: skip
# Of credit notes, where they mean another thing than on invoices, or are not there.
NOTE_MEANINGS: dict[str, str | Promise] = {
    "title": gettext_lazy("The words Credit note."), "number": gettext_lazy("Number of the credit note."),
    "invoice_number": gettext_lazy("Number of the invoice that it corrects."),
    "invoice_issued_on": gettext_lazy("Day of issue of that invoice."),
    "month": gettext_lazy("The month that the invoice is for."), "reason": gettext_lazy("Why it is given back."),
    "invoice_value": gettext_lazy("What the invoice came to, without tax."),
    "corrected_value": gettext_lazy("What is left of that after this credit note and those before it."),
    "subtotal": gettext_lazy("What this one gives back, without tax."),
    "tax": gettext_lazy("All taxes that it gives back; empty without any."),
    "total": gettext_lazy("Total given back, with its currency."),
    "discount_note": gettext_lazy("Says that amounts are those after discount; empty without one."),
    "lines": gettext_lazy("List of the lines that it gives back of; with more than 200, a sum for each project."),
    "line_number": gettext_lazy("Number of the line on the invoice."),
    "line_quantity": gettext_lazy("How much is given back; empty where only a sum is."),
    "line_unit_price": gettext_lazy("Price of one, as on the invoice, where there is one."),
    "line_invoiced": gettext_lazy("What the line came to on the invoice, after discount."),
    "line_amount": gettext_lazy("What is given back of it."),
    "line_tax_rate": gettext_lazy("Tax rate of the line in percent."),
    "line_tax": gettext_lazy("Tax that is given back of the line."),
    "is_whole": gettext_lazy("Yes where nothing of the invoice is left."),
}  # fmt: skip


def meanings_of(kind: str) -> Mapping[str, str | Promise]:
    """Of each variable of a kind of document, but for labels."""
    known = KINDS[kind]
    merged = {**MEANINGS, **NOTE_MEANINGS} if kind == "credit_note" else MEANINGS
    return {name: merged[name] for name in known.known if name not in known.labels}
