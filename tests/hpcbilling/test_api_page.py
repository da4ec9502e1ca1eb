"""docs/api.md against the API itself: what it names is there, and what is there is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from core.errors import AppError

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "api.md"
BASE = "/api/v1/"
APPS = {"accounts", "audit", "billing", "core", "hpcbilling", "payments", "subscriptions", "usage"}
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
HEAD = re.compile(r"\| address \| method \|")
FILTERS = re.compile(r"filters? ((?:`[^`]+`(?:,? (?:\(months\) or|or) )?(?:, )?)+)")
BODY = re.compile(r"`(\{\"[^`]*\})`")
FIELD = re.compile(r'"(\w+)"(\?)?')


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table of addresses. ``families`` begin many, which another page names."""

    page: str
    addresses: tuple[str, ...]
    families: tuple[str, ...]
    methods: frozenset[str]
    words: str

    @property
    def named(self) -> list[str]:
        """The real addresses that it is about."""
        begun = [path for path in real() if path.startswith(self.families)] if self.families else []
        return [path for each in self.addresses if (path := known(each))] + begun


@cache
def schema() -> dict[str, Any]:
    return SchemaGenerator().get_schema(public=True)  # type: ignore[no-any-return, no-untyped-call]


def real() -> dict[str, set[str]]:
    """Methods by address below ``/api/v1/``."""
    paths = schema()["paths"]
    return {
        path.removeprefix(BASE): {name.upper() for name in each if name.upper() in METHODS}
        for path, each in paths.items()
        if path.startswith(BASE)
    }


def known(address: str) -> str | None:
    """The real address that a written one means, whatever its placeholders are called; the most literal one."""
    plain = re.sub(r"<\w+>", "x", address)
    fits = [
        path for path in real() if re.fullmatch(re.sub(r"\\\{\w+\\\}", r"[^/.]+", re.escape(path)), plain)
    ]  # fmt: skip
    return min(fits, key=lambda path: path.count("{"), default=None)


def spelled_out(written: list[str]) -> Iterator[str]:
    """``a/b``, ``…/c`` is ``a/c`` or ``a/b/c``; ``a.csv``, ``.xlsx`` is ``a.xlsx``."""
    before = ""
    for each in written:
        if each.startswith("…/"):
            rest = each.removeprefix("…/")
            longer, beside = f"{before}/{rest}", f"{before.rpartition('/')[0]}/{rest}"
            found = longer if known(longer) else beside
        elif each.startswith("."):
            found = before.rpartition(".")[0] + each
        else:
            found = each
        if not each.startswith("…/"):
            before = found
        yield found


def linked() -> list[Path]:
    names = re.findall(r"\]\((\w[\w-]*\.md)", PAGE.read_text(encoding="utf-8"))
    return [PAGE, *(DOCS / name for name in dict.fromkeys(names))]


@cache
def rows() -> tuple[Row, ...]:
    found = []
    for page in linked():
        inside = False
        for line in page.read_text(encoding="utf-8").splitlines():
            inside = bool(HEAD.match(line)) or (inside and line.startswith("|"))
            if not inside or HEAD.match(line) or line.startswith("| ---"):
                continue
            first, second, *rest = [cell.strip() for cell in line.strip("|").split(" | ")]
            written = re.findall(r"`([^`]+)`", first)
            families = tuple(each.rstrip("…") for each in written if each.endswith("…"))
            plain = tuple(spelled_out([each for each in written if not each.endswith("…")]))
            methods = frozenset(re.findall(r"[A-Z]{3,}", second))
            found.append(Row(page.name, plain, families, methods, " | ".join(rest)))
    return tuple(found)


def test_the_page_is_read_at_all() -> None:
    assert len(rows()) > 40
    assert {row.page for row in rows()} >= {"api.md", "organisations.md"}
    assert all(row.methods and row.methods <= METHODS for row in rows())


