"""Readers of the values of sbatch's options: times, memory, counts, GPUs, arrays. No Django.

A reader answers None for text that Slurm would refuse; who calls it knows the option and the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UNLIMITED = -1
MAX_ARRAY_INDEX = 100_000
MINUTE, HOUR, DAY = 60, 3600, 86_400
_TIME = re.compile(r"(?:(\d{1,6})-)?(\d{1,7})?(?::(\d{1,7}))?(?::(\d{1,7}))?", re.ASCII)
_MEMORY = re.compile(r"(\d{1,12})(?:([KMGT])B?)?", re.ASCII | re.IGNORECASE)
_NODES = re.compile(r"(\d{1,6}k?)(?:-(\d{1,6}k?))?", re.ASCII | re.IGNORECASE)
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?", re.ASCII)
_GPU_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")


def read_time(text: str) -> int | None:
    """``90``, ``MM:SS``, ``HH:MM:SS``, ``D-HH``, ``D-HH:MM``, ``D-HH:MM:SS`` -> seconds; 0 and UNLIMITED -> -1.

    A bare number is minutes, and minutes or seconds may exceed 59: Slurm adds them up.
    """
    if text.lower() in ("unlimited", "infinite", "-1"):
        return UNLIMITED
    match = _TIME.fullmatch(text)
    if match is None or not text:
        return None
    days, *parts = match.groups()
    first, second, third = (None if part is None else int(part) for part in parts)
    if days is not None:
        if first is None and second is not None:
            return None
        seconds = int(days) * DAY + (first or 0) * HOUR + (second or 0) * MINUTE + (third or 0)
    elif first is None:
        return None
    elif third is not None:
        seconds = first * HOUR + (second or 0) * MINUTE + third
    else:
        seconds = first * MINUTE + (second or 0)
    return seconds or UNLIMITED


def whole_minutes(seconds: int) -> int:
    """Slurm keeps time limits in minutes, rounded up."""
    return -(-seconds // MINUTE) * MINUTE


def read_memory(text: str) -> int | None:
    """``4G``, ``2500`` (MiB), ``1025K`` -> MiB, KiB rounded up as Slurm does. Fractions are refused."""
    match = _MEMORY.fullmatch(text)
    if match is None:
        return None
    number, unit = int(match[1]), (match[2] or "M").upper()
    return -(-number // 1024) if unit == "K" else number * {"M": 1, "G": 1024, "T": 1024**2}[unit]


def read_count(text: str) -> int | None:
    """1 to 999,999."""
    number = int(text) if re.fullmatch(r"\d{1,6}", text, re.ASCII) else 0
    return number or None


def read_nodes(text: str) -> tuple[int, int] | None:
    """``4`` or ``2-4`` -> least and most; k stands for 1024."""
    match = _NODES.fullmatch(text)
    if match is None:
        return None
    least, most = (_kilo(part) for part in (match[1], match[2] or match[1]))
    return (least, most) if 1 <= least <= most else None


def _kilo(text: str) -> int:
    return int(text[:-1]) * 1024 if text[-1] in "kK" else int(text)


def count_array(text: str) -> int | None:
    """Tasks of ``1-10%2`` or ``1,3,5-9:2``; an index named twice is one task."""
    indexes, percent, most = text.partition("%")
    if percent and not read_count(most):
        return None
    chosen = bytearray(MAX_ARRAY_INDEX + 1)
    for part in indexes.strip("[]").split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            return None
        first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        if not (first <= last <= MAX_ARRAY_INDEX and step):
            return None
        length = (last - first) // step + 1
        chosen[first : last + 1 : step] = b"\1" * length
    return chosen.count(1)


@dataclass(frozen=True, slots=True)
class Gpus:
    """``types`` names those whose type is said; ``others`` are generic resources that are no GPUs."""

    count: int
    types: tuple[tuple[str, int], ...] = ()
    others: tuple[str, ...] = ()

    def times(self, number: int) -> Gpus:
        return Gpus(self.count * number, tuple((name, count * number) for name, count in self.types), self.others)


def read_gpus(text: str) -> Gpus | None:
    """The value of --gpus and its kin: ``2``, ``a100``, ``a100:2``, ``a100:1,v100:1``."""
    if re.fullmatch(r"\d{1,6}", text, re.ASCII):
        return Gpus(int(text))
    types: dict[str, int] = {}
    for part in text.split(","):
        name, colon, number = part.partition(":")
        if not _GPU_TYPE.fullmatch(name) or (colon and not re.fullmatch(r"\d{1,6}", number, re.ASCII)):
            return None
        types[name.lower()] = int(number) if colon else 1  # named twice: the later one counts
    return Gpus(sum(types.values()), tuple(sorted(types.items())))


def read_gres(text: str) -> Gpus | None:
    """``gpu``, ``gpu:2``, ``gpu:a100:4``, ``gpu:a100:1,gpu:v100:1``, ``none``; what is no GPU is kept by name."""
    plain, types, others = None, [], []
    for part in text.split(","):
        name, colon, rest = part.strip().removeprefix("gres/").partition(":")
        if name.lower() != "gpu":
            if not re.fullmatch(r"[A-Za-z][\w./-]*", name, re.ASCII):
                return None
            others += [] if name.lower() in ("none", "help") else [part.strip()[:40]]
        elif not colon:
            plain = "1"
        elif rest.isascii() and rest.isdigit():
            plain = rest
        else:
            types.append(rest)
    if types and plain is not None:
        return None  # Slurm refuses a mixture of GPUs with and without a type
    found = read_gpus(",".join(types) or plain or "0")
    return Gpus(found.count, found.types, tuple(others)) if found else None
