"""Whatever somebody writes into a template: it is refused with its line and name, or it is harmless text."""

from __future__ import annotations

import base64
import contextlib
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from billing.templating import document, sandbox
from billing.templating.problems import Refused
from tests.billing.templating import LEAST, task, values

SECRET = "top-secret-of-the-server"
FAST = 3.0  # seconds of the processor


def _spent() -> float:
    """Processor time of this process and of the workers that it waited for."""
    import resource

    return sum(
        each.ru_utime + each.ru_stime
        for each in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def refused(html: str = "", css: str = "") -> tuple[str, int, str, str]:
    """The first problem of a template with this after (html) or as (css) the least that is taken."""
    with pytest.raises(Refused) as caught:
        document.check(LEAST + html, css)
    return caught.value.problems[0]


HTML = {
    "script": ("<script>alert(1)</script>", "tag", "script"),
    "script in capitals": ("<ScRiPt src='http://evil/x.js'></ScRiPt>", "tag", "script"),
    "iframe": ("<iframe src='file:///etc/passwd'></iframe>", "tag", "iframe"),
    "object": ("<object data='file:///etc/passwd'></object>", "tag", "object"),
    "embed": ("<embed src='http://169.254.169.254/'>", "tag", "embed"),
    "link": ("<link rel='stylesheet' href='http://evil/x.css'>", "tag", "link"),
    "attachment by link": ("<link rel='attachment' href='file:///etc/passwd'>", "tag", "link"),
    "style element": ("<style>@import 'http://evil/'</style>", "tag", "style"),
    "meta refresh": ("<meta http-equiv='refresh' content='0;url=http://evil/'>", "tag", "meta"),
    "base": ("<base href='http://evil/'>", "tag", "base"),
    "svg with external entity": ("<svg><image href='file:///etc/passwd'/></svg>", "tag", "svg"),
    "doctype with entity": ("<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;", "no_tag", "<!DOCTYPE x [<!ENTITY e "),
    "processing instruction": ("<?xml version='1.0'?>", "no_tag", "<?xml version='1.0'?>"),
    "form": ("<form action='http://evil/'></form>", "tag", "form"),
    "link to elsewhere": ("<a href='javascript:alert(1)'>x</a>", "tag", "a"),
    "handler": ("<p onclick='alert(1)'>x</p>", "attribute", "onclick"),
    "style attribute": ("<p style='background:url(http://evil/)'>x</p>", "attribute", "style"),
    "image of the network": ("<img src='http://169.254.169.254/latest/meta-data/'>", "image_address", "http://169.254.169.254/latest/"),
    "image of a file": ("<img src='file:///etc/passwd'>", "image_address", "file:///etc/passwd"),
    "image beside us": ("<img src='../../settings.py'>", "image_address", "../../settings.py"),
    "svg as data": ("<img src='data:image/svg+xml;base64,PHN2Zy8+'>", "image_address", "data:image/svg+xml;base64,PHN2"),
    "html as data": ("<img src='data:text/html,<x'>", "no_tag", "<img src='data:text/html"),
    "Django tag": ("<p>{% load static %}{% debug %}</p>", "no_variable", "{% load static %}{% debug %}"),
    "Django include": ("<p>{% include '/etc/passwd' %}</p>", "no_variable", "{% include '/etc/passwd' %}"),
    "Django settings": ("<p>{{settings.SECRET_KEY}}</p>", "no_variable", "{{settings.SECRET_KEY}}"),
    "Django filter": ("<p>{{number|safe}}</p>", "no_variable", "{{number|safe}}"),
    "Jinja attributes": ("<p>{{''.__class__.__mro__[1].__subclasses__()}}</p>", "no_variable", "{{''.__class__.__mro__[1].__subclasses__"),
    "Jinja arithmetic": ("<p>{{7*7}}</p>", "no_variable", "{{7*7}}"),
    "Jinja globals": ("<p>{{ cycler.__init__.__globals__.os.popen('id') }}</p>", "no_variable", "{{ cycler.__init__.__globals__.os.popen("),
    "Jinja comment": ("<p>{# x #}</p>", "no_variable", "{# x #}"),
    "unknown variable": ("<p>\n{{totl}}</p>", "unknown_variable", "totl"),
    "attribute of a value": ("<p>{{number.__class__}}</p>", "no_variable", "{{number.__class__}}"),
    "other tenant's": ("<p>{{organisation}}</p>", "unknown_variable", "organisation"),
    "variable in a tag": ("<p class='{{number}}'>x</p>", "variable_in_tag", "class"),
    "variable as address": ("<img src='{{invoice_address}}'>", "variable_in_tag", "src"),
    "list in itself": ("<div>{{#lines}}{{#lines}}x{{/lines}}{{/lines}}</div>", "list_in_list", "lines"),
    "lists in each other": ("<div>{{#lines}}{{#taxes}}x{{/taxes}}{{/lines}}</div>", "list_in_list", "taxes"),
    "crossed": ("<p>{{?note}}</p>{{/note}}", "crossed", "</p>"),
    "deep nesting": ("<div>" * 400 + "</div>" * 400, "too_deep", "20"),
    "many elements": ("<p>x</p>" * 4000, "too_many", "3000"),
    "endless text": ("x" * 500_000, "too_long", "400000"),
    "many columns": ("<table><tr><td colspan='99999999999999999999'>x</td></tr></table>", "attribute", 'colspan="99999999999999999999"'),
}  # fmt: skip


@pytest.mark.parametrize("name", HTML)
def test_hostile_html_is_refused_by_name(name: str) -> None:
    html, code, found = HTML[name]
    part, line, said, what = refused(html)
    assert (part, said, what[:40]) == ("html", code, found[:40])
    assert line == (4 if name == "unknown variable" else 0 if code == "too_long" else 3)


CSS = {
    "import": ("@import 'http://evil/x.css';", "at_rule"),
    "import of a file": ("@import url(file:///etc/passwd);", "at_rule"),
    "remote font": ("@font-face { font-family: x; src: url(http://evil/f.woff) }", "at_rule"),
    "local font": ("@font-face { font-family: x; src: local('x') }", "at_rule"),
    "media": ("@media print { p { color: red } }", "at_rule"),
    "namespace": ("@namespace url(http://evil/);", "at_rule"),
    "url of a file": ("p { background: url(file:///etc/passwd) }", "css_function"),
    "url of the network": ("p { background: url(http://169.254.169.254/) }", "css_function"),
    "url in capitals": ("p { background: URL(http://evil/) }", "css_function"),
    "escaped url": ("p { background: u\\72l(http://evil/) }", "css_sign"),
    "url hidden by a comment": ("p { background: u/**/rl(http://evil/) }", "css_function"),
    "expression": ("p { width: expression(alert(1)) }", "css_function"),
    "attr": ("p { content: attr(class) }", "css_function"),
    "endless counters": ("p { counter-increment: x 999999999 }", "property"),
    "content": ("p::before { content: 'x' }", "selector"),
    "running strings": ("p { string-set: x content() }", "css_function"),
    "behaviour": ("p { behavior: none }", "property"),
    "binding": ("p { -moz-binding: none }", "property"),
    "position": ("p { position: fixed }", "property"),
    "enormous": ("p { font-size: 99999999pt }", "css_value"),
    "negative": ("p { margin: -5000pt }", "css_value"),
    "not a number": ("p { margin: NaNpt }", "css_value"),
    "custom property": ("p { --x: 1; width: var(--x) }", "property"),
    "selector bomb": ("div " * 50 + "{ color: red }", "selector"),
    "not-selector": (":not(:not(p)) { color: red }", "selector"),
    "end of the style": ("</style><script>x</script>", "css_sign"),
    "variables": ("p { color: {{number}} }", "css_sign"),
    "many rules": ("p { color: red }\n" * 1000, "too_many"),
    "endless": ("p{}" * 50_000, "too_long"),
    "never closed": ("p { color: red", "css_rule"),
    "page without room": ("@page { margin: 199pt 199pt 9000pt 9000pt }", "page_margin"),
    "slow pattern": ("p { color: " + "#" * 20_000 + " }", "css_value"),
}  # fmt: skip


@pytest.mark.parametrize("name", CSS)
def test_hostile_css_is_refused(name: str) -> None:
    css, code = CSS[name]
    begun = _spent()
    with pytest.raises(Refused) as caught:
        document.check(LEAST, css)
    assert {each.part for each in caught.value.problems} == {"css"}
    assert code in {each.code for each in caught.value.problems}
    assert _spent() - begun < FAST


def text_of(content: bytes) -> str:
    import pypdf

    return "".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(content)).pages)


