"""What a bank statement line may be paying, best first, each with the reason. People decide; nothing is matched here.

All candidates are read at once, in a fixed number of queries whatever the number of lines.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import IntEnum
from itertools import chain

from django.db.models import Prefetch, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import Invoice, InvoicePayment, InvoiceStatus, Receipt, ReceiptStatus
from core.clock import real
from core.money import from_minor, to_minor
from core.periods import day_start
from core.words.wording import money_text
from payments.models import BankLine, BankTransfer, TransferStatus
from payments.payables import payable_of

NEAR = timedelta(days=3)
LINKABLE = timedelta(days=31)  # how far from the lines' days an accepted transfer may still be one of them
PAID_BEFORE = timedelta(days=92)  # how long before the lines an invoice may have been paid that one of them names again
SHOWN = 10
MOST_ALIKE = 100  # of one amount; transfers come first, and of more an amount alone says nothing
_SHORTEST = 5  # characters of a reference or number that mean something inside a text
_WORDS = re.compile(r"[^\W_]+")
_DIGITS = re.compile(r"[0-9]+")


class Why(IntEnum):
    """Strongest first."""

    REFERENCE = 1
    NUMBER_AND_AMOUNT = 2
    AMOUNT_AND_DAY = 3
    NUMBER = 4
    AMOUNT = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reported transfer or, when none was reported for it, a receipt or invoice that waits for money; or an invoice
    that is ``paid`` already, which only says where the money may belong. ``document`` is kind and key of what would be
    paid, ``username`` whose it is."""

    kind: str  # "transfer", "receipt" or "invoice"
    pk: int
    document: tuple[str, int]
    number: str
    username: str
    amount_minor: int
    currency: str
    day: date | None = None
    reference: str = ""
    accepted: bool = False
    paid: bool = False

    @property
    def amount(self) -> Decimal:
        return from_minor(self.amount_minor, self.currency)

    @property
    def console_url(self) -> str:
        """Of what would be paid."""
        kind, key = self.document
        return reverse(f"admin:billing_{kind}_change", args=[key])


@dataclass(frozen=True, slots=True)
class Suggestion:
    candidate: Candidate
    why: Why
    same_amount: bool

    @property
    def reason(self) -> str:
        of_invoice = self.candidate.document[0] == "invoice"
        words = {
            Why.REFERENCE: _("same reference"),
            Why.NUMBER_AND_AMOUNT: _("the invoice's number stands in the line, same amount")
            if of_invoice
            else _("the receipt's number stands in the line, same amount"),
            Why.AMOUNT_AND_DAY: _("same amount, at most 3 days apart"),
            Why.NUMBER: _("the invoice's number stands in the line")
            if of_invoice
            else _("the receipt's number stands in the line"),
            Why.AMOUNT: _("same amount"),
        }[self.why]
        if not self.same_amount:
            mine = money_text(self.candidate.amount, self.candidate.currency)
            words = _("%(reason)s, but the amount there is %(sum)s") % {"reason": words, "sum": mine}
        if self.candidate.accepted:
            words = _("%(reason)s; accepted already, matching only ties the two together") % {"reason": words}
        if self.candidate.paid:
            words = _("%(reason)s; paid already: for you to decide whether this is the same money") % {"reason": words}
        return words


def suggestions_for(lines: Sequence[BankLine]) -> dict[int | None, list[Suggestion]]:
    """Suggestions of each line by its id; five queries at most."""
    if not lines:
        return {}
    first, last = min(line.posted_on for line in lines), max(line.posted_on for line in lines)
    book = Candidates(first, last)
    return {line.pk: book.of(line) for line in lines}


class Candidates:
    """Everything that open lines between two days may pay, ready to be looked up."""

    def __init__(self, first: date, last: date) -> None:
        self._all: list[Candidate] = []
        self._by_reference: dict[str, list[Candidate]] = defaultdict(list)
        self._by_number: dict[str, list[Candidate]] = defaultdict(list)
        self._by_amount: dict[tuple[str, int], list[Candidate]] = defaultdict(list)
        transfers = [self._keep(each) for each in _transfers(first, last)]
        told = {each.document for each in transfers if not each.accepted}
        told_of_paid = {each.document for each in transfers}
        for each in chain(_receipts(), _invoices(), _paid_invoices(first, last)):
            if each.document not in (told_of_paid if each.paid else told):
                self._keep(each)
        self._number_sizes = sorted({len(number) for number in self._by_number})

    def _keep(self, candidate: Candidate) -> Candidate:
        if candidate.reference:
            self._by_reference[candidate.reference].append(candidate)
        for number in {plain(candidate.number), "".join(_DIGITS.findall(candidate.number))}:
            if len(number) >= _SHORTEST:
                self._by_number[number].append(candidate)
        self._by_amount[candidate.currency, candidate.amount_minor].append(candidate)
        return candidate

    def of(self, line: BankLine) -> list[Suggestion]:
        """At most ten, best first."""
        found: dict[tuple[str, int], Suggestion] = {}
        for why, candidate in self._reasons(line):
            key = (candidate.kind, candidate.pk)
            if candidate.currency == line.currency and (key not in found or why < found[key].why):
                found[key] = Suggestion(candidate, why, candidate.amount_minor == line.amount_cents)
        ranked = sorted(found.values(), key=lambda each: _rank(each, line))
        return [each for each in ranked if _fits(each)][:SHOWN]

    def _reasons(self, line: BankLine) -> Iterator[tuple[Why, Candidate]]:
        for reference in _references(line):
            for candidate in self._by_reference.get(reference, ()):
                yield Why.REFERENCE, candidate
        for number in self._numbers(line):
            for candidate in self._by_number[number]:
                same = candidate.amount_minor == line.amount_cents
                yield (Why.NUMBER_AND_AMOUNT if same else Why.NUMBER), candidate
        alike = self._by_amount.get((line.currency, line.amount_cents), [])
        for candidate in alike[:MOST_ALIKE]:
            near = candidate.day is not None and any(
                abs(candidate.day - day) <= NEAR for day in (line.posted_on, line.value_on) if day
            )
            yield (Why.AMOUNT_AND_DAY if near else Why.AMOUNT), candidate

    def _numbers(self, line: BankLine) -> set[str]:
        """Numbers of documents that stand in the line, whole or as their digits."""
        found: set[str] = set()
        for text in (line.description, line.reference):
            letters = plain(text)
            for size in self._number_sizes:
                pieces = (letters[at : at + size] for at in range(len(letters) - size + 1))
                found.update(piece for piece in pieces if piece in self._by_number)
        return found


