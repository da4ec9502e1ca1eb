"""How receipts, their lines and previews are described."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from billing.models import CpuBasis, ReceiptStatus
from core.api.serializers import HoursField, MoneyField, RateField


class TaxSerializer(serializers.Serializer):
    """An empty label is no tax. `rate` in percent; `inclusive`: it is inside the prices."""

    label = serializers.CharField()  # type: ignore[assignment]
    rate = serializers.DecimalField(5, 2)
    inclusive = serializers.BooleanField()
    amount = MoneyField()


class RatesSerializer(serializers.Serializer):
    """Money per core-hour, GPU-hour and GB-hour."""

    cpu = RateField()
    gpu = RateField()
    mem = RateField()


class ReceiptSerializer(serializers.Serializer):
    """Everything that made its amounts is written on it and never changes."""

    id = serializers.IntegerField()
    number = serializers.CharField(source="document_number")
    user = serializers.CharField(source="username")
    start = serializers.DateField()
    end = serializers.DateField()
    issued_on = serializers.DateField()
    status = serializers.ChoiceField(ReceiptStatus.values)
    tier = serializers.CharField(source="pricing_tier_id")
    tier_reason = serializers.CharField()
    rate_version = serializers.IntegerField(source="rate_version_id")
    rates = serializers.SerializerMethodField()
    cpu_basis = serializers.ChoiceField(CpuBasis.values)
    price_at = serializers.CharField()
    rates_locked_at = serializers.DateTimeField()
    subtotal = MoneyField()
    tax = serializers.SerializerMethodField()
    total = MoneyField()
    currency = serializers.CharField()
    note = serializers.CharField()
    adjusts_month = serializers.DateField(allow_null=True)
    method = serializers.CharField()
    paid_at = serializers.DateTimeField(allow_null=True)
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()
    created_at = serializers.DateTimeField()
    digest = serializers.CharField(help_text="SHA-256 of the document's content.")

    def get_rates(self, receipt: Any) -> RatesSerializer:
        values = {"cpu": receipt.rate_cpu, "gpu": receipt.rate_gpu, "mem": receipt.rate_mem}
        return RatesSerializer(values).data  # type: ignore[return-value]

    def get_tax(self, receipt: Any) -> TaxSerializer:
        values = {
            "label": receipt.tax_label, "rate": receipt.tax_rate, "inclusive": receipt.tax_inclusive,
            "amount": receipt.tax_amount,
        }  # fmt: skip
        return TaxSerializer(values).data  # type: ignore[return-value]


class ReceiptItemSerializer(serializers.Serializer):
    """One job on a receipt."""

    id = serializers.IntegerField()
    job_key = serializers.CharField()
    job_id = serializers.CharField(source="job_id_display")
    core_hours = HoursField(source="cpu_core_hours")
    gpu_hours = HoursField()
    gb_hours = HoursField(source="mem_gb_hours")
    cost = MoneyField()
    currency = serializers.SerializerMethodField()
    live = serializers.BooleanField(source="is_live", help_text="False once its receipt is void.")

    def get_currency(self, item: Any) -> str:
        return str(self.context["currency"])


class PreviewedReceiptSerializer(serializers.Serializer):
    """What one receipt would hold."""

    tier = serializers.CharField(source="tier.pk")
    tier_reason = serializers.CharField(source="reason")
    rate_version = serializers.IntegerField(source="version.pk")
    rates = RatesSerializer(source="version")
    accounts = serializers.ListField(child=serializers.CharField())
    jobs = serializers.IntegerField()
    core_hours = HoursField(source="cpu_core_hours")
    gpu_hours = HoursField()
    gb_hours = HoursField(source="mem_gb_hours")
    subtotal = MoneyField(source="sums.subtotal")
    tax = serializers.SerializerMethodField()
    total = MoneyField()

    def get_tax(self, quote: Any) -> TaxSerializer:
        tax = quote.tax
        values = {"label": tax.label, "rate": tax.rate, "inclusive": tax.inclusive, "amount": quote.sums.tax}
        return TaxSerializer(values).data  # type: ignore[return-value]


class PreviewSerializer(serializers.Serializer):
    """`skipped` counts the jobs that stay off, by reason (docs/pricing.md)."""

    start = serializers.DateField()
    end = serializers.DateField()
    receipts = PreviewedReceiptSerializer(source="quotes", many=True)
    total = MoneyField()
    currency = serializers.CharField()
    expected = serializers.CharField(source="token")
    skipped = serializers.DictField(child=serializers.IntegerField())
