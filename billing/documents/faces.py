"""Typefaces: how wide a text is, which glyphs it becomes, and the font objects of a document that used them.

A TrueType face is shaped by HarfBuzz, so that Thai vowels and tone marks stand where they belong, and is
embedded as a subset. Every code of the embedded font stands for a glyph together with the text it shows: what is
copied or searched in the document is the text that was written, whatever form of a mark the font chose.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

THAI = range(0x0E01, 0x0E5C)
EM = 1000
RESTRICTED = 0x0002  # OS/2 fsType: may not be embedded
BOLD_STEM, REGULAR_STEM = 140, 80
SYMBOLIC = 4


class UnusableFont(Exception):
    """The file is no font that can be embedded; the message says why."""


class Glyph(NamedTuple):
    """One mark on paper; lengths in thousandths of the font size. ``text`` is what it stands for."""

    gid: int
    text: str
    advance: int
    dx: int
    dy: int
    natural: int  # the advance that the font itself gives the glyph


class Builtin:
    """One of the faces that every PDF reader has: Latin letters, no embedding."""

    instead = {"\u2212": "\u2013", "\u202f": " "}

    def __init__(self, name: str) -> None:
        self.name = name

    def has(self, character: str) -> bool:
        return bool(_latin(self.instead.get(character, character)))

    def encode(self, text: str) -> bytes:
        """What it cannot show becomes a question mark."""
        return b"".join(_latin(self.instead.get(character, character)) or b"?" for character in text)

    def width(self, text: str) -> float:
        """In thousandths of the font size."""
        from reportlab.pdfbase.pdfmetrics import stringWidth

        width: float = stringWidth(self.encode(text).decode("cp1252"), self.name, EM)
        return width


@lru_cache(4096)
def _latin(character: str) -> bytes:
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return b""


class TrueType:
    """A font file. Immutable once read: documents made at the same time share it."""

    def __init__(self, path: Path) -> None:
        import uharfbuzz

        self.path = path
        try:
            self.face = uharfbuzz.Face(uharfbuzz.Blob(path.read_bytes()))
        except (OSError, ValueError, uharfbuzz.HarfBuzzError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise UnusableFont(f"{path}: {reason or 'no font'}.") from error
        tables = set(self.face.table_tags)
        if not {"glyf", "loca", "hmtx", "cmap"} <= tables:
            why = "its outlines are not TrueType" if "cmap" in tables else "it is no font"
            raise UnusableFont(f"{path}: {why}.")
        if "OS/2" in tables and int.from_bytes(self._table("OS/2")[8:10], "big") & 0x000F == RESTRICTED:
            raise UnusableFont(f"{path}: its maker does not permit embedding.")
        self.characters = frozenset(self.face.unicodes)
        self.font = uharfbuzz.Font(self.face)
        self.scale: float = EM / self.face.upem
        self.shape = lru_cache(8192)(self._shape)
        self._plain = {chr(code): self._glyph_of(code) for code in range(0x20, 0x7F) if code in self.characters}

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def has_thai(self) -> bool:
        return {0x0E01, 0x0E32, 0x0E48} <= self.characters

    def has(self, character: str) -> bool:
        return ord(character) in self.characters

    def width(self, text: str) -> float:
        return sum(glyph.advance for glyph in self.shape(text))

    def _table(self, tag: str) -> bytes:
        return bytes(self.face.reference_table(tag).data)

    def _natural(self, gid: int) -> int:
        units: int = self.font.get_glyph_h_advance(gid)
        return round(units * self.scale)

    def _glyph_of(self, code: int) -> Glyph:
        gid = self.font.get_nominal_glyph(code) or 0
        return Glyph(gid, chr(code), self._natural(gid), 0, 0, self._natural(gid))

    def _shape(self, text: str) -> tuple[Glyph, ...]:
        """Letters, digits and signs of ASCII stand side by side as they are; all else goes through HarfBuzz."""
        if text.isascii() and all(character in self._plain for character in text):
            return tuple(self._plain[character] for character in text)
        import uharfbuzz

        buffer = uharfbuzz.Buffer()
        buffer.cluster_level = uharfbuzz.BufferClusterLevel.MONOTONE_CHARACTERS
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.direction = "ltr"
        uharfbuzz.shape(self.font, buffer, {"kern": False, "liga": False})
        pairs = list(zip(buffer.glyph_infos, buffer.glyph_positions, strict=True))
        return tuple(self._glyphs(text, pairs))

    def _glyphs(self, text: str, pairs: list[Any]) -> list[Glyph]:
        """Each glyph with its share of the text of its cluster."""
        starts = sorted({info.cluster for info, _position in pairs})
        ends = dict(zip(starts, [*starts[1:], len(text)], strict=True))
        found = []
        for cluster, group in groupby(pairs, key=lambda pair: pair[0].cluster):
            members = list(group)
            shares = _shares(text[cluster : ends[cluster]], len(members))
            for (info, at), shown in zip(members, shares, strict=True):
                advance, dx, dy = (round(each * self.scale) for each in (at.x_advance, at.x_offset, at.y_offset))
                found.append(Glyph(info.codepoint, shown, advance, dx, dy, self._natural(info.codepoint)))
        return found


def _shares(text: str, glyphs: int) -> list[str]:
    """A letter a glyph from the end; the first takes what is left over, or nothing.

    Sara am is drawn as a ring before the tone mark and a vowel after it: the ring has no text, the vowel is the am.
    """
    tail = max(glyphs - 1, 0)
    if len(text) < glyphs:
        return [""] * (glyphs - len(text)) + list(text)
    return [text[: len(text) - tail], *text[len(text) - tail :]]


class Embedded:
    """What one document uses of a TrueType face. Codes are given in order of use: the same text, the same bytes."""

    def __init__(self, face: TrueType, name: str, *, bold: bool = False) -> None:
        self.face, self.name, self.bold = face, name, bold
        self.tag = "A" + chr(ord("A") + int(name[1:]) % 26)  # ends the six letters that mark a subset
        self._codes: dict[tuple[int, str], int] = {}
        self._widths = [face._natural(0)]
        self._gids = [0]

    def code(self, glyph: Glyph) -> int:
        key = (glyph.gid, glyph.text)
        found = self._codes.get(key)
        if found is None:
            found = self._codes[key] = len(self._gids)
            self._gids.append(glyph.gid)
            self._widths.append(glyph.natural)
        return found

    def add_to(self, doc: Any) -> None:
        """The objects of a composite font: subset, widths, code to glyph, code to text."""
        from reportlab.pdfbase import pdfdoc

        base = f"HPCB{self.tag}+{self.face.name.replace(' ', '')}"
        descendant = pdfdoc.PDFDictionary(
            {
                "Type": "/Font", "Subtype": "/CIDFontType2", "BaseFont": pdfdoc.PDFName(base),
                "CIDSystemInfo": pdfdoc.PDFDictionary(
                    {"Registry": pdfdoc.PDFString("Adobe"), "Ordering": pdfdoc.PDFString("Identity"), "Supplement": 0}
                ),
                "W": pdfdoc.PDFArray([0, pdfdoc.PDFArray(self._widths)]),
                "CIDToGIDMap": self._stream(doc, b"".join(gid.to_bytes(2, "big") for gid in self._gids), "gids"),
                "FontDescriptor": doc.Reference(self._descriptor(doc, base), f"{self.name}.descriptor"),
            }
        )  # fmt: skip
        font = pdfdoc.PDFDictionary(
            {
                "Type": "/Font", "Subtype": "/Type0", "BaseFont": pdfdoc.PDFName(base), "Encoding": "/Identity-H",
                "DescendantFonts": pdfdoc.PDFArray([doc.Reference(descendant, f"{self.name}.descendant")]),
                "ToUnicode": self._stream(doc, self._to_unicode(), "unicode"),
            }
        )  # fmt: skip
        doc.idToObject["BasicFonts"].dict[self.name] = doc.Reference(font, f"{self.name}.font")

    def _stream(self, doc: Any, content: bytes, what: str, **entries: Any) -> Any:
        from reportlab.pdfbase import pdfdoc

        stream = pdfdoc.PDFStream(content=content, filters=[pdfdoc.PDFZCompress])
        for key, value in entries.items():
            stream.dictionary[key] = value
        return doc.Reference(stream, f"{self.name}.{what}")

    def _descriptor(self, doc: Any, base: str) -> Any:
        from reportlab.pdfbase import pdfdoc

        head, file = self.face._table("head"), self._subset()
        scale = self.face.scale
        box = [round(int.from_bytes(head[at : at + 2], "big", signed=True) * scale) for at in (36, 38, 40, 42)]
        extents = self.face.font.get_font_extents("ltr")
        return pdfdoc.PDFDictionary(
            {
                "Type": "/FontDescriptor", "FontName": pdfdoc.PDFName(base), "Flags": SYMBOLIC, "ItalicAngle": 0,
                "FontBBox": pdfdoc.PDFArray(box), "Ascent": round(extents.ascender * scale),
                "Descent": round(extents.descender * scale), "CapHeight": 700,
                "StemV": BOLD_STEM if self.bold else REGULAR_STEM,
                "FontFile2": self._stream(doc, file, "file", Length1=len(file)),
            }
        )  # fmt: skip

    def _subset(self) -> bytes:
        """Outlines of the glyphs that were used, under their own numbers; no layout tables, no names."""
        import uharfbuzz

        wanted = uharfbuzz.SubsetInput()
        flags = uharfbuzz.SubsetFlags
        wanted.flags = flags.RETAIN_GIDS | flags.NO_LAYOUT_CLOSURE | flags.NO_HINTING | flags.NOTDEF_OUTLINE
        wanted.glyph_set.update(sorted(set(self._gids)))
        drop = ("GSUB", "GPOS", "GDEF", "DSIG", "FFTM", "name", "post", "OS/2", "cmap", "gasp")
        wanted.drop_table_tag_set.update(int.from_bytes(tag.encode(), "big") for tag in drop)
        if self.face.face.has_var_data:
            wanted.pin_all_axes_to_default(self.face.face)
        return bytes(uharfbuzz.subset(self.face.face, wanted).blob.data)

    def _to_unicode(self) -> bytes:
        pairs = [
            f"<{code:04X}> <{text.encode('utf-16-be').hex().upper()}>" for (_gid, text), code in self._codes.items()
        ]
        parts = [pairs[start : start + 100] for start in range(0, len(pairs), 100)]
        blocks = "\n".join(f"{len(part)} beginbfchar\n" + "\n".join(part) + "\nendbfchar" for part in parts)
        return (
            "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
            "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
            f"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n{blocks}\n"
            "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend"
        ).encode()