@pytest.mark.parametrize("evil", [
    "<script>alert(1)</script>", "{{number}}", "{% debug %}", "</p></table><img src='file:///etc/passwd'>",
    "${7*7}", "<% import os %>", "{{#lines}}", "&lt;b&gt;", "\x00\x1b[2J", "’; DROP TABLE invoices; --", "\u202e\u202dx",
])  # fmt: skip
def test_what_a_customer_is_called_is_text_whatever_it_is(evil: str) -> None:
    made = sandbox.pdf(**task(values=values(buyer_name=evil)))
    assert made.pages == 1
    plain = "".join(each for each in evil if each.isprintable())
    assert plain.replace("\u2019", "").replace(" ", "")[:8] in text_of(made.content).replace("\u2019", "").replace(
        " ", ""
    )


@pytest.mark.parametrize("mark", ["${7*7}", "{{{number}}}", "<p>#{7*7}</p>", "<p>%(number)s {number} $number</p>"])
def test_languages_that_we_do_not_speak_stay_text(mark: str) -> None:
    """Mako, ERB, Python's own: nothing in them is looked at."""
    assert "49" not in text_of(sandbox.pdf(**task(LEAST + mark)).content)


def test_braces_hidden_as_entities_make_no_variable() -> None:
    html = LEAST + "<p>&#123;&#123;total&#125;&#125;</p>"
    assert "{{total}}" in text_of(sandbox.pdf(**task(html)).content)


