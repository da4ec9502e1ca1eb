"""What a payment is for: a receipt of a user, or an invoice of an organisation. All that differs stands here.

A receipt asks for one sum and is paid by one payment. An invoice is an account: every sum that arrives is taken,
several payments may pay it, and what is more than was due stays in the organisation's favour.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from billing.debtors import owes
from billing.models import Invoice, InvoiceStatus, Receipt, ReceiptStatus
from billing.services.invoices.drafts import lock_organisations
from billing.services.invoices.payments import PAYABLE, record_payment
from billing.services.invoices.returns import follow_returns
from billing.services.receipts import mark_paid, mark_paid_again, mark_refunded
from core.context import Actor
from core.errors import BadInput, Conflict
from core.money import from_minor, places, to_minor
from payments.models import Payment


class Payable(ABC):
    """One document as payments see it."""

    kind: ClassVar[str]
    takes_parts: ClassVar[bool]  # any sum that arrives settles a payment for it

    @property
    @abstractmethod
    def document(self) -> Receipt | Invoice: ...

    @property
    @abstractmethod
    def name(self) -> str:
        """Kind and number, as people say it."""

    @property
    @abstractmethod
    def due(self) -> Decimal:
        """What a new payment asks for, at most."""

    @property
    @abstractmethod
    def waits(self) -> bool:
        """A payment may be begun for it."""

    @property
    @abstractmethod
    def takes(self) -> bool:
        """Money that arrives for it is money for it."""

    @property
    def is_test(self) -> bool:
        """No money is asked for: its organisation lives by a test clock."""
        return False

    @property
    @abstractmethod
    def page_after(self) -> str:
        """Where the payer comes back to."""

    @abstractmethod
    def locked(self) -> Self:
        """As it stands, held until the transaction ends."""

    @abstractmethod
    def payer(self, actor: Actor, retry_of: Payment | None) -> User:
        """Whose payment a new one is."""

    @abstractmethod
    def owed_by(self, name: str) -> bool:
        """Whether this person is among those who owe it: they decide about no money for it."""

    @abstractmethod
    def settle(self, actor: Actor, payment: Payment, paid_at: datetime, reference: str) -> None:
        """The money of ``payment``, which has just succeeded, is for it."""

    @abstractmethod
    def add(self, actor: Actor, payment: Payment, on_top: Decimal) -> None:
        """Money that came on top of a payment that had succeeded."""

    @abstractmethod
    def follow(self, actor: Actor, payment: Payment, kept_minor: int) -> None:
        """``kept_minor`` of what a payment that succeeded brought is still ours."""

    @property
    def currency(self) -> str:
        return self.document.currency

    @property
    def status(self) -> str:
        return self.document.status

    @property
    def standing(self) -> str:
        return str(self.document.get_status_display())

    @property
    def total(self) -> Decimal:
        return self.document.total

    @property
    def facts(self) -> dict[str, Any]:
        """For the audit log."""
        return {self.kind: self.document.pk}

    @property
    def fields(self) -> dict[str, Any]:
        """Columns of a payment for it."""
        return {self.kind: self.document}

    @property
    @abstractmethod
    def whose(self) -> str:
        """Who owes it, by name."""

    @property
    def url(self) -> str:
        return self.document.get_absolute_url()

    @property
    def start_url(self) -> str:
        """Where the buttons of its page post to."""
        if isinstance(self.document, Invoice):
            return reverse("payments:start_invoice", args=[self.document.uuid])
        return reverse("payments:start", args=[self.document.pk])

    @property
    def console_url(self) -> str:
        return reverse(f"admin:billing_{self.kind}_change", args=[self.document.pk])

    def payments(self) -> QuerySet[Payment]:
        return Payment.objects.filter(**self.fields)

    def amount(self, wanted: Decimal | None) -> Decimal:
        """What a new payment is to be about. Raises ``BadInput`` for a part that it does not take."""
        if wanted is None or wanted == self.due:
            return self.due
        raise BadInput(_("It is paid as a whole."), field="amount")

    def refresh(self) -> None:
        self.document.refresh_from_db()

    def __str__(self) -> str:
        return str(self.document)


class ReceiptPayable(Payable):
    kind, takes_parts = "receipt", False

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt

    @property
    def document(self) -> Receipt:
        return self.receipt

    @property
    def name(self) -> str:
        return _("Receipt %(number)s") % {"number": self.receipt}

    @property
    def due(self) -> Decimal:
        return self.receipt.total

    @property
    def waits(self) -> bool:
        return bool(self.receipt.status == ReceiptStatus.PENDING)

    @property
    def takes(self) -> bool:
        return self.waits

    @property
    def page_after(self) -> str:
        return f"{reverse('payments:thanks')}?rid={self.receipt.pk}"

    @property
    def whose(self) -> str:
        return str(self.receipt.username)

    @classmethod
    def held(cls, key: int) -> ReceiptPayable:
        return cls(Receipt.objects.select_for_update().get(pk=key))

    def locked(self) -> ReceiptPayable:
        return self.held(self.receipt.pk)

    def payer(self, actor: Actor, retry_of: Payment | None) -> User:
        return self.receipt.user

    def owed_by(self, name: str) -> bool:
        return owes(name, self.receipt)

    def settle(self, actor: Actor, payment: Payment, paid_at: datetime, reference: str) -> None:
        mark_paid(actor=actor, receipt=self.receipt, method=payment.provider, tx_ref=reference, paid_at=paid_at)

    def add(self, actor: Actor, payment: Payment, on_top: Decimal) -> None:
        """It stays on the payment, see ``Payment.credit_cents``."""

    def follow(self, actor: Actor, payment: Payment, kept_minor: int) -> None:
        if not kept_minor and self.receipt.status == ReceiptStatus.PAID:
            mark_refunded(actor=actor, receipt=self.receipt)
        elif kept_minor and self.receipt.status == ReceiptStatus.REFUNDED:
            mark_paid_again(actor=actor, receipt=self.receipt)


class InvoicePayable(Payable):
    kind, takes_parts = "invoice", True

    def __init__(self, invoice: Invoice) -> None:
        self.invoice = invoice

    @property
    def document(self) -> Invoice:
        return self.invoice

    @property
    def name(self) -> str:
        return _("Invoice %(number)s") % {"number": self.invoice}

    @property
    def due(self) -> Decimal:
        return self.invoice.amount_due

    @property
    def is_test(self) -> bool:
        return self.invoice.is_test

    @property
    def waits(self) -> bool:
        return bool(self.invoice.status == InvoiceStatus.FINALIZED and self.invoice.amount_due > 0)

    @property
    def takes(self) -> bool:
        return self.invoice.status in PAYABLE

    @property
    def page_after(self) -> str:
        return f"{reverse('payments:thanks')}?invoice={self.invoice.uuid}"

    @property
    def whose(self) -> str:
        return str(self.invoice.organisation.name)

    def locked(self) -> InvoicePayable:
        """As billing does it: the organisation is held, and with it all of its invoices."""
        lock_organisations([self.invoice.organisation_id])
        return InvoicePayable(Invoice.objects.select_related("organisation").get(pk=self.invoice.pk))

    def payer(self, actor: Actor, retry_of: Payment | None) -> User:
        """Whoever began it; finance, where a bank's statement did."""
        user = User.objects.filter(pk=actor.name).first() or (retry_of.user if retry_of else None)
        if user is None:
            raise Conflict(_("Only a person can begin to pay an invoice."))
        return user

    def owed_by(self, name: str) -> bool:
        return owes(name, self.invoice)

    def amount(self, wanted: Decimal | None) -> Decimal:
        if wanted is None or wanted == self.due:
            return self.due
        if not settings.BILLING_PARTIAL_PAYMENTS:
            raise BadInput(_("It is paid as a whole."), field="amount")
        if not wanted.is_finite() or not 0 < wanted <= self.due or wanted != round(wanted, places(self.currency)):
            words = _("An amount above zero, up to what is due, with the decimal places of the currency.")
            raise BadInput(words, field="amount")
        return wanted

    def settle(self, actor: Actor, payment: Payment, paid_at: datetime, reference: str) -> None:
        self._record(actor, payment, payment.captured, reference, paid_at)

    def add(self, actor: Actor, payment: Payment, on_top: Decimal) -> None:
        reference = f"{reference_of(payment)} +{payment.captured_cents}"
        self._record(actor, payment, on_top, reference, timezone.now())

    def _record(self, actor: Actor, payment: Payment, amount: Decimal, reference: str, at: datetime) -> None:
        record_payment(
            actor=actor, invoice=self.invoice, amount=amount, currency=payment.currency, method=payment.provider,
            reference=reference[:255], received_on=timezone.localdate(at, timezone.get_default_timezone()),
            source=source_of(payment),
        )  # fmt: skip

    def follow(self, actor: Actor, payment: Payment, kept_minor: int) -> None:
        gone = from_minor(payment.captured_cents - kept_minor, payment.currency)
        follow_returns(actor=actor, invoice=self.invoice, source=source_of(payment), gone=gone)


def payable(document: Receipt | Invoice) -> Payable:
    return InvoicePayable(document) if isinstance(document, Invoice) else ReceiptPayable(document)


def payable_of(payment: Payment) -> Payable:
    """What ``payment`` is for."""
    return payable(payment.document)


def lock_target(payment: Payment) -> Payable:
    """``payable_of(payment).locked()``; of a receipt in one statement."""
    return ReceiptPayable.held(payment.receipt_id) if payment.receipt_id else payable_of(payment).locked()


def source_of(payment: Payment) -> str:
    """How the books of invoices name a payment."""
    return f"payment:{payment.pk}"


def reference_of(payment: Payment) -> str:
    return str(payment.external_charge_id or payment.external_payment_id or payment.idempotency_key)


def due_minor(target: Payable) -> int:
    return to_minor(target.due, target.currency)
