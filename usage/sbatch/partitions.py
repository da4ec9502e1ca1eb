"""What a site says about its Slurm partitions (SLURM_PARTITIONS). No Django: settings import it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from usage.sbatch.values import UNLIMITED, read_memory, read_time

_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Partition:
    """Defaults and the size of a node; None: not said. Memory in MiB, ``time`` in seconds."""

    name: str
    default: bool = False
    time: int | None = None
    mem_per_cpu: int | None = None
    cpus_per_node: int | None = None
    mem_per_node: int | None = None
    gpus_per_node: int | None = None


def read_partitions(text: str) -> dict[str, Partition]:
    """JSON text -> partitions by name. ``ValueError`` names the key (``normal.time``) and what is wanted."""
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"no JSON ({error})") from None
    if not isinstance(found, dict):
        raise ValueError("an object of partitions by name is wanted")
    partitions = {name: _partition(name, values) for name, values in found.items()}
    defaults = [name for name, partition in partitions.items() if partition.default]
    if len(defaults) > 1:
        raise ValueError(f"{defaults[1]}.default: {defaults[0]} is the default already")
    return partitions


def _partition(name: str, values: Any) -> Partition:
    if not isinstance(values, dict):
        raise ValueError(f"{name}: an object is wanted")
    unknown = [key for key in values if key not in _READERS]
    if unknown:
        raise ValueError(f"{name}.{unknown[0]}: not a key of a partition; known are {', '.join(_READERS)}")
    return Partition(name, **{key: _READERS[key](f"{name}.{key}", value) for key, value in values.items()})


def _switch(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{key}: true or false is wanted")
    return value


def _time(key: str, value: Any) -> int:
    seconds = read_time(str(value)) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
    if seconds is None or seconds == UNLIMITED:
        raise ValueError(f"{key}: a time such as 1:00:00 is wanted")
    return seconds


def _memory(key: str, value: Any) -> int:
    mib = read_memory(str(value)) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
    if not mib:
        raise ValueError(f"{key}: memory such as 4G is wanted")
    return mib


def _number(least: int) -> Any:
    def read(key: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MOST:
            raise ValueError(f"{key}: a whole number of {least} or more is wanted")
        return value

    return read


_READERS = {
    "default": _switch,
    "time": _time,
    "mem_per_cpu": _memory,
    "cpus_per_node": _number(1),
    "mem_per_node": _memory,
    "gpus_per_node": _number(0),
}
