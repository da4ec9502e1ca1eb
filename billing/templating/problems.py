"""What is wrong with a template: where, what, and the name that it is about. Words: ``billing.words.templates``."""

from __future__ import annotations

from typing import NamedTuple

HTML, CSS, DOCUMENT = "html", "css", "document"
MOST = 20


class Problem(NamedTuple):
    """``part`` is html, css or document (then ``line`` is 0); ``code`` is one of ``words.templates.WORDS``."""

    part: str
    line: int
    code: str
    name: str = ""


class Refused(Exception):
    """A template that is not taken, or a document that does not become one."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(f"{each.part}:{each.line} {each.code} {each.name}" for each in problems))
        self.problems = problems[:MOST]


class Found:
    """Collects problems of one part; the reading goes on, so that all are told at once."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.problems: list[Problem] = []

    def add(self, line: int, code: str, name: str = "") -> None:
        found = Problem(self.part, line, code, name[:60])
        if len(self.problems) < MOST and found not in self.problems:
            self.problems.append(found)

    def check(self) -> None:
        if self.problems:
            raise Refused(*self.problems)
