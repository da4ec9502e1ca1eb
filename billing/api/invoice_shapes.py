"""How invoices, their lines, credit notes and payments are described."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from billing.invoicing.problems import in_words
from billing.models import InvoiceStatus, LineKind
from core.money import places


class AmountField(serializers.DecimalField):
    """Decimal text with the places of the row's currency."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 40, "decimal_places": 4, **kwargs})

    def get_attribute(self, instance: Any) -> Any:
        value = super().get_attribute(instance)
        if value is None:
            return None
        owner = instance if hasattr(instance, "currency") else instance.invoice
        return f"{value:.{places(owner.currency)}f}"

    def to_representation(self, value: Any) -> str:
        return str(value)


class ExactField(serializers.DecimalField):
    """Decimal text, as many places as there are."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 60, "decimal_places": None, "normalize_output": True, **kwargs})

    def to_representation(self, value: Any) -> str:
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text


class InvoiceTaxSerializer(serializers.Serializer):
    """`base` is without the tax. `rate` in percent; categories as in UNCL5305 (S standard, Z zero, E exempt, O outside
    the tax). `code` is that of `tax-rates`, empty for the site's own tax."""

    label = serializers.CharField()  # type: ignore[assignment]
    rate = serializers.DecimalField(5, 2)
    category = serializers.CharField()
    code = serializers.CharField()
    reason = serializers.CharField()
    reason_th = serializers.CharField()
    base = AmountField()
    amount = AmountField()


class InvoiceLineSerializer(serializers.Serializer):
    """`total` is what it came to, `net` what is left after its share of the discount."""

    number = serializers.IntegerField(source="line_number")
    kind = serializers.ChoiceField(LineKind.values)
    description = serializers.CharField()
    description_th = serializers.CharField()
    project = serializers.UUIDField(source="project.uuid", allow_null=True, default=None)
    subscription = serializers.UUIDField(source="subscription.uuid", allow_null=True, default=None)
    metric = serializers.CharField(source="metric_name")
    unit = serializers.CharField()
    quantity = ExactField()
    unit_price = ExactField(allow_null=True)
    total = AmountField()
    discount = AmountField()
    net = AmountField()
    currency = serializers.CharField()
    original_amount = ExactField(allow_null=True)
    original_currency = serializers.CharField()
    exchange_rate = ExactField(allow_null=True)
    exchange_rate_at = serializers.DateTimeField(allow_null=True)
    exchange_source = serializers.CharField()
    tax_rate = serializers.DecimalField(5, 2)
    tax_category = serializers.CharField()
    period_start = serializers.DateTimeField(allow_null=True)
    period_end = serializers.DateTimeField(allow_null=True)


class InvoiceProblemSerializer(serializers.Serializer):
    """What keeps a draft from being finalized (`blocks`), or what somebody should know."""

    code = serializers.CharField()
    metric = serializers.CharField()
    blocks = serializers.BooleanField()
    message = serializers.SerializerMethodField()

    def get_message(self, problem: dict[str, Any]) -> str:
        return in_words(problem)


class CreditNoteSerializer(serializers.Serializer):
    uuid = serializers.UUIDField()
    number = serializers.CharField()
    issue_date = serializers.DateField()
    reason = serializers.CharField()
    subtotal = AmountField()
    tax = AmountField()
    total = AmountField()
    currency = serializers.CharField()
    digest = serializers.CharField()


class InvoicePaymentSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    amount = AmountField()
    currency = serializers.CharField()
    method = serializers.CharField()
    reference = serializers.CharField()
    received_on = serializers.DateField()
    taken_back = serializers.SerializerMethodField(help_text="It was written down by mistake and counts no more.")

    def get_taken_back(self, payment: Any) -> bool:
        return any(each.source == payment.as_source for each in payment.invoice.returns.all() if not payment.source)


class InvoiceSerializer(serializers.Serializer):
    """`total` = `subtotal` - `discount` + `tax`; `amount_due` = `total` - `amount_paid` - `amount_credited` -
    `amount_written_off`."""

    uuid = serializers.UUIDField()
    number = serializers.CharField(source="invoice_number", allow_null=True, help_text="Null on a draft.")
    organisation = serializers.UUIDField(source="organisation.uuid")
    is_test = serializers.BooleanField(help_text="Of an organisation with a test clock: no real document.")
    year = serializers.IntegerField()
    month = serializers.IntegerField()
    status = serializers.ChoiceField(InvoiceStatus.values)
    overdue = serializers.BooleanField(source="is_overdue")
    currency = serializers.CharField()
    subtotal = AmountField()
    discount = AmountField()
    tax = AmountField()
    total = AmountField()
    amount_paid = AmountField()
    amount_credited = AmountField()
    amount_written_off = AmountField()
    amount_due = AmountField()
    tax_inclusive = serializers.BooleanField(help_text="The amounts of the lines hold the tax already.")
    original_currency = serializers.CharField()
    exchange_rate = ExactField(allow_null=True)
    conversion_date = serializers.DateTimeField(allow_null=True)
    conversion_source = serializers.CharField()
    issue_date = serializers.DateField(allow_null=True)
    due_date = serializers.DateField(allow_null=True)
    paid_at = serializers.DateTimeField(allow_null=True)
    canceled_at = serializers.DateTimeField(allow_null=True)
    notes = serializers.CharField()
    notes_th = serializers.CharField()
    digest = serializers.CharField(help_text="SHA-256 of the document's content.")
    created_at = serializers.DateTimeField()


class InvoiceDetailSerializer(InvoiceSerializer):
    """One invoice with everything on it."""

    lines = InvoiceLineSerializer(many=True)
    taxes = InvoiceTaxSerializer(many=True)
    problems = InvoiceProblemSerializer(many=True)
    credit_notes = CreditNoteSerializer(many=True)
    payments = InvoicePaymentSerializer(many=True)