def test_every_address_on_the_page_is_there_with_one_of_its_methods() -> None:
    gone = [(row.page, each) for row in rows() for each in row.addresses if known(each) is None]
    assert gone == [], "no such address"
    wrong = [
        (row.page, each, sorted(row.methods), sorted(real()[found]))
        for row in rows()
        for each in row.addresses
        if (found := known(each)) and not real()[found] & row.methods
    ]
    assert wrong == [], "none of these methods"


def test_every_method_on_the_page_is_one_of_its_addresses() -> None:
    wrong = [
        (row.page, row.addresses, row.families, method)
        for row in rows()
        for method in row.methods - set().union(*(real()[path] for path in row.named))
    ]
    assert wrong == []


def test_every_address_and_method_of_the_api_is_on_the_page_or_on_one_that_it_leads_to() -> None:
    told = {(known(each), method) for row in rows() for each in row.addresses for method in row.methods}
    silent = [(path, method) for path, methods in real().items() for method in methods if (path, method) not in told]
    assert silent == []


def test_every_filter_on_the_page_is_one_that_the_address_takes() -> None:
    wrong, seen = [], 0
    for row in (each for each in rows() if "GET" in each.methods):
        wanted = {
            name for part in FILTERS.findall(row.words) for name in re.findall(r"\w+", re.sub(r"\(.*?\)", "", part))
        }
        paths = [path for each in row.addresses if (path := known(each)) and "GET" in real()[path]]
        takes = {one["name"] for path in paths for one in schema()["paths"][BASE + path]["get"].get("parameters", ())}
        seen += len(wanted)
        wrong += [(row.addresses, name) for name in wanted - {"or"} - takes]
    assert wrong == []
    assert seen > 20


def fields_of(path: str, method: str) -> set[str]:
    """What a body may hold, in every shape that the description gives it."""
    body = schema()["paths"][BASE + path][method.lower()].get("requestBody", {})
    found: set[str] = set()
    waiting = [each["schema"] for each in body.get("content", {}).values()]
    while waiting:
        shape = waiting.pop()
        if "$ref" in shape:
            shape = schema()["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
        found |= set(shape.get("properties", ()))
        waiting += [each for name in ("oneOf", "anyOf", "allOf") for each in shape.get(name, ())]
    return found


def test_every_field_of_a_body_on_the_page_is_one_that_the_address_takes() -> None:
    wrong, seen = [], 0
    for row in rows():
        named = {name for body in BODY.findall(row.words) for name, _optional in FIELD.findall(body)}
        writes = row.methods - {"GET", "DELETE"}
        paths = [path for each in row.addresses if (path := known(each))]
        takes = set().union(*(fields_of(path, each) for path in paths for each in writes & real()[path]), set())
        seen += len(named)
        wrong += [(row.addresses, name) for name in named - takes]
    assert wrong == []
    assert seen > 50


# Told on pages, in the console or by commands; nothing below /api/ comes to them.
ELSEWHERE = {
    "already_decided", "bad_statement", "frozen", "known_transfer", "line_decided", "not_entitled", "not_held", "not_in_review",
    "not_proven", "not_refundable", "outdated", "same_person", "still_billed", "too_many_links", "too_much_work",
    "usage", "webhook_rejected", "error",
}  # fmt: skip


def kinds(of: type[AppError]) -> Iterator[type[AppError]]:
    yield of
    for each in of.__subclasses__():
        yield from kinds(each)


def test_every_code_of_an_error_that_the_api_may_answer_is_on_the_page() -> None:
    schema()  # reads every view, and with them whatever they raise
    page = PAGE.read_text(encoding="utf-8")
    codes = {each.code for each in kinds(AppError) if each.__module__.partition(".")[0] in APPS}
    assert {code for code in codes - ELSEWHERE if f"`{code}`" not in page} == set()
    assert ELSEWHERE - codes <= {"usage"}, "gone, or named otherwise now"


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/api/schema/", "/api/docs/", "/formula?type=mu"])
def test_what_stands_beside_version_1_is_there_too(client: Any, superuser: Any, address: str) -> None:
    client.force_login(superuser)
    assert f"`{address.partition('?')[0]}`" in PAGE.read_text(encoding="utf-8")
    assert client.get(address).status_code == 200
