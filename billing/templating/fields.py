"""The closed list of what a template may name. A value is text, a flag, a list of rows, or the code to scan."""

from __future__ import annotations

LISTS: dict[str, tuple[str, ...]] = {
    "lines": (
        "line_number", "line_description", "line_project", "line_quantity", "line_unit", "line_unit_price",
        "line_amount",
    ),
    "taxes": ("tax_label", "tax_rate", "tax_base", "tax_amount", "tax_reason"),
}  # fmt: skip
TEXTS = (
    "title", "number", "state", "month", "issued_on", "due_on", "currency", "exchange_rate",
    "seller_name", "seller_address", "seller_tax_id", "seller_email",
    "buyer_name", "buyer_email",
    "subtotal", "discount", "tax", "total", "total_in_words", "total_in_words_other", "paid", "credited", "due",
    "note", "annex_note",
    "payment_instructions", "bank_name", "bank_account", "bank_holder", "invoice_address",
    "digest", "verify_address", "verify_words",
)  # fmt: skip
LABELS = (
    "label_for", "label_month", "label_issued", "label_due_on", "label_exchange_rate", "label_tax_id",
    "label_description", "label_quantity", "label_unit_price", "label_amount", "label_subtotal", "label_discount",
    "label_total", "label_paid", "label_credited", "label_due", "label_note", "label_payment", "label_genuine",
    "label_digest", "label_page", "label_tax_inside",
)  # fmt: skip
FLAGS = ("english", "thai", "is_draft", "is_open", "is_paid", "is_canceled", "is_tax_inside", "has_annex")
PAGE = ("page", "pages")  # known only when the pages are: in header and footer alone
CODE = "qr"
# Without these it is no invoice.
NEEDED = (
    "number", "seller_name", "buyer_name", "issued_on", "lines", "line_description", "line_amount", "taxes",
    "tax_amount", "total",
)  # fmt: skip

LIST_OF = {name: owner for owner, names in LISTS.items() for name in names}
PLAIN = frozenset((*TEXTS, *LABELS))
CONDITIONS = PLAIN | frozenset(FLAGS) | frozenset(LISTS) | frozenset(LIST_OF)
KNOWN = CONDITIONS | frozenset(PAGE) | {CODE}
