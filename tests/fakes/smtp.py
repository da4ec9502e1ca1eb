"""A mail server of our own: it speaks SMTP on this machine, keeps what it is given, and misbehaves on demand."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass(frozen=True, slots=True)
class Letter:
    """What came in one DATA: the envelope, and the message as it is read."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        found = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def part(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        assert body is not None
        return str(body.get_content())


@dataclass
class Faults:
    """``refuse``: the answer to RCPT for an address, or nothing. ``answer``: to the end of DATA. ``hang_up``: leave
    instead of that answer, after the message was kept. ``pause``: seconds before it."""

    refuse: Callable[[str], str] = lambda address: ""
    answer: str = "250 kept"
    hang_up: bool = False
    pause: float = 0.0
    arrived: threading.Event = field(default_factory=threading.Event)


class Handler(socketserver.StreamRequestHandler):
    server: Sink

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self) -> None:
        self.server.connections += 1
        self.sender, self.recipients = "", []
        self.say("220 sink")
        while line := self.rfile.readline():
            word, rest = line[:4].upper().strip(), _address(line.decode("utf-8", "replace"))
            if word == b"QUIT":
                self.say("221 bye")
                return
            if word == b"DATA":
                if not self.data():
                    return
            else:
                self.say(self.envelope(word, rest))

    def envelope(self, word: bytes, address: str) -> str:
        if word == b"MAIL":
            self.sender, self.recipients = address, []
        elif word == b"RCPT":
            if refusal := self.server.faults.refuse(address):
                return refusal
            self.recipients.append(address)
        return "250 ok"

    def data(self) -> bool:
        """Whether the conversation goes on."""
        faults = self.server.faults
        self.say("354 go on")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line[1:] if line.startswith(b"..") else line)
        kept = faults.answer.startswith("250")
        if kept:
            self.server.letters.append(Letter(self.sender, tuple(self.recipients), b"".join(lines)))
        faults.arrived.set()
        time.sleep(faults.pause)
        if faults.hang_up:
            return False
        self.say(faults.answer)
        return True


def _address(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


class Sink(socketserver.ThreadingTCPServer):
    """``with Sink() as sink``: listens on ``sink.port`` until the end; ``letters`` are what it took."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.letters: list[Letter] = []
        self.faults = Faults()
        self.connections = 0
        self.port: int = self.server_address[1]

    def __enter__(self) -> Sink:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.shutdown()
        self.server_close()
