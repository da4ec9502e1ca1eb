"""What payers tell about a bank transfer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.money import places, to_minor
from core.periods import today
from payments.models import Payment
from payments.services.transfers import SLIP_MAX_BYTES, Report


class TransferForm(forms.Form):
    bank = forms.CharField(label=_("Your bank"), max_length=60)
    reference = forms.CharField(
        label=_("Reference number"), max_length=80, help_text=_("As printed on the slip or in your banking app.")
    )
    amount = forms.DecimalField(label=_("Amount transferred"), min_value=Decimal("0.01"), max_digits=14)
    transferred_on = forms.DateField(
        label=_("Day of the transfer"), widget=forms.DateInput(attrs={"type": "date"}), initial=today
    )
    slip = forms.FileField(
        label=_("Slip"), required=False, help_text=_("PNG, JPEG or PDF, at most 2 MB."),
        widget=forms.ClearableFileInput(attrs={"accept": "image/png,image/jpeg,application/pdf"}),
    )  # fmt: skip

    def __init__(self, *args: Any, payment: Payment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.payment = payment
        amount = self.fields["amount"]
        assert isinstance(amount, forms.DecimalField)  # noqa: S101 - declared above
        amount.initial, amount.decimal_places = payment.amount, places(payment.currency)

    def report(self) -> Report:
        """Of a valid form."""
        data = self.cleaned_data
        slip = data["slip"].read(SLIP_MAX_BYTES + 1) if data["slip"] else b""
        amount = to_minor(data["amount"], self.payment.currency)
        return Report(data["bank"], data["reference"], amount, data["transferred_on"], slip)
