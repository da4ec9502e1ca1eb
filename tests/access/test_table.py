"""Every address of the site, asked for by everybody: the table in pages.txt, api.txt and console.txt is the rule.

A new route without lines there fails here. Run with ``-k api`` for one file; a difference is printed as the line it
would have to be, so that whoever changes a right reads what they change.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.access.addresses import address, routes
from tests.access.outcomes import ask, outcome
from tests.access.table import FILES, file_of, lines
from tests.access.world import World

pytestmark = pytest.mark.django_db
QUERIES_APART = 3  # for a row that is there, whether the reader has a right to it: membership, permissions


def parts_of(name: str) -> int:
    """In as many the table is asked, so that two workers share it."""
    return len(list(lines(name))) // 100 + 1


def methods_of(route: str, pattern: Any) -> set[str]:
    """What the API's views say they know; of a page, reading and sending."""
    view = getattr(pattern.callback, "view_class", None) or getattr(pattern.callback, "cls", None)
    if file_of(route) != "api" or not hasattr(view, "http_method_names"):
        return {"GET", "POST"}
    known = {name.upper() for name in view.http_method_names if hasattr(view, name)} - {"HEAD", "OPTIONS", "TRACE"}
    return known or {"GET"}


def test_every_route_and_method_has_a_line_and_no_line_is_without_a_route() -> None:
    there = {(file_of(route), method, route) for route, each in routes() for method in methods_of(route, each)}
    written = [(name, line.method, line.route) for name in FILES for line in lines(name)]
    assert there - set(written) == set(), "routes that nobody has decided about"
    assert len(written) == len(set(written))
    extra = set(written) - there
    assert extra == set(), "no such route"


@pytest.mark.parametrize(("name", "part"), [(name, part) for name in FILES for part in range(parts_of(name))])
def test_everybody_gets_what_the_table_says(name: str, part: int, world: World, browsers: dict[str, Client]) -> None:
    wrong = []
    for line in list(lines(name))[part :: parts_of(name)]:
        where = address(line.route, world)
        columns = list(line.expected)
        if len(set(line.expected.values())) == 1:  # open to all, or to nobody: three of them stand for the others
            columns = [columns[0], columns[1], columns[-1]]
        got = {column: outcome(browsers[column], line.method, where) for column in columns}
        differing = [f"{who} {line.expected[who]} -> {now}" for who, now in got.items() if now != line.expected[who]]
        if differing:
            wrong.append(f"{line.method} /{line.route}: {', '.join(differing)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["pages", "api"])
def test_what_is_somebody_elses_is_answered_byte_for_byte_like_what_never_was(
    name: str, world: World, browsers: dict[str, Client]
) -> None:
    """In what it says and, so that the time does not tell either, in the queries that it makes."""
    asked = 0
    for line in lines(name):
        where, nowhere = address(line.route, world), address(line.route, world, absent=True)
        columns = [column for column, expected in line.expected.items() if expected == "404"]
        if where == nowhere or not columns:
            continue
        for column in {columns[0], columns[-1]}:
            browser, what = browsers[column], (line.method, line.route, column)
            with CaptureQueriesContext(connection) as for_theirs:
                theirs = ask(browser, line.method, where)
            with CaptureQueriesContext(connection) as for_nobodys:
                nobodys = ask(browser, line.method, nowhere)
            assert theirs.status_code == nobodys.status_code == 404, what
            assert _words(theirs, where) == _words(nobodys, nowhere), what
            assert abs(len(for_theirs) - len(for_nobodys)) <= QUERIES_APART, what
            asked += 1
    assert asked > 50


def _words(answer: Any, where: str) -> str:
    """The body without what every answer has of its own, and without the address that was asked for."""
    text = answer.body.decode().replace(where, "").replace(answer["X-Request-ID"], "")
    return re.sub(r'(csrfmiddlewaretoken" value="|nonce=")[^"]+', "", text)


def test_a_key_opens_no_page(world: World, browsers: dict[str, Client]) -> None:
    for line in lines("pages"):
        if line.method == "GET" and line.expected["nobody"] == "login":
            assert outcome(browsers["admin_key"], "GET", address(line.route, world)) == "login", line.route
