"""Addresses that others give us: what is not on the public internet is never called, however it is spelled."""

from __future__ import annotations

import socket
import time
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from accounts import outside
from accounts.outside import NoAnswer, OutsideRefused, check, is_public, post
from tests.accounts.receiver import Receiver, receiver

PUBLIC = "93.184.215.14"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What names resolve to: each question takes the next answer, the last one stays. Literal addresses are their own."""
    answers: dict[str, list[list[str]]] = {}

    def resolve(host: str, port: int, **kwargs: Any) -> list[Any]:
        if host not in answers:
            raise socket.gaierror
        queue = answers[host]
        found = queue.pop(0) if len(queue) > 1 else queue[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port)) for text in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return answers


@pytest.fixture
def there(settings: Any) -> Any:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with receiver() as state:
        yield state


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "100.127.255.255", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "255.255.255.255", "240.0.0.1",
        "192.0.2.1", "198.18.0.1", "192.0.0.1", "192.88.99.1",
        "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd12:3456::1]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]",
        "[::ffff:127.0.0.1]", "[::ffff:8.8.8.8]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]",
        "[2002:7f00:1::]", "[2001:0:1::1]", "[3fff::1]",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(names: Any, host: str) -> None:
    with pytest.raises(OutsideRefused):
        check(f"https://{host}/hook")


@pytest.mark.parametrize(
    "host",
    [
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "127.1",
        "0177.0.0.1",
        "127.0.0.01",
        "0x7f.0.0.1",
        "017700000001",
        "1",
        "0",
        "127.0.0.1.",
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "example.org%00.evil",
    ],
)
def test_odd_spellings_of_addresses_are_refused_before_anybody_resolves_them(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    def nobody(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("it was resolved")

    monkeypatch.setattr(outside, "_resolve", nobody)
    with pytest.raises(OutsideRefused):
        check(f"https://{host}/hook")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "example.org",
        "",
        "https://",
        "https:///x",
        "https://user:pass@example.org/",
        "https://user@example.org/",
        "https://@example.org/",
        "https://example.org:22/",
        "https://example.org:6379/",
        "https://example.org:99999/",
        "https://example.org:x/",
        "https://example.org/a b",
        "https://example.org/\r\nX-Evil: 1",
        "https://example.org\\@127.0.0.1/",
        "https://exa_mple..org/",
        "https://-example.org/",
        "https://example.org/" + "x" * 500,
        "https://[::1",
        "//x.org/",
    ],
)
def test_an_address_in_another_form_is_refused(names: Any, url: str) -> None:
    names["example.org"] = [[PUBLIC]]
    with pytest.raises(OutsideRefused) as refused:
        check(url)
    assert refused.value.details == {"field": "url"}


@pytest.mark.parametrize("port", ["", ":443", ":8443", ":80"])
def test_a_public_name_is_taken_with_its_addresses(names: Any, port: str) -> None:
    names["example.org"] = [[PUBLIC, "2606:2800:21f::1", PUBLIC]]
    target = check(f"https://EXAMPLE.org{port}/hook?x=1#part")
    assert target.addresses == (PUBLIC, "2606:2800:21f::1")
    assert (target.host, target.path, target.port) == ("example.org", "/hook?x=1", int(port[1:] or 443))


def test_one_inner_address_among_public_ones_is_enough_to_refuse(names: Any) -> None:
    names["mixed.example"] = [[PUBLIC, "10.0.0.1"]]
    with pytest.raises(OutsideRefused):
        check("https://mixed.example/")


def test_a_name_that_nobody_knows_is_refused(names: Any) -> None:
    with pytest.raises(OutsideRefused, match="no host"):
        check("https://nowhere.example/")


def test_outside_of_development_only_https_is_called(names: Any, settings: Any) -> None:
    names["example.org"] = [[PUBLIC]]
    assert check("http://example.org/").port == 80
    settings.WEBHOOK_HTTP_ALLOWED = False
    with pytest.raises(OutsideRefused, match="https"):
        check("http://example.org/")


def test_a_network_that_the_site_opens_may_be_called_on_any_port(names: Any, settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("10.20.0.0/16")]
    names["inner.example"] = [["10.20.3.4"]]
    assert check("https://inner.example:9000/").addresses == ("10.20.3.4",)
    names["inner.example"] = [["10.21.3.4"]]
    with pytest.raises(OutsideRefused):
        check("https://inner.example/")


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "192.0.1.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"])
def test_what_is_public_is_public(text: str) -> None:
    assert is_public(ip_address(text))


# --- calling -----------------------------------------------------------------


def test_a_call_arrives_as_it_was_written(there: Receiver) -> None:
    answer = post(there.url, b'{"a":1}', {"Content-Type": "application/json", "webhook-id": "m1"})
    assert answer.status == 200
    path, headers, body = there.came[0]
    assert (path, body, headers["webhook-id"]) == ("/hook?from=us", b'{"a":1}', "m1")
    assert headers["host"] == there.url.split("/")[2]


def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked(
    names: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second answer would be the metadata service of a cloud: nobody asks for a second answer."""
    names["rebind.example"] = [[PUBLIC], ["169.254.169.254"]]
    asked: list[Any] = []

    def connect(address: Any, timeout: float) -> Any:
        asked.append(address)
        raise ConnectionRefusedError("stop here")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(NoAnswer):
        post("https://rebind.example/", b"{}", {})
    assert asked == [(PUBLIC, 443)]


def test_a_redirect_is_an_answer_and_is_not_followed(there: Receiver) -> None:
    there.status, there.headers = 302, {"Location": "http://169.254.169.254/latest/meta-data/"}
    assert post(there.url, b"{}", {}).status == 302
    assert len(there.came) == 1


def test_an_answer_without_an_end_is_left_after_a_few_thousand_bytes(there: Receiver) -> None:
    there.flood = True
    begun = time.monotonic()
    assert post(there.url, b"{}", {}).status == 200
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("fault", [{"delay": 3}, {"drip": 0.05}])
def test_slowness_of_any_kind_ends_with_the_time_for_all_of_it(
    there: Receiver, monkeypatch: pytest.MonkeyPatch, fault: dict[str, float]
) -> None:
    monkeypatch.setattr(outside, "TOTAL_SECONDS", 0.5)
    for name, value in fault.items():
        setattr(there, name, value)
    begun = time.monotonic()
    with pytest.raises(NoAnswer, match="within"):
        post(there.url, b"{}", {})
    assert time.monotonic() - begun < 2


def test_nobody_there_and_nonsense_are_no_answers(there: Receiver) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(NoAnswer):
        post(f"http://127.0.0.1:{port}/", b"{}", {})


def test_a_server_without_a_certificate_we_trust_gets_nothing(there: Receiver) -> None:
    with pytest.raises(NoAnswer, match="safe"):
        post(there.url.replace("http:", "https:"), b"{}", {})
    assert there.came == []
