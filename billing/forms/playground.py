"""A job to price: by its numbers, or as one would hand it to sbatch."""

from __future__ import annotations

from decimal import Decimal

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Tier


class PlaygroundForm(forms.Form):
    """A job that has not run: what it would ask of the cluster."""

    tier = forms.ModelChoiceField(Tier.objects.all(), label=_("Tier"), empty_label=None)
    nodes = forms.IntegerField(label=_("Nodes"), min_value=1, max_value=100_000)
    cpus = forms.IntegerField(label=_("CPUs per node"), min_value=0, max_value=100_000)
    gpus = forms.IntegerField(label=_("GPUs per node"), min_value=0, max_value=10_000)
    mem = forms.DecimalField(
        label=_("Memory per node (GB)"), min_value=Decimal(0), max_value=Decimal(1_000_000), decimal_places=3
    )
    hours = forms.DecimalField(
        label=_("Hours"),
        help_text=_("Wall-clock time of the job; 1.5 is one hour and a half."),
        min_value=Decimal(0),
        max_value=Decimal(100_000),
        decimal_places=4,
    )

    DEFAULTS = {"nodes": 1, "cpus": 8, "gpus": 0, "mem": 32, "hours": 12}


class ScriptForm(forms.Form):
    """A job as one would hand it to sbatch. Without a tier, that of the one who asks."""

    script = forms.CharField(
        label=_("Script header or sbatch command"),
        help_text=_(
            "Only the #SBATCH lines and the sbatch command count; nothing is run. The address of this page carries"
            " about 3,000 characters: for a longer script, paste the header alone or send it without a link."
        ),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false", "autocapitalize": "off", "class": "code-box"}),
    )
    tier = forms.ModelChoiceField(
        Tier.objects.all(), label=_("Tier"), required=False, empty_label=_("As my bill would be")
    )

    def ask_a_stranger(self) -> None:
        """Nobody's bill can be looked up: one of the tiers is to be chosen."""
        tiers = self.fields["tier"]
        assert isinstance(tiers, forms.ModelChoiceField)  # noqa: S101 - for the type checker
        tiers.empty_label = None

    EXAMPLE = (
        "#!/bin/bash\n#SBATCH --ntasks=4\n#SBATCH --cpus-per-task=2\n#SBATCH --mem-per-cpu=4G\n#SBATCH --time=2:30:00\n"
    )
