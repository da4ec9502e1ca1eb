"""What ``usage.sbatch`` says in codes, in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import BadInput
from usage.sbatch.request import Note, SbatchError

_NOTES = {
    "after_commands": gettext_lazy(
        "Line %(line)s comes after the first command of the script: Slurm does not read it."
    ),
    "indented": gettext_lazy("Line %(line)s begins with a space: Slurm takes it for a remark."),
    "first_partition": gettext_lazy("Of the partitions %(asked)s, %(partition)s is taken for the defaults."),
    "partition_not_described": gettext_lazy(
        "Partition %(partition)s is not described on this site: its defaults and node sizes are not known."
    ),
    "fewest_nodes": gettext_lazy(
        "A range of nodes is priced with the fewest, %(nodes)s. Slurm may give up to %(most)s, and memory and GPUs"
        " asked for per node grow with them."
    ),
    "fewer_nodes": gettext_lazy("%(tasks)s tasks cannot use %(nodes)s nodes: Slurm takes %(tasks)s."),
    "nodes_worked_out": gettext_lazy(
        "The job needs %(nodes)s nodes of this partition. Slurm may spread it otherwise, by what is free; then what is"
        " asked for per node changes. --nodes settles it."
    ),
    "other_gres": gettext_lazy("%(gres)s is not priced."),
    "gres_wins": gettext_lazy("--gres and --gpus-per-node say the same thing: Slurm takes --gres, %(gres)s per node."),
    "exclusive": gettext_lazy(
        "With --exclusive everything on the nodes is allocated and charged: %(cpus)s CPUs, and all GPUs."
    ),
    "whole_memory_not_known": gettext_lazy(
        "All memory of the node is asked for, and its size is not known here: memory is priced as 0."
    ),
    "memory_not_known": gettext_lazy(
        "No memory is asked for, and what the partition gives is not known here: memory is priced as 0."
    ),
    "default_memory": gettext_lazy("No memory is asked for: the partition gives %(mib)s MiB per CPU."),
    "default_time": gettext_lazy("No time is asked for: the partition gives %(minutes)s minutes."),
    "whole_minutes": gettext_lazy("Slurm keeps time limits in whole minutes: %(minutes)s."),
    "not_counted": gettext_lazy("What %(options)s may change in the allocation is not in the price."),
    "unknown_options": gettext_lazy("Not known here, and left out: %(options)s."),
    "does_not_fit": gettext_lazy(
        "%(nodes)s nodes of partition %(partition)s do not hold this: Slurm will probably refuse it."
    ),
}

_REFUSALS = {
    "nothing": gettext_lazy("There is no #SBATCH line and no sbatch command here."),
    "too_large": gettext_lazy("No cluster is as large as this request."),
    "no_time": gettext_lazy("How long may it run? Add a time limit, such as --time=1:00:00."),
    "quote": gettext_lazy("A quotation mark is not closed."),
    "stray": gettext_lazy("“%(value)s” is no option. In a header every word is an option or its value."),
    "hetjob": gettext_lazy("A heterogeneous job is billed component by component: price each by itself."),
    "unclear": gettext_lazy(
        "This option is not known here, so “%(value)s” may be its value or the script: write --option=value."
    ),
    "ambiguous": gettext_lazy("This may be %(value)s: write it in full."),
    "no_value": gettext_lazy("A value is missing."),
    "exclusive_options": gettext_lazy("It cannot stand together with %(other)s (line %(other_line)s)."),
    "gpus_do_not_fit": gettext_lazy("%(gpus)s GPUs in all do not come out at %(per_node)s per node on these nodes."),
    "gpus_do_not_fit_tasks": gettext_lazy("%(gpus)s GPUs in all do not come out at %(per_task)s per task."),
    "gpus_per_task_alone": gettext_lazy("Slurm wants --ntasks or --gpus with it."),
    "mem_per_gpu_alone": gettext_lazy("No GPU is asked for."),
    "tasks_do_not_fit": gettext_lazy("%(tasks)s tasks do not fit on %(nodes)s nodes with %(per_node)s each."),
    "exclusive_unknown": gettext_lazy(
        "Whole nodes are asked for, and how large a node of partition %(partition)s is, this site does not say."
    ),
    "unlimited": gettext_lazy("A job without a time limit has no price: name a time."),
    "bad_time": gettext_lazy(
        "“%(value)s” is no time. Slurm reads minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM and D-HH:MM:SS."
    ),
    "bad_memory": gettext_lazy("“%(value)s” is no amount of memory. Slurm reads whole numbers with K, M, G or T."),
    "bad_array": gettext_lazy("“%(value)s” is no array such as 1-10%%2 or 1,3,5-9:2, with indexes up to %(most)s."),
    "bad_gpus": gettext_lazy("“%(value)s” is no number of GPUs such as 2, a100:2 or gpu:a100:2."),
    "bad_nodes": gettext_lazy("“%(value)s” is no number of nodes, such as 2 or 2-4."),
    "bad_count": gettext_lazy("“%(value)s” is no whole number of 1 or more."),
}  # fmt: skip
_KINDS = {
    "bad_mem": "bad_memory", "bad_mem-per-cpu": "bad_memory", "bad_mem-per-gpu": "bad_memory", "bad_gres": "bad_gpus",
    "bad_gpus-per-node": "bad_gpus", "bad_gpus-per-task": "bad_gpus", "bad_ntasks": "bad_count",
    "bad_ntasks-per-node": "bad_count", "bad_cpus-per-task": "bad_count", "bad_cpus-per-gpu": "bad_count",
}  # fmt: skip


def note_text(note: Note) -> str:
    return _NOTES[note.code] % dict(note.facts)


def refusal(error: SbatchError) -> BadInput:
    """``Line 3, --mem: what is wrong``, with the same facts in the details."""
    words = str(_REFUSALS[_KINDS.get(error.code, error.code)]) % error.facts
    where = {"line": error.line, "option": error.option}
    if error.line:
        words = _("Line %(line)s, %(option)s: %(what)s") % {**where, "what": words}
    return BadInput(words, reason=error.code, **where)
