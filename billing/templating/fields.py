"""The closed lists of what a template may name, one for each kind of document. A value is text, a flag, a list of rows,
or the code to scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

PAGE = ("page", "pages")  # known only when the pages are: in header and footer alone
CODE = "qr"


@dataclass(frozen=True)
class Fields:
    """``needed``: without these it is no such document; whoever gets it has to be able to read them."""

    lists: Mapping[str, tuple[str, ...]]
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    flags: tuple[str, ...]
    needed: tuple[str, ...]

    @cached_property
    def list_of(self) -> dict[str, str]:
        return {name: owner for owner, names in self.lists.items() for name in names}

    @cached_property
    def plain(self) -> frozenset[str]:
        return frozenset((*self.texts, *self.labels))

    @cached_property
    def conditions(self) -> frozenset[str]:
        return self.plain | frozenset(self.flags) | frozenset(self.lists) | frozenset(self.list_of)

    @cached_property
    def known(self) -> frozenset[str]:
        return self.conditions | frozenset(PAGE) | {CODE}


_SELLER = ("seller_name", "seller_address", "seller_tax_id", "seller_email")
_BUYER = ("buyer_name", "buyer_email")
_PROOF = ("digest", "verify_address", "verify_words")
_TAXES = ("tax_label", "tax_rate", "tax_base", "tax_amount", "tax_reason")

INVOICE = Fields(
    lists={
        "lines": (
            "line_number", "line_description", "line_project", "line_quantity", "line_unit", "line_unit_price",
            "line_amount",
        ),
        "taxes": _TAXES,
    },
    texts=(
        "title", "number", "state", "month", "issued_on", "due_on", "currency", "exchange_rate", *_SELLER, *_BUYER,
        "subtotal", "discount", "tax", "total", "total_in_words", "total_in_words_other", "paid", "credited", "due",
        "note", "annex_note", "payment_instructions", "bank_name", "bank_account", "bank_holder", "invoice_address",
        *_PROOF,
    ),
    labels=(
        "label_for", "label_month", "label_issued", "label_due_on", "label_exchange_rate", "label_tax_id",
        "label_description", "label_quantity", "label_unit_price", "label_amount", "label_subtotal", "label_discount",
        "label_total", "label_paid", "label_credited", "label_due", "label_note", "label_payment", "label_genuine",
        "label_digest", "label_page", "label_tax_inside",
    ),
    flags=("english", "thai", "is_draft", "is_open", "is_paid", "is_canceled", "is_tax_inside", "has_annex"),
    needed=(
        "number", "seller_name", "buyer_name", "issued_on", "lines", "line_description", "line_amount", "taxes",
        "tax_amount", "total",
    ),
)  # fmt: skip
CREDIT_NOTE = Fields(
    lists={
        "lines": (
            "line_number", "line_description", "line_project", "line_quantity", "line_unit", "line_unit_price",
            "line_invoiced", "line_amount", "line_tax_rate", "line_tax",
        ),
        "taxes": _TAXES,
    },
    texts=(
        "title", "number", "invoice_number", "invoice_issued_on", "month", "issued_on", "reason", "currency",
        "exchange_rate", *_SELLER, *_BUYER, "invoice_value", "corrected_value", "subtotal", "tax", "total",
        "total_in_words", "total_in_words_other", "discount_note", "annex_note", "invoice_address", *_PROOF,
    ),
    labels=(
        "label_for", "label_month", "label_issued", "label_invoice", "label_invoice_issued", "label_reason",
        "label_exchange_rate", "label_tax_id", "label_description", "label_quantity", "label_unit_price",
        "label_invoiced", "label_amount", "label_tax", "label_invoice_value", "label_corrected_value", "label_subtotal",
        "label_total", "label_genuine", "label_digest", "label_page", "label_tax_inside",
    ),
    flags=("english", "thai", "is_whole", "is_tax_inside", "has_annex"),
    needed=(
        "title", "number", "invoice_number", "invoice_issued_on", "issued_on", "reason", "seller_name", "buyer_name",
        "lines", "line_description", "line_amount", "taxes", "tax_rate", "tax_amount", "total",
    ),
)  # fmt: skip
KINDS = {"invoice": INVOICE, "credit_note": CREDIT_NOTE}
