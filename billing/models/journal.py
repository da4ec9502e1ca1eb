"""The double-entry journal: what documents and money mean for the books, and where it went from here.

An entry is made of *postings*, and a posting is a pair: one amount, the account that is debited and the account that is
credited. An entry that does not balance cannot even be written down.
"""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models.functions import Cast, Now
from django.db.models.lookups import EndsWith
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from accounts.models import Organisation
from billing.models.invoices import MONEY, Invoice
from billing.models.receipts import Receipt
from core.console.worded import worded
from core.states import Transitions
from core.words.wording import is_thai, month_text

NUMBER = 20  # length of an account number


class SourceKind(models.TextChoices):
    """What makes an entry. ``source_id`` is the key of its row, ``part`` the month of what goes by months."""

    RECEIPT = "receipt", _("receipt issued")
    RECEIPT_VOID = "receipt_void", _("receipt voided")
    RECEIPT_BY_HAND = "receipt_by_hand", _("receipt paid, by hand")
    PAYMENT = "payment", _("money received")
    PAYMENT_USE = "payment_use", _("money used for a receipt")
    REFUND = "refund", _("money given back")
    DISPUTE = "dispute", _("money taken back by the payer's bank")
    INVOICE = "invoice", _("invoice finalized")
    CREDIT_NOTE = "credit_note", _("credit note")
    INVOICE_PAYMENT = "invoice_payment", _("payment of an invoice")
    INVOICE_RETURN = "invoice_return", _("payment of an invoice given back")
    CREDIT_ENTRY = "credit_entry", _("balance of an organisation")
    WRITE_OFF = "write_off", _("bad debt")
    RECOGNITION = "recognition", _("part of a fee, earned")
    RECOGNITION_BACK = "recognition_back", _("part of a fee, taken back")


class LedgerAccount(models.Model):
    """The account number and name that the site's books have for one role of the journal (``billing.ledger.chart``)."""

    role = models.CharField(_("role"), max_length=40, unique=True)
    number = models.CharField(_("account number"), max_length=NUMBER)
    name = models.CharField(_("name"), max_length=120)
    name_th = models.CharField(_("name in Thai"), max_length=120, blank=True)
    cost_centre = models.CharField(_("cost centre"), max_length=40, blank=True)
    changed_by = models.CharField(_("changed by"), max_length=64, blank=True, editable=False)
    updated_at = models.DateTimeField(_("last change"), auto_now=True, editable=False)

    class Meta:
        db_table = "ledger_accounts"
        ordering = ("number", "role")
        verbose_name = _("account of the books")
        verbose_name_plural = _("accounts of the books")
        constraints = (
            models.CheckConstraint(
                condition=~models.Q(number=""),
                name=worded("ledger_accounts_has_number", _("Account number: give one; every account has its own.")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.number} {self.label}"

    @property
    def label(self) -> str:
        return self.name_th if is_thai() and self.name_th else self.name


class PeriodStatus(models.TextChoices):
    CLOSED = "closed", _("closed")
    OPEN = "open", _("opened again")


PERIOD_TRANSITIONS: Transitions = {
    PeriodStatus.CLOSED: frozenset({PeriodStatus.OPEN}),
    PeriodStatus.OPEN: frozenset({PeriodStatus.CLOSED}),
}


class AccountingPeriod(models.Model):
    """A month of the books that finance has closed: no entry is dated in it. ``figures``: the trial balance then."""

    month = models.DateField(_("month"), unique=True, help_text=_("Its first day."))
    status = models.CharField(_("status"), max_length=6, choices=PeriodStatus, default=PeriodStatus.CLOSED)
    figures = models.JSONField(_("figures"), default=dict, blank=True)
    note = models.CharField(_("note"), max_length=255, blank=True)
    closed_by = models.CharField(_("closed by"), max_length=64)
    closed_at = models.DateTimeField(_("closed"))

    class Meta:
        db_table = "accounting_periods"
        ordering = ("-month",)
        verbose_name = _("accounting period")
        verbose_name_plural = _("accounting periods")
        permissions = (("close_accountingperiod", gettext_noop("Can close and open accounting periods")),)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=PeriodStatus.values), name="accounting_periods_status_known"
            ),
            # as text: Django's own "day of" is a function that SQLite's tools do not have
            models.CheckConstraint(
                condition=EndsWith(Cast("month", models.TextField()), "-01"), name="accounting_periods_first_day"
            ),
        )

    def __str__(self) -> str:
        return month_text(self.month)