def plain(text: str) -> str:
    """Letters and figures only, in capitals: RC2027-000012 is found in ``rc2027 000012`` and in ``RC2027000012``."""
    return "".join(_WORDS.findall(text)).upper()


def _references(line: BankLine) -> set[str]:
    whole = "".join(line.reference.split()).upper()
    words = {word.upper() for word in line.description.split() if len(word) >= _SHORTEST}
    return {whole, *words} - {""}


def _rank(each: Suggestion, line: BankLine) -> tuple[bool, int, bool, int, int]:
    """What is paid comes after all that waits for money."""
    days = abs((each.candidate.day - line.posted_on).days) if each.candidate.day else 999
    return each.candidate.paid, each.why, not each.same_amount, days, each.candidate.pk


def _fits(each: Suggestion) -> bool:
    """An accepted transfer is offered only where it is surely this money: same amount, and reference or day. What is
    paid already needs more than an amount, too."""
    if each.candidate.paid:
        return each.why != Why.AMOUNT
    return not each.candidate.accepted or (each.same_amount and each.why in (Why.REFERENCE, Why.AMOUNT_AND_DAY))


def _transfers(first: date, last: date) -> Iterable[Candidate]:
    near = Q(transferred_on__gte=first - LINKABLE, transferred_on__lte=last + LINKABLE)
    waiting = Q(status=TransferStatus.SUBMITTED) | Q(near, status=TransferStatus.ACCEPTED)
    rows = BankTransfer.objects.filter(waiting, line__isnull=True).defer("slip")
    for row in rows.select_related("payment__receipt", "payment__invoice__organisation"):
        target, accepted = payable_of(row.payment), row.status == TransferStatus.ACCEPTED
        yield Candidate(
            "transfer", row.pk, (target.kind, target.document.pk), str(target), target.whose,
            row.received_cents if accepted else row.claimed_cents, row.payment.currency, row.transferred_on,
            row.reference, accepted,
        )  # fmt: skip


def _receipts() -> Iterable[Candidate]:
    rows = Receipt.objects.filter(status=ReceiptStatus.PENDING, total__gt=0)
    for row in rows.only("document_number", "user_id", "total", "currency"):
        yield Candidate(
            "receipt", row.pk, ("receipt", row.pk), str(row), row.username, to_minor(row.total, row.currency),
            row.currency,
        )  # fmt: skip


def _invoices() -> Iterable[Candidate]:
    rows = real(Invoice.objects.filter(status=InvoiceStatus.FINALIZED, amount_due__gt=0))
    rows = rows.select_related("organisation")
    for row in rows.only("invoice_number", "organisation__name", "amount_due", "currency"):
        yield Candidate(
            "invoice", row.pk, ("invoice", row.pk), str(row), row.organisation.name,
            to_minor(row.amount_due, row.currency), row.currency,
        )  # fmt: skip


def _paid_invoices(first: date, last: date) -> Iterable[Candidate]:
    """A line may be the money that somebody wrote down before it came, or may have come twice."""
    days = (day_start(first - PAID_BEFORE), day_start(last + LINKABLE))
    rows = real(Invoice.objects.filter(status=InvoiceStatus.PAID, paid_at__gte=days[0], paid_at__lt=days[1]))
    by_hand = Prefetch("payments", InvoicePayment.objects.filter(source="").order_by("pk"), to_attr="by_hand")
    rows = rows.select_related("organisation").prefetch_related(by_hand)
    for row in rows.only("invoice_number", "organisation__name", "total", "currency", "paid_at"):
        said = row.by_hand[-1] if row.by_hand else None
        amount = said.amount if said else row.total
        yield Candidate(
            "invoice", row.pk, ("invoice", row.pk), str(row), row.organisation.name, to_minor(amount, row.currency),
            row.currency, said.received_on if said else timezone.localdate(row.paid_at),
            "".join(said.reference.split()).upper() if said else "", paid=True,
        )  # fmt: skip
