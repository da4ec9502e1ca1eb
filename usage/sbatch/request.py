"""What Slurm will allocate for an ``#SBATCH`` header or an ``sbatch`` command line. No Django, no question to Slurm.

The arithmetic is that of Slurm 22.05 with ``select/cons_tres``; ``tests/data/slurm/sbatch_allocations.json`` holds what
a real one allocated. Where Slurm decides by what is free at that moment, the answer is the least, and a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from usage.parsing import MAX_INT
from usage.sbatch.partitions import Partition
from usage.sbatch.text import Note, Option, Options, SbatchError, lines_that_count, read_options
from usage.sbatch.values import (
    MAX_ARRAY_INDEX,
    UNLIMITED,
    Gpus,
    count_array,
    read_count,
    read_gpus,
    read_gres,
    read_memory,
    read_nodes,
    read_time,
    whole_minutes,
)

__all__ = ["Note", "Request", "SbatchError", "lines_that_count", "parse"]

Value = TypeVar("Value")
_MEMORY = ("mem", "mem-per-cpu", "mem-per-gpu")
# These change what is allocated in ways that depend on the node's hardware: named, not guessed.
_NOT_COUNTED = (
    "overcommit", "mincpus", "ntasks-per-gpu", "gpus-per-socket", "ntasks-per-socket", "ntasks-per-core",
    "sockets-per-node", "cores-per-socket", "threads-per-core", "extra-node-info", "hint", "core-spec", "thread-spec",
    "nodelist", "nodefile", "spread-job",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """One job as Slurm would allocate it (all nodes together; memory in MiB) for ``seconds``, ``array_tasks`` times."""

    cpus: int
    gpus: int
    gpu_types: tuple[tuple[str, int], ...]
    mem_mib: int
    nodes: int
    seconds: int
    array_tasks: int
    account: str
    partition: str
    qos: str
    notes: tuple[Note, ...]
    unknown: tuple[str, ...]


def parse(text: str, partitions: Mapping[str, Partition] | None = None) -> Request:
    """Raises ``SbatchError`` with the option and line that cannot be read, or do not fit together."""
    options = read_options(text)
    return _Reader(options.known, options, dict(partitions or {})).request()


@dataclass(slots=True)
class _Layout:
    """How many of what, while it is worked out. ``node_gpus`` are those asked for on every node."""

    nodes: int
    nodes_given: bool
    tasks: int | None
    per_node: int | None
    cpus_per_task: int
    node_gpus: Gpus | None
    all_gpus: Gpus | None
    task_gpus: Gpus | None


@dataclass(slots=True)
class _Reader:
    given: dict[str, Option]
    options: Options
    partitions: dict[str, Partition]
    notes: list[Note] = field(default_factory=list)

    def request(self) -> Request:
        self._refuse_contradictions()
        name, partition = self._partition()
        layout = self._layout(partition)
        exclusive = "exclusive" in self.given and self.given["exclusive"].value not in ("user", "mcs")
        gpus = _gpus_of(layout)
        cpus = self._cpus(layout, gpus)
        if exclusive:
            cpus, gpus = self._whole_nodes(layout.nodes, cpus, gpus, partition)
        request = Request(
            cpus=cpus,
            gpus=gpus.count,
            gpu_types=gpus.types,
            mem_mib=self._memory(layout.nodes, cpus, gpus.count, partition),
            nodes=layout.nodes,
            seconds=self._seconds(partition),
            array_tasks=self._array(),
            account=self._text("account"),
            partition=name,
            qos=self._text("qos"),
            notes=(),
            unknown=tuple(dict.fromkeys(self.options.unknown)),
        )
        if max(request.cpus, request.gpus, request.mem_mib) * request.seconds > MAX_INT:
            raise SbatchError("too_large")  # no record of a job could hold it
        self._note_what_is_not_counted(request, partition)
        return _with_notes(request, [*self.options.notes, *self.notes])

    # --- values --------------------------------------------------------------
    def _value(self, name: str, read: Callable[[str], Value | None]) -> Value | None:
        """The option's value read; None when it is not given. Unreadable text is an error that repeats it."""
        option = self.given.get(name)
        if option is None:
            return None
        value = read(option.value)
        if value is None:
            facts = {"value": option.value[:60], "most": MAX_ARRAY_INDEX}
            raise SbatchError(f"bad_{name}", option=option.spelled, line=option.line, **facts)
        return value

    def _text(self, name: str) -> str:
        option = self.given.get(name)
        if option is not None and not option.value:
            raise SbatchError("no_value", option=option.spelled, line=option.line)
        return option.value if option else ""

    def _refuse(self, code: str, name: str, **facts: object) -> SbatchError:
        option = self.given[name]
        return SbatchError(code, option=option.spelled, line=option.line, **facts)

    def _refuse_contradictions(self) -> None:
        memory = sorted((self.given[name] for name in _MEMORY if name in self.given), key=lambda option: option.line)
        if len(memory) > 1:
            other = memory[0]
            raise self._refuse("exclusive_options", memory[1].name, other=other.spelled, other_line=other.line)
        if "cpus-per-gpu" in self.given and "cpus-per-task" in self.given:
            other = self.given["cpus-per-task"]
            raise self._refuse("exclusive_options", "cpus-per-gpu", other=other.spelled, other_line=other.line)

    def _partition(self) -> tuple[str, Partition]:
        asked = self._text("partition")
        name, comma, _others = asked.partition(",")
        if comma:
            self.notes.append(Note.of("first_partition", partition=name, asked=asked[:80]))
        if not name:
            default = next((each for each in self.partitions.values() if each.default), Partition(""))
            return default.name, default
        if name not in self.partitions:
            self.notes.append(Note.of("partition_not_described", partition=name))
        return name, self.partitions.get(name, Partition(name))

    # --- nodes, tasks, CPUs, GPUs ----------------------------------------------
    def _layout(self, partition: Partition) -> _Layout:
        span = self._value("nodes", read_nodes)
        layout = _Layout(
            nodes=span[0] if span else 1,
            nodes_given=span is not None,
            tasks=self._value("ntasks", read_count),
            per_node=self._value("ntasks-per-node", read_count),
            cpus_per_task=self._value("cpus-per-task", read_count) or 1,
            node_gpus=self._node_gpus(),
            all_gpus=self._value("gpus", read_gpus),
            task_gpus=self._value("gpus-per-task", read_gpus),
        )
        self._settle_gpus(layout)
        self._settle_nodes(layout, partition)
        if span and span[1] > span[0]:
            self.notes.append(Note.of("fewest_nodes", nodes=layout.nodes, most=span[1]))
        return layout

    def _node_gpus(self) -> Gpus | None:
        gres, per_node = self._value("gres", read_gres), self._value("gpus-per-node", read_gpus)
        if gres and gres.others:
            self.notes.append(Note.of("other_gres", gres=", ".join(gres.others)))
        if gres and gres.count and per_node:
            self.notes.append(Note.of("gres_wins", gres=gres.count))
        return gres if gres and gres.count else per_node

    def _settle_gpus(self, layout: _Layout) -> None:
        """Slurm's own checks, and the numbers that follow from --gpus."""
        total, each, task = layout.all_gpus, layout.node_gpus, layout.task_gpus
        if total and each and each.count:
            nodes, rest = divmod(total.count, each.count)
            if rest or (layout.nodes_given and nodes != layout.nodes) or not nodes:
                raise self._refuse("gpus_do_not_fit", "gpus", gpus=total.count, per_node=each.count)
            layout.nodes, layout.nodes_given = nodes, True
        if not task or not task.count:
            return
        if total:
            tasks, rest = divmod(total.count, task.count)
            if rest or layout.tasks not in (None, tasks) or not tasks:
                raise self._refuse("gpus_do_not_fit_tasks", "gpus", gpus=total.count, per_task=task.count)
            layout.tasks = tasks
        elif layout.tasks is None and (not layout.nodes_given or "cpus-per-task" in self.given):
            raise self._refuse("gpus_per_task_alone", "gpus-per-task")

    def _settle_nodes(self, layout: _Layout, partition: Partition) -> None:
        tasks, per_node = layout.tasks, layout.per_node
        if tasks and tasks < layout.nodes:  # sbatch warns and takes fewer nodes
            self.notes.append(Note.of("fewer_nodes", tasks=tasks, nodes=layout.nodes))
            layout.nodes = tasks
        if tasks and per_node and layout.nodes_given and tasks > layout.nodes * per_node:
            raise self._refuse("tasks_do_not_fit", "ntasks", tasks=tasks, nodes=layout.nodes, per_node=per_node)
        if not layout.nodes_given:
            layout.nodes = max(layout.nodes, self._nodes_needed(layout, partition))
            if layout.nodes > 1:
                self.notes.append(Note.of("nodes_worked_out", nodes=layout.nodes))
        if tasks is None:
            layout.tasks = (per_node or 1) * layout.nodes
        elif per_node and tasks > 1:  # seen on 22.05: CPUs for --ntasks-per-node on every node, needed or not
            layout.tasks = per_node * layout.nodes

    def _nodes_needed(self, layout: _Layout, partition: Partition) -> int:
        """The fewest nodes of the partition's size that hold it; 1 where the size is not known."""
        tasks = layout.tasks or layout.per_node or 1
        fits = [layout.per_node or tasks]
        if partition.cpus_per_node:
            fits.append(partition.cpus_per_node // layout.cpus_per_task)
        per_cpu = self._memory_per_cpu(partition)
        if partition.mem_per_node and per_cpu:
            fits.append(partition.mem_per_node // (per_cpu * layout.cpus_per_task))
        node_gpus = layout.node_gpus.count if layout.node_gpus else partition.gpus_per_node
        if node_gpus and layout.task_gpus and layout.task_gpus.count:
            fits.append(node_gpus // layout.task_gpus.count)
        nodes = -(-tasks // max(1, min(fits)))
        if partition.gpus_per_node and layout.all_gpus:
            nodes = max(nodes, -(-layout.all_gpus.count // partition.gpus_per_node))
        return nodes

    def _cpus(self, layout: _Layout, gpus: Gpus) -> int:
        for_tasks = (layout.tasks or 1) * layout.cpus_per_task
        return max(for_tasks, gpus.count * (self._value("cpus-per-gpu", read_count) or 0))

    def _whole_nodes(self, nodes: int, cpus: int, gpus: Gpus, partition: Partition) -> tuple[int, Gpus]:
        """--exclusive: every CPU and GPU of the nodes is allocated, whatever was asked for."""
        if not partition.cpus_per_node:
            raise self._refuse("exclusive_unknown", "exclusive", partition=partition.name or "-")
        whole = (partition.gpus_per_node or 0) * nodes
        types = gpus.types if whole == gpus.count else gpus.types[:0]
        self.notes.append(Note.of("exclusive", nodes=nodes, cpus=partition.cpus_per_node * nodes))
        return max(cpus, partition.cpus_per_node * nodes), Gpus(max(gpus.count, whole), types)

    # --- memory, time, array -----------------------------------------------------
    def _memory_per_cpu(self, partition: Partition) -> int | None:
        asked = self._value("mem-per-cpu", read_memory)
        per_gpu = self._value("mem-per-gpu", read_memory)  # 0 asks for the default
        if asked is not None or "mem" in self.given or per_gpu:
            return asked
        return partition.mem_per_cpu

    def _memory(self, nodes: int, cpus: int, gpus: int, partition: Partition) -> int:
        per_node, per_gpu = self._value("mem", read_memory), self._value("mem-per-gpu", read_memory)
        per_cpu = self._memory_per_cpu(partition)
        if per_gpu and not gpus:
            raise self._refuse("mem_per_gpu_alone", "mem-per-gpu")
        if per_node:
            return per_node * nodes
        if per_gpu:
            return per_gpu * gpus
        if per_node == 0 or ("mem-per-cpu" in self.given and per_cpu == 0):  # both ask for the whole node
            if not partition.mem_per_node:
                self.notes.append(Note.of("whole_memory_not_known"))
            return (partition.mem_per_node or 0) * nodes
        if per_cpu is None:
            self.notes.append(Note.of("memory_not_known"))
            return 0
        if "mem-per-cpu" not in self.given:
            self.notes.append(Note.of("default_memory", mib=per_cpu))
        return per_cpu * cpus

    def _seconds(self, partition: Partition) -> int:
        seconds = self._value("time", read_time)
        if seconds is None:
            if partition.time is None:
                raise SbatchError("no_time")
            self.notes.append(Note.of("default_time", minutes=whole_minutes(partition.time) // 60))
            return whole_minutes(partition.time)
        if seconds == UNLIMITED:
            raise self._refuse("unlimited", "time", value=self.given["time"].value)
        if seconds % 60:
            self.notes.append(Note.of("whole_minutes", minutes=whole_minutes(seconds) // 60))
        return whole_minutes(seconds)

    def _array(self) -> int:
        return self._value("array", count_array) or 1

    def _note_what_is_not_counted(self, request: Request, partition: Partition) -> None:
        unheeded = [self.given[name].spelled for name in _NOT_COUNTED if name in self.given]
        if unheeded:
            self.notes.append(Note.of("not_counted", options=", ".join(unheeded)))
        if request.unknown:
            self.notes.append(Note.of("unknown_options", options=", ".join(request.unknown)))
        sizes = (
            (request.cpus, partition.cpus_per_node),
            (request.mem_mib, partition.mem_per_node),
            (request.gpus, partition.gpus_per_node),
        )
        if any(size is not None and asked > size * request.nodes for asked, size in sizes):
            self.notes.append(Note.of("does_not_fit", partition=partition.name, nodes=request.nodes))


def _gpus_of(layout: _Layout) -> Gpus:
    if layout.all_gpus:
        return layout.all_gpus
    if layout.task_gpus and layout.task_gpus.count:
        return layout.task_gpus.times(layout.tasks or 1)
    return layout.node_gpus.times(layout.nodes) if layout.node_gpus else Gpus(0)


def _with_notes(request: Request, notes: list[Note]) -> Request:
    return replace(request, notes=tuple(dict.fromkeys(notes)))