class JournalEntry(models.Model):
    """One fact in the books. ``fact_date`` is its own day, ``date`` the day on which it stands in the books: the same,
    or the first day of the first open period where its own is closed. Never changed or removed; where a document says
    something else than before, a further entry of the same source (``sequence``) has the difference."""

    kind = models.CharField(_("made by"), max_length=20, choices=SourceKind)
    source_id = models.BigIntegerField(_("its row"))
    part = models.CharField(_("part"), max_length=7, blank=True, default="")
    sequence = models.PositiveIntegerField(_("sequence"), default=1)
    date = models.DateField(_("date"))
    fact_date = models.DateField(_("day of the fact"))
    currency = models.CharField(_("currency"), max_length=3)
    document = models.CharField(_("document"), max_length=80, blank=True)
    text = models.CharField(_("text"), max_length=255, blank=True)
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("organisation")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, db_column="username", related_name="+",
        verbose_name=_("user"),
    )  # fmt: skip
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, blank=True, related_name="journal", verbose_name=_("invoice")
    )
    receipt = models.ForeignKey(
        Receipt, models.PROTECT, null=True, blank=True, related_name="journal", verbose_name=_("receipt")
    )
    reverses = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="reversed_by", verbose_name=_("takes back")
    )
    postings_count = models.PositiveSmallIntegerField(_("postings"))
    posted_by = models.CharField(_("posted by"), max_length=64)
    posted_at = models.DateTimeField(_("posted"), db_default=Now(), editable=False)

    class Meta:
        db_table = "journal_entries"
        ordering = ("-id",)
        verbose_name = _("journal entry")
        verbose_name_plural = _("journal")
        indexes = (
            models.Index(fields=["date", "id"], name="idx_journal_date"),
            models.Index(fields=["organisation", "fact_date"], name="idx_journal_organisation"),
            models.Index(fields=["invoice"], name="idx_journal_invoice"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["kind", "source_id", "part", "sequence"], name="journal_entries_once_a_source"
            ),
            models.CheckConstraint(condition=models.Q(kind__in=SourceKind.values), name="journal_entries_kind_known"),
            models.CheckConstraint(
                condition=models.Q(date__gte=models.F("fact_date")), name="journal_entries_never_before_the_fact"
            ),
            models.CheckConstraint(
                condition=models.Q(postings_count__gte=1, sequence__gte=1), name="journal_entries_has_postings"
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("admin:billing_journalentry_change", args=[self.pk])


class JournalPosting(models.Model):
    """``amount`` of the entry's currency from the account ``credit`` to the account ``debit``: balanced by what it is.
    ``debit_month`` and ``credit_month``: the month in which that side was earned, where it is revenue."""

    entry = models.ForeignKey(JournalEntry, models.PROTECT, related_name="postings", verbose_name=_("entry"))
    position = models.PositiveSmallIntegerField(_("position"))
    debit = models.CharField(_("debit"), max_length=40)
    credit = models.CharField(_("credit"), max_length=40)
    amount = models.DecimalField(_("amount"), **MONEY)
    debit_month = models.DateField(_("month earned (debit)"), null=True, blank=True)
    credit_month = models.DateField(_("month earned (credit)"), null=True, blank=True)

    class Meta:
        db_table = "journal_postings"
        ordering = ("entry", "position")
        verbose_name = _("posting")
        verbose_name_plural = _("postings")
        indexes = (
            models.Index(fields=["debit", "entry"], name="idx_posting_debit"),
            models.Index(fields=["credit", "entry"], name="idx_posting_credit"),
        )
        constraints = (
            models.UniqueConstraint(fields=["entry", "position"], name="journal_postings_position_once"),
            models.CheckConstraint(condition=models.Q(amount__gt=Decimal(0)), name="journal_postings_positive"),
            models.CheckConstraint(
                condition=~models.Q(debit=models.F("credit")) & ~models.Q(debit="") & ~models.Q(credit=""),
                name="journal_postings_two_accounts",
            ),
        )

    def __str__(self) -> str:
        return f"{self.debit} / {self.credit} {self.amount}"


class JournalState(models.Model):
    """One row: up to which moment every change of a document has been posted."""

    posted_to = models.DateTimeField(_("posted up to"), null=True)

    class Meta:
        db_table = "journal_state"
        verbose_name = _("state of the journal")
        verbose_name_plural = _("state of the journal")

    def __str__(self) -> str:
        return str(self.posted_to)


class WriteOff(models.Model):
    """What of an invoice nobody expects any more (positive), or expects again after all (negative). Append-only;
    ``amount_written_off`` of the invoice is their sum."""

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="write_offs", verbose_name=_("invoice"))
    amount = models.DecimalField(_("amount"), **MONEY)
    currency = models.CharField(_("currency"), max_length=3)
    written_on = models.DateField(_("day"))
    reason = models.CharField(_("reason"), max_length=255)
    created_by = models.CharField(_("created by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "write_offs"
        ordering = ("-id",)
        verbose_name = _("bad debt")
        verbose_name_plural = _("bad debts")
        permissions = (("write_off_invoice", gettext_noop("Can write invoices off as bad debt")),)
        constraints = (
            models.CheckConstraint(condition=~models.Q(amount=0), name="write_offs_not_nought"),
            models.CheckConstraint(condition=~models.Q(reason=""), name="write_offs_has_reason"),
        )

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class JournalExport(models.Model):
    """A batch of entries that was handed to the ERP, for good: which, when, by whom, and with which account numbers.
    It can be taken again and is the same file then; no entry is in two batches."""

    first_day = models.DateField(_("from"), null=True, blank=True)
    last_day = models.DateField(_("to"))
    entries = models.PositiveIntegerField(_("entries"))
    chart = models.JSONField(_("accounts as exported"), default=dict)
    columns = models.JSONField(_("columns as exported"), default=list)
    created_by = models.CharField(_("created by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "journal_exports"
        ordering = ("-id",)
        verbose_name = _("export of the journal")
        verbose_name_plural = _("exports of the journal")

    def __str__(self) -> str:
        return f"#{self.pk}"


class ExportedEntry(models.Model):
    entry = models.OneToOneField(JournalEntry, models.PROTECT, related_name="exported", verbose_name=_("entry"))
    export = models.ForeignKey(JournalExport, models.PROTECT, related_name="rows", verbose_name=_("export"))

    class Meta:
        db_table = "journal_exported_entries"
        verbose_name = _("exported entry")
        verbose_name_plural = _("exported entries")

    def __str__(self) -> str:
        return f"{self.export_id}: {self.entry_id}"


class ExportColumn(models.Model):
    """One column of the ERP's file, in order: what is in it, and what its head says there."""

    position = models.PositiveSmallIntegerField(_("position"), unique=True)
    field = models.CharField(_("content"), max_length=30)
    head = models.CharField(_("head"), max_length=60)

    class Meta:
        db_table = "journal_export_columns"
        ordering = ("position",)
        verbose_name = _("column of the journal export")
        verbose_name_plural = _("columns of the journal export")
        constraints = (
            models.CheckConstraint(
                condition=~models.Q(head=""),
                name=worded("journal_export_columns_has_head", _("Head: give one; every column has its own.")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.position}. {self.head}"
