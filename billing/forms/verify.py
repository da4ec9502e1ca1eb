"""Whether a paper is ours."""

from __future__ import annotations

import re

from django import forms
from django.utils.translation import gettext_lazy as _


class VerifyForm(forms.Form):
    """What stands on a paper: its number and its whole content hash, as printed or as the QR code carries them."""

    number = forms.CharField(label=_("Number"), max_length=40)
    hash = forms.CharField(
        label=_("Content hash (SHA-256)"),
        max_length=200,
        help_text=_("64 digits and letters from a to f; spaces and line breaks do not matter."),
    )

    def clean_hash(self) -> str:
        text = "".join(self.cleaned_data["hash"].split()).lower()
        if not re.fullmatch(r"[0-9a-f]{64}", text):
            raise forms.ValidationError(_("The hash has 64 digits and letters from a to f; copy both lines of it."))
        return text
