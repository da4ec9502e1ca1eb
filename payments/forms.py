"""What payers tell about a bank transfer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from core.console.admin import LONGEST_TEXT
from core.errors import BadInput
from core.money import places, to_minor
from core.periods import today
from payments.models import BankTransfer, Payment
from payments.services.transfers import SLIP_MAX_BYTES, Report


def money_field(label: Any, currency: str) -> forms.DecimalField:
    """An amount above zero with no more places than the currency has."""
    least = Decimal(1).scaleb(-places(currency))
    return forms.DecimalField(label=label, min_value=least, max_digits=13, decimal_places=places(currency))


def read_amount(text: str, currency: str) -> Decimal:
    """An amount as people type it. Raises ``BadInput``."""
    field = money_field("", currency)
    try:
        return Decimal(field.clean("".join(text.replace(",", "").split())))
    except ValidationError as error:
        raise BadInput(" ".join(error.messages), field="amount") from error


class TransferForm(forms.Form):
    bank = forms.CharField(label=_("Your bank"), max_length=60)
    reference = forms.CharField(
        label=_("Reference number"), max_length=80, help_text=_("As printed on the slip or in your banking app.")
    )
    transferred_on = forms.DateField(
        label=_("Day of the transfer"),
        initial=today,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),  # the only form that browsers read
    )
    slip = forms.FileField(
        label=_("Slip"), required=False, help_text=_("PNG, JPEG or PDF, at most 2 MB."),
        widget=forms.ClearableFileInput(attrs={"accept": "image/png,image/jpeg,application/pdf"}),
    )  # fmt: skip

    field_order = ("bank", "reference", "amount")

    def __init__(self, *args: Any, payment: Payment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.payment = payment
        amount = money_field(_("Amount transferred"), payment.currency)
        amount.initial = payment.missing  # a part may have arrived already
        self.fields["amount"] = amount
        self.order_fields(self.field_order)

    def report(self) -> Report:
        """Of a valid form."""
        data = self.cleaned_data
        slip = data["slip"].read(SLIP_MAX_BYTES + 1) if data["slip"] else b""
        amount = to_minor(data["amount"], self.payment.currency)
        return Report(data["bank"], data["reference"], amount, data["transferred_on"], slip)


class AcceptForm(forms.Form):
    """What the bank's record shows of a reported transfer."""

    note = forms.CharField(
        label=_("What the bank's record shows"), max_length=LONGEST_TEXT, widget=forms.TextInput(attrs={"size": 60})
    )

    def __init__(self, transfer: BankTransfer, data: Any = None) -> None:
        super().__init__(data, initial={"amount": transfer.claimed})
        amount = money_field(_("Amount received"), transfer.payment.currency)
        self.fields = {"amount": amount, **self.fields}
