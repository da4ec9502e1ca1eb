"""Reads the options out of an ``#SBATCH`` header or an ``sbatch`` command line, as Slurm 22.05 does. No Django."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field


class SbatchError(ValueError):
    """A request that cannot be read: ``code`` chooses the words, ``option`` and ``line`` say where."""

    def __init__(self, code: str, *, option: str = "", line: int = 0, **facts: object) -> None:
        super().__init__(f"line {line}: {option}: {code} {facts or ''}".strip())
        self.code, self.option, self.line, self.facts = code, option, line, facts


@dataclass(frozen=True, slots=True)
class Note:
    """Something the reader should know. ``code`` chooses the words, which name the ``facts``."""

    code: str
    facts: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, code: str, **facts: object) -> Note:
        return cls(code, tuple((name, str(value)) for name, value in facts.items()))


@dataclass(frozen=True, slots=True)
class Option:
    """``name`` is the long one, ``spelled`` what was written (``-c``); a switch has an empty ``value``."""

    name: str
    value: str
    spelled: str
    line: int


@dataclass(slots=True)
class Options:
    """The last of each known option by name; ``unknown`` keeps the spelling of the others."""

    known: dict[str, Option] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


# letter -> long name, of options that take a value and of switches
_SHORT = {
    "a": "array", "A": "account", "b": "begin", "B": "extra-node-info", "c": "cpus-per-task", "C": "constraint",
    "d": "dependency", "D": "chdir", "e": "error", "F": "nodefile", "G": "gpus", "i": "input", "J": "job-name",
    "L": "licenses", "m": "distribution", "M": "clusters", "n": "ntasks", "N": "nodes", "o": "output",
    "p": "partition", "q": "qos", "S": "core-spec", "t": "time", "w": "nodelist", "x": "exclude",
}  # fmt: skip
_SHORT_SWITCHES = {
    "h": "help", "H": "hold", "k": "no-kill", "O": "overcommit", "Q": "quiet", "s": "oversubscribe", "v": "verbose",
    "V": "version", "W": "wait",
}  # fmt: skip
_LONG = frozenset(_SHORT.values()) | {
    "acctg-freq", "bb", "bbf", "cluster-constraint", "comment", "container", "cores-per-socket", "cpu-freq",
    "cpus-per-gpu", "deadline", "delay-boot", "export", "export-file", "gid", "gpu-bind", "gpu-freq",
    "gpus-per-node", "gpus-per-socket", "gpus-per-task", "gres", "gres-flags", "hint", "mail-type", "mail-user",
    "mcs-label", "mem", "mem-bind", "mem-per-cpu", "mem-per-gpu", "mincpus", "network", "ntasks-per-core",
    "ntasks-per-gpu", "ntasks-per-node", "ntasks-per-socket", "open-mode", "power", "prefer", "priority", "profile",
    "reservation", "signal", "sockets-per-node", "switches", "thread-spec", "threads-per-core", "time-min", "tmp",
    "uid", "wait-all-nodes", "wckey", "wrap",
}  # fmt: skip
# --exclusive, --exclusive=user: never followed by a word of its own
_OPTIONAL = frozenset({"exclusive", "nice", "propagate", "get-user-env", "no-kill"})
_SWITCHES = (frozenset(_SHORT_SWITCHES.values()) - _OPTIONAL) | {
    "contiguous", "ignore-pbs", "kill-on-invalid-dep", "no-requeue", "parsable", "reboot", "requeue", "spread-job",
    "test-only", "usage", "use-min-nodes",
}  # fmt: skip
_EVERY = _LONG | _OPTIONAL | _SWITCHES
_COMMAND = re.compile(r"\s*(?:[$#%>]\s+)?(?:\S*/)?sbatch(?=\s|$)")
_PIECE = re.compile(r"""[^\s'"#]+|'[^']*'|"[^"]*"|['"#]|\s+""")


def read_options(text: str) -> Options:
    """A header, a command line, or a command line with the script below it; the command line wins.

    Raises ``SbatchError``. Of a script only the lines before its first command count, as for Slurm.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found = Options()
    command, rest = _command_line(lines)
    for number, words in _header(lines, rest, found):
        _read(words, number, found, in_header=True)
    if command:
        _read(command, next(n for n, line in enumerate(lines, 1) if line.strip()), found, in_header=False)
    elif not found.known and not found.unknown:
        raise SbatchError("nothing")
    return found


def lines_that_count(text: str) -> str:
    """The same request in few words: the command line, and the ``#SBATCH`` lines before the first command."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    _command, start = _command_line(lines)
    kept = [line for line in lines[:start] if line.strip()]
    for line in lines[start:]:
        if line.startswith("#SBATCH"):
            kept.append(line)
        elif line.strip() and not line.lstrip().startswith("#"):
            break
    return "\n".join(kept)


def _command_line(lines: list[str]) -> tuple[list[str], int]:
    """The words of an ``sbatch`` command that stands first, and the index of the line below it."""
    first = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    if first == len(lines):
        raise SbatchError("nothing")
    start = _COMMAND.match(lines[first])
    if not start and not lines[first].lstrip().startswith("-"):
        return [], first
    last, text = first, lines[first][start.end() if start else 0 :]
    while text.endswith("\\") and last + 1 < len(lines):
        last += 1
        text = text[:-1] + " " + lines[last]
    try:
        return shlex.split(text.rstrip("\\"), comments=True) or ["--"], last + 1
    except ValueError:
        raise SbatchError("quote", option="sbatch", line=first + 1) from None


def _header(lines: list[str], start: int, found: Options) -> list[tuple[int, list[str]]]:
    header, ended = [], False
    for number, line in enumerate(lines[start:], start + 1):
        if line.startswith("#SBATCH"):
            if ended:
                found.notes.append(Note.of("after_commands", line=number))
                break
            header.append((number, _words(line[7:], number)))
        elif line.strip() and not line.lstrip().startswith("#"):
            ended = True
        elif line[:1].isspace() and line.lstrip().startswith("#SBATCH"):
            found.notes.append(Note.of("indented", line=number))
    return header


def _words(line: str, number: int) -> list[str]:
    """Slurm's own splitting: quotes group, ``#`` outside them begins a comment, lines are never joined."""
    words: list[str] = []
    current: str | None = None
    for piece in _PIECE.findall(line.rstrip().removesuffix("\\")):
        if piece == "#":
            break
        if piece.isspace():
            words += [] if current is None else [current]
            current = None
        elif piece in ("'", '"'):
            raise SbatchError("quote", option="#SBATCH", line=number)
        else:
            current = (current or "") + (piece[1:-1] if piece[0] in "'\"" else piece)
    return words if current is None else [*words, current]


def _read(words: list[str], line: int, found: Options, *, in_header: bool) -> None:
    """Options up to the name of the script; what follows it is the script's own."""
    place = 0
    while place < len(words):
        word = words[place]
        place += 1
        if (in_header and word in ("hetjob", "packjob")) or word == ":":
            raise SbatchError("hetjob", option=word, line=line)
        if not word.startswith("-") or word in ("-", "--"):
            if in_header:
                raise SbatchError("stray", option="#SBATCH", line=line, value=word)
            return
        if word.startswith("--"):
            place = _read_long(word, words, place, line, found, in_header)
        else:
            place = _read_short(word, words, place, line, found)


def _read_long(word: str, words: list[str], place: int, line: int, found: Options, in_header: bool) -> int:
    spelled, equals, value = word.partition("=")
    name = _full_name(spelled, line)
    if name is None:
        found.unknown.append(spelled)
        if not equals and place < len(words) and not words[place].startswith("-"):
            if not in_header:  # its value, or the script? Guessing could leave the rest of the options out.
                raise SbatchError("unclear", option=spelled, line=line, value=words[place])
            place += 1
        return place
    if name in _LONG and not equals:
        if place == len(words):
            raise SbatchError("no_value", option=spelled, line=line)
        value = words[place]
        place += 1
    found.known[name] = Option(name, value.strip(), spelled, line)
    return place


def _full_name(spelled: str, line: int) -> str | None:
    """Slurm takes any beginning that only one option has; None: no option of ours begins so."""
    begun = spelled[2:]
    if begun in _EVERY:
        return begun
    fitting = sorted(name for name in _EVERY if name.startswith(begun))
    if len(fitting) > 1:
        raise SbatchError("ambiguous", option=spelled, line=line, value=", ".join("--" + name for name in fitting))
    return fitting[0] if fitting else None


def _read_short(word: str, words: list[str], place: int, line: int, found: Options) -> int:
    """``-n4``, ``-n 4``, and switches in a row before one that takes a value (``-Hn4``)."""
    for index, letter in enumerate(word[1:], 1):
        spelled = f"-{letter}"
        if letter in _SHORT_SWITCHES:
            name = _SHORT_SWITCHES[letter]
            found.known[name] = Option(name, "", spelled, line)
            continue
        if letter not in _SHORT:
            found.unknown.append(spelled)
            return place
        value = word[index + 1 :].removeprefix("=")
        if not value:
            if place == len(words):
                raise SbatchError("no_value", option=spelled, line=line)
            value = words[place]
            place += 1
        found.known[_SHORT[letter]] = Option(_SHORT[letter], value.strip(), spelled, line)
        return place
    return place
