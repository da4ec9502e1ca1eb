"""Hold the sums of metered events against the events, or make them anew."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.db.models import Max, Min
from django.utils.translation import gettext as _

from accounts.models import Organisation
from core.commands import AppCommand, month
from core.errors import UsageError
from usage import partitions
from usage.events.store import Stretch, open_store
from usage.models import UsageEvent


class Command(AppCommand):
    help = (
        "Fold sums that many wrote at once, and make the tables of the coming months. --check proves that sums and"
        " events agree (exit 1 when not), --rebuild makes the sums anew."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="compare; writes nothing")
        parser.add_argument("--rebuild", action="store_true", help="make the sums anew; events wait meanwhile")
        parser.add_argument("--month", type=month, metavar="YYYY-MM", help="only this month (all)")
        parser.add_argument("--organisation", metavar="NAME", default="", help="only this organisation (all)")
        parser.add_argument("--dry-run", action="store_true", help="show what would be done")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["check"] and options["rebuild"]:
            raise UsageError("--check and --rebuild do not go together.")
        stretch = Stretch(month=options["month"], organisation_id=_organisation(options["organisation"]))
        if options["check"]:
            return self._check(stretch)
        if options["rebuild"]:
            if options["dry_run"]:
                return {"differences": len(open_store().check(stretch, most=10_000))}
            return {"aggregates": open_store().rebuild(stretch)}
        made = partitions.ensure(partitions.usual_months(), dry_run=options["dry_run"])
        folded = 0 if options["dry_run"] else open_store().fold()
        return {"folded": folded, "months_made": [f"{each:%Y-%m}" for each in made]}

    def _check(self, stretch: Stretch) -> dict[str, Any]:
        found = open_store().check(stretch)
        self.exit_code = int(bool(found))
        span = UsageEvent.objects.aggregate(first=Min("timestamp"), last=Max("timestamp"))
        return {
            "ok": not found,
            "differences": [f"{each.series}: {each.stored} | {each.counted}" for each in found],
            **{name: f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None for name, moment in span.items()},
        }


def _organisation(name: str) -> int | None:
    if not name:
        return None
    found = Organisation.objects.filter(name=name).values_list("pk", flat=True).first()
    if found is None:
        raise UsageError(_("--organisation: there is no organisation %(name)s.") % {"name": name})
    return found
