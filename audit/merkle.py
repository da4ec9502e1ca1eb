"""Hash trees over rows of the log, as RFC 6962 builds them. Pure.

With the root in a signed head, one row can be shown to be under it with a few hashes of its neighbours, and
without a word of what their rows say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY = hashlib.sha256(b"").hexdigest()


def leaf(row_hash: str) -> bytes:
    return hashlib.sha256(b"\x00" + bytes.fromhex(row_hash)).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(number: int) -> int:
    """The largest power of two below ``number``."""
    return 1 << (number - 1).bit_length() - 1


def _root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    cut = _split(len(leaves))
    return _node(_root(leaves[:cut]), _root(leaves[cut:]))


def root(row_hashes: Sequence[str]) -> str:
    """Hexadecimal root over the hashes of rows, in their order."""
    return _root([leaf(each) for each in row_hashes]).hex() if row_hashes else EMPTY


def path(row_hashes: Sequence[str], index: int) -> list[str]:
    """What stands beside the way from a row to the root, from below."""
    leaves, found = [leaf(each) for each in row_hashes], []
    while len(leaves) > 1:
        cut = _split(len(leaves))
        if index < cut:
            found.append(_root(leaves[cut:]).hex())
            leaves = leaves[:cut]
        else:
            found.append(_root(leaves[:cut]).hex())
            leaves, index = leaves[cut:], index - cut
    return found[::-1]


def root_from(row_hash: str, index: int, size: int, beside: Sequence[str]) -> str:
    """The root that a path leads to (RFC 9162, 2.1.3.2). Raises ``ValueError`` for a path of another length."""
    here, place, last = leaf(row_hash), index, size - 1
    if not 0 <= index < size:
        raise ValueError("the row is not in this tree")
    for each in beside:
        if not last:
            raise ValueError("the path is too long")
        other = bytes.fromhex(each)
        if place & 1 or place == last:
            here = _node(other, here)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            here = _node(here, other)
        place, last = place >> 1, last >> 1
    if last:
        raise ValueError("the path is too short")
    return here.hex()
