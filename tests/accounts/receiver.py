"""The other side of our webhook messages: a real HTTP server on loopback that keeps what came."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """``status`` is answered, after ``delay`` seconds; ``drip`` sends the answer byte by byte; ``flood`` never ends."""

    url: str = ""
    status: int = 200
    delay: float = 0
    drip: float = 0
    flood: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    came: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    state: Receiver


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        state = self.server.state
        body = self.rfile.read(int(self.headers["Content-Length"]))
        state.came.append((self.path, {name.lower(): text for name, text in self.headers.items()}, body))
        time.sleep(state.delay)
        with suppress(OSError):
            self._drip(state) if state.drip else self._answer(state)

    def _drip(self, state: Receiver) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(state.drip)

    def _answer(self, state: Receiver) -> None:
        self.send_response(state.status)
        for name, text in state.headers.items():
            self.send_header(name, text)
        if not state.flood:
            self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
        while state.flood:
            self.wfile.write(b"x" * 1024)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def receiver() -> Iterator[Receiver]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.state = Receiver(url=f"http://127.0.0.1:{server.server_port}/hook?from=us")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server.state
        server.shutdown()
