"""Pictures that a template carries in itself: PNG and JPEG as data URI, small. Their size is read before they are."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

MOST_BYTES = 150_000
MOST_PIXELS = 2_000_000
_URI = re.compile(r"data:image/(png|jpeg);base64,")
_PNG = b"\x89PNG\r\n\x1a\n"


class Image(NamedTuple):
    content: bytes
    width: int
    height: int


def read_image(uri: str) -> tuple[Image | None, str]:
    """The picture, or the code of what is wrong with it."""
    match = _URI.match(uri)
    if match is None:
        return None, "image_address"
    if len(uri) > MOST_BYTES * 4 // 3 + 100:
        return None, "image_size"
    try:
        content = base64.b64decode("".join(uri[match.end() :].split()), validate=True)
    except (binascii.Error, ValueError):
        return None, "image_broken"
    size = _png_size(content) if match[1] == "png" else _jpeg_size(content)
    if size is None or not size[0] or not size[1]:
        return None, "image_broken"
    if size[0] * size[1] > MOST_PIXELS or len(content) > MOST_BYTES:
        return None, "image_size"
    return Image(content, *size), ""


def _png_size(content: bytes) -> tuple[int, int] | None:
    if not content.startswith(_PNG) or content[12:16] != b"IHDR" or len(content) < 33:  # noqa: PLR2004
        return None
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """From the first frame header."""
    if not content.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:  # noqa: PLR2004
        kind, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):  # noqa: PLR2004
            return int.from_bytes(content[at + 7 : at + 9], "big"), int.from_bytes(content[at + 5 : at + 7], "big")
        at += 2 + max(length, 2)
    return None
