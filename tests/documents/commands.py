"""Every command with its arguments, from the commands themselves."""

from __future__ import annotations

import argparse
from pathlib import Path

from django.core.management import get_commands, load_command_class

from core.commands import AppCommand

ROOT = Path(__file__).resolve().parents[2]
HEAD = """# Commands

`manage.py NAME`: the commands of this program, written from them by `make docs`. All on this page know `--format text|json`, write
progress to stderr on a terminal only, and are safe to run twice; `manage.py help` also lists those of Django and of other packages
(`migrate`, `axes_reset_username`), which have rules of their own. Exit: 0 done, 1 failed, 2 usage, 3 done but some
rows or items failed, 69 no answer from outside, 75 another run is under way, 78 configuration.

"""
COMMON = {
    "help", "version", "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color", "skip_checks", "format",
}  # fmt: skip


def pages() -> dict[str, str]:
    in_our_apps = sorted((name, str(app)) for name, app in get_commands().items() if (ROOT / str(app)).is_dir())
    found = ((name, load_command_class(app, name)) for name, app in in_our_apps)
    # ``migrate`` is Django's, which says itself what it takes.
    return {
        "commands.md": HEAD + "\n".join(_command(each, name) for name, each in found if isinstance(each, AppCommand))
    }


def _command(command: AppCommand, name: str) -> str:
    parser = command.create_parser("manage.py", name)
    lines = [f"## {name}", "", _plain(command.help), ""]
    own = [action for action in parser._actions if action.dest not in COMMON]
    if own:
        lines += ["| argument | what |", "| --- | --- |"]
        lines += [f"| {_usage(action)} | {_words(action)} |" for action in own]
        lines.append("")
    return "\n".join(lines)


def _usage(action: argparse.Action) -> str:
    name = action.option_strings[-1] if action.option_strings else action.dest
    if action.nargs == 0:
        return f"`{name}`"
    if not action.option_strings:
        return f"`{name}`"
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    return f"`{name} {value}`"


def _words(action: argparse.Action) -> str:
    words = _plain(str(action.help or ""))
    if action.choices:
        words = f"{words} ({', '.join(str(each) for each in action.choices)})".strip()
    return words.replace("|", "\\|")


def _plain(text: str) -> str:
    return " ".join(text.replace("%%", "%").replace("%(default)s", "its default").split())
