"""Where a receipt, invoice or credit note stands in the audit log, so that its holder can prove it."""

from __future__ import annotations

from typing import Any

from audit import proofs
from billing.models import CreditNote, Invoice, Receipt

ISSUED = {Receipt: "receipt_create", Invoice: "invoice_finalize", CreditNote: "invoice_credit"}
Document = Receipt | Invoice | CreditNote


def position_of(document: Document) -> proofs.Position | None:
    """The entry that was written when the document was issued; None for a draft, or when it is in an archive."""
    return proofs.position(document, ISSUED[type(document)]) if document.digest else None


def proof_of(document: Document, reader: Any) -> dict[str, Any] | None:
    """See ``audit.proofs.proof``; None while there is none."""
    where = position_of(document)
    if where is None:
        return None
    number = str(document).lstrip("#")
    about = {"kind": str(document._meta.model_name), "number": str(number), "digest": document.digest}
    return proofs.proof(where, about, reader.get_username(), whole=reader.has_perm("audit.view_auditlog"))