def png(width: int, height: int, data: bytes) -> str:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return f"<img src='data:image/png;base64,{base64.b64encode(content).decode()}'>"


def test_a_picture_that_unpacks_to_a_gigabyte_is_refused_before_it_is_unpacked() -> None:
    assert refused(png(30_000, 30_000, b"x"))[2] == "image_size"


def test_a_picture_whose_data_are_more_than_it_says_is_harmless() -> None:
    bomb = zlib.compress(b"\0" * 90_000_000, 9)
    begun = _spent()
    made: sandbox.Pdf | None = None
    with contextlib.suppress(Refused):
        made = sandbox.pdf(**task(LEAST + png(2, 2, bomb)))
    assert made is None or len(made.content) < 20_000
    assert _spent() - begun < FAST


@pytest.mark.parametrize(("what", "code"), [("huge table", "document_size"), ("repeats of repeats", "document_size"),
                                            ("endless pages", "too_many_pages")])  # fmt: skip
def test_documents_that_grow_without_end_are_stopped(what: str, code: str) -> None:
    rows = [dict.fromkeys(values()["lines"][0], "x") for _ in range(20_000)]
    html = {
        "huge table": "<table>{{#lines}}<tr>" + "<td>x</td>" * 24 + "</tr>{{/lines}}</table>",
        "repeats of repeats": "<div>{{#lines}}" + "<p>x</p>" * 400 + "{{/lines}}</div>",
        "endless pages": "<div>" + "<h1 class='n'>x</h1>" * 200 + "</div>",
    }[what]
    begun = _spent()
    with pytest.raises(Refused) as caught:
        lists = {} if what == "endless pages" else {"lines": rows}
        sandbox.pdf(**task(LEAST + html, ".n { break-before: page }", values=values(**lists)))
    assert caught.value.problems[0].code == code
    assert _spent() - begun < 6 * FAST


@pytest.mark.parametrize("evil", ["<" * 100_000, "<p " + "a " * 40_000 + "\n<", "<p class='" * 9_000, "<!--" * 20_000, "{{" * 40_000,
                                  "<p a=" + "'x' a=" * 10_000])  # fmt: skip
def test_text_made_to_keep_a_reader_busy_is_read_in_no_time(evil: str) -> None:
    begun = _spent()
    with pytest.raises(Refused):
        document.check(LEAST + evil, "")
    assert _spent() - begun < FAST


def test_a_word_without_end_is_cut_and_a_wide_table_fits() -> None:
    html = LEAST + "<p>" + "w" * 20_000 + "</p><table><tr>" + "<td>wide words here</td>" * 24 + "</tr></table>"
    assert sandbox.pdf(**task(html)).pages > 1


def test_the_worker_has_none_of_our_secrets_and_opens_no_file(monkeypatch: Any, tmp_path: Path) -> None:
    """The second wall: code that got into the worker finds no environment, no files and no network."""
    import subprocess
    import sys

    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    monkeypatch.setenv("SECRET_KEY", SECRET)
    probe = f"""
import os, socket, subprocess, sys
from billing.templating import worker
worker._limit()
faces = worker._faces([])
worker._warm(faces)
sys.addaudithook(worker._refuse)
print("SECRET_KEY" in os.environ, "django" in sys.modules)
for act in (lambda: open({str(secret)!r}), lambda: open("/etc/passwd"), lambda: open({str(tmp_path / "new.py")!r}, "w"),
            lambda: socket.create_connection(("127.0.0.1", 9)), lambda: subprocess.run(["id"]), lambda: os.system("id"),
            lambda: os.listdir("/"), lambda: os.remove({str(secret)!r})):
    try:
        act()
        print("done")
    except PermissionError:
        print("refused")
    """
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=sandbox.ROOT, env=sandbox.ENVIRONMENT
    )  # fmt: skip
    assert done.stdout.split() == ["False", "False", *["refused"] * 8]
    assert secret.read_text() == SECRET


def test_a_worker_that_hangs_is_ended(monkeypatch: Any) -> None:
    monkeypatch.setattr(sandbox, "SECONDS", 0.05)
    sandbox.faults.cache_clear()  # else nobody asks a worker for what was checked a moment ago
    with pytest.raises(Refused) as caught:
        sandbox.check(LEAST, "")
    assert caught.value.problems[0].code == "limits"


def test_memory_and_time_of_the_worker_are_limited_by_the_system() -> None:
    import subprocess
    import sys

    probe = "from billing.templating import worker; worker._limit(); x = bytearray(2_000_000_000)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False, cwd=sandbox.ROOT)
    assert "MemoryError" in done.stderr
    probe = "import resource; from billing.templating import worker; worker._limit(); print(resource.getrlimit(resource.RLIMIT_CPU)[0])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=sandbox.ROOT)
    assert int(done.stdout) <= sandbox.SECONDS
