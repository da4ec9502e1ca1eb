"""Which typefaces set Thai: found on the system or named by the settings. Files are read where they lie.

Only TrueType outlines serve: what is embedded is a subset of ``glyf``; CFF (most .otf files) is passed over.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from billing.documents.faces import TrueType, UnusableFont
from core.errors import AppError

# (regular, bold), best first: faces with loops and Latin letters of their own read best on a bill.
KNOWN = (
    ("Sarabun-Regular.ttf", "Sarabun-Bold.ttf"),
    ("Loma.ttf", "Loma-Bold.ttf"),
    ("Laksaman.ttf", "Laksaman-Bold.ttf"),
    ("THSarabunNew.ttf", "THSarabunNew Bold.ttf"),
    ("NotoSansThaiLooped-Regular.ttf", "NotoSansThaiLooped-Bold.ttf"),
    ("NotoLoopedThai-Regular.ttf", "NotoLoopedThai-Bold.ttf"),
    ("Waree.ttf", "Waree-Bold.ttf"),
    ("Garuda.ttf", "Garuda-Bold.ttf"),
    ("NotoSansThai-Regular.ttf", "NotoSansThai-Bold.ttf"),
    ("NotoSansThai[wdth,wght].ttf", ""),
    ("NotoSansThai-VariableFont_wdth,wght.ttf", ""),
    ("Umpush.ttf", "Umpush-Bold.ttf"),
    ("Norasi.ttf", "Norasi-Bold.ttf"),
    ("NotoSerifThai-Regular.ttf", "NotoSerifThai-Bold.ttf"),
    ("LeelawUI.ttf", "LeelaUIb.ttf"),
    ("tahoma.ttf", "tahomabd.ttf"),
)


class NoThaiFont(AppError):
    """No usable Thai typeface: a Thai document cannot be made here. ``details["reason"]`` is for administrators."""

    code = "no_thai_font"
    http_status = 503
    exit_code = 78


@dataclass(frozen=True, slots=True)
class Pair:
    """One typeface in two weights; ``bold`` is ``regular`` again where there is no bolder file."""

    regular: TrueType
    bold: TrueType


_found: dict[tuple[object, ...], Pair] = {}


def thai() -> Pair:
    """The Thai typeface of this site. Raises ``NoThaiFont`` with what to do.

    What was found is kept for the life of the process; a failure is looked up anew each time.
    """
    key = (settings.PDF_FONT, settings.PDF_FONT_BOLD, *settings.PDF_FONT_FOLDERS)
    if key not in _found:
        _found[key] = _named() if settings.PDF_FONT else _search()
    return _found[key]


def thai_or_none() -> Pair | None:
    """For documents that can do without."""
    try:
        return thai()
    except NoThaiFont:
        return None


def _named() -> Pair:
    regular = Path(settings.PDF_FONT)
    bold = Path(settings.PDF_FONT_BOLD) if settings.PDF_FONT_BOLD else regular
    try:
        return Pair(_thai_face(regular), _thai_face(bold))
    except UnusableFont as error:
        words = _("The font that PDF_FONT names cannot be used. Name a Thai TrueType font (.ttf), or leave it empty.")
        raise NoThaiFont(words, reason=str(error)) from error


def _search() -> Pair:
    files = _files(settings.PDF_FONT_FOLDERS)
    for regular, bold in KNOWN:
        if regular not in files:
            continue
        try:
            face = _thai_face(files[regular])
        except UnusableFont:
            continue
        try:
            return Pair(face, _thai_face(files[bold]) if bold in files else face)
        except UnusableFont:
            return Pair(face, face)
    raise NoThaiFont(
        _("No Thai font is on the server. Install fonts-thai-tlwg-ttf or fonts-noto-core, or name one in PDF_FONT.")
    )


def _files(folders: list[str]) -> dict[str, Path]:
    """Every known file name below the folders; of two with one name the first in order of path counts."""
    wanted = {name for pair in KNOWN for name in pair if name}
    found: dict[str, Path] = {}
    for folder in folders:
        for place, inner, names in os.walk(folder):
            inner.sort()
            for name in sorted(wanted.intersection(names)):
                found.setdefault(name, Path(place) / name)
    return found


def _thai_face(path: Path) -> TrueType:
    face = TrueType(path)
    if not face.has_thai:
        raise UnusableFont(f"{path} holds no Thai letters.")
    return face
