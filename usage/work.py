"""Long work of this app."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Work
from accounts.services.work import Kind, Outcome, Report, pieces
from core.context import Actor
from core.words.said import say
from usage.reasons import said
from usage.services.imports import Progress, import_usage


def _import_file(work: Work, report: Report) -> Outcome:
    """An uploaded accounting file, by the same path as the command. Safe to repeat: a record comes in once."""
    asked = work.parameters

    def tell(progress: Progress) -> None:
        report(progress.rows, round(progress.rows / progress.done) if progress.done else None, progress.where)

    with TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        with path.open("wb") as handle:
            for part in pieces(work, is_input=True):
                handle.write(part)
        found = import_usage(
            actor=Actor(str(work.owner_id)), source="csv", file=str(path), cluster=asked["cluster"],
            timezone=asked["timezone"], on_progress=tell,
        )  # fmt: skip
    counted = {name: getattr(found, name) for name in ("rows_read", "imported", "updated", "duplicate", "quarantined")}
    if found.left_out:
        counted["left_out"] = sum(found.left_out.values())
    refused = [say("%(why)s: %(n)s", why=said(reason), n=n) for reason, n in found.by_reason.items()]
    return Outcome({**counted, "run": found.run_id}, [*refused, *found.notes])


def _title(work: Work) -> str:
    return _("Import of %(file)s") % {"file": work.parameters["file"]}


IMPORT_FILE = Kind(gettext_lazy("import of a file"), _import_file, "usage.add_importrun", title=_title)
