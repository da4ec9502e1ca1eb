"""One HTTP server on loopback per provider; here the planned faults happen on the wire."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from .wire import Reply, Request

if TYPE_CHECKING:
    from .fake import Fake

PAGE = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


class Handler(BaseHTTPRequestHandler):
    """Reads a request, asks the provider, writes the answer or spoils it."""

    protocol_version = "HTTP/1.1"
    server_version = "nginx"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: LoopbackServer

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, dict(self.headers.items()), body)
        fake = self.server.fake
        if request.path == "/healthz":
            self._write(Reply(200, b"ok", {"Content-Type": "text/plain"}))
            return
        if request.path == "/":
            self._write(self.server.front(request))
            return
        if fake.is_api(request):
            fake.note(request)
            request.fault = fake.faults.take(request.method, request.path)
        if request.fault in ("timeout_before", "reset_before"):
            self._hang_up(request.fault)
        elif request.fault in ("500_before", "429", "503"):
            self._write(fake.trouble(int(request.fault[:3])))
        else:
            self._after(request.fault, fake.answer(request))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer  # noqa: N815

    def _after(self, fault: str | None, reply: Reply) -> None:
        if fault in ("timeout_after", "reset_after"):
            self._hang_up(fault)
        elif fault in ("html", "html_200"):
            self._write(Reply(502 if fault == "html" else 200, PAGE, {"Content-Type": "text/html"}))
        elif fault == "truncated":
            self._write(reply, reply.body[: len(reply.body) // 2])
            self.close_connection = True
        elif fault == "drip":
            self._write(reply, b"")
            for at in range(len(reply.body)):
                if self.server.stopping.wait(0.1):
                    break
                self.wfile.write(reply.body[at : at + 1])
                self.wfile.flush()
        else:
            self._write(reply)

    def _write(self, reply: Reply, body: bytes | None = None) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body if body is None else body)

    def _hang_up(self, fault: str) -> None:
        """Silence until the caller gives up, or a reset now; either way no answer."""
        self.close_connection = True
        if fault.startswith("reset"):
            self.server.reset_on_close(self.connection)
            return
        until = time.monotonic() + self.server.fake.faults.hold
        while time.monotonic() < until and not self.server.stopping.wait(0.02):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return

    def log_message(self, format: str, *args: Any) -> None:
        pass


class LoopbackServer(ThreadingHTTPServer):
    """``front`` answers "/"; ``port`` 0 takes a free one. ``close`` also ends connections that clients keep open."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, fake: Fake, front: Callable[[Request], Reply], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.fake = fake
        self.front = front
        self.stopping = Event()
        self._open: set[Any] = set()
        self._guard = Lock()
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def start(self) -> str:
        """Serve in the background; the base address."""
        self._thread.start()
        return f"http://127.0.0.1:{self.server_address[1]}"

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def reset_on_close(self, connection: socket.socket) -> None:
        """Linger of zero seconds: closing sends RST instead of FIN."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with self._guard:
            self._open.discard(connection)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            orderly = request in self._open
            self._open.discard(request)
        if orderly:
            super().shutdown_request(request)
        else:
            self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller who hung up is no news; everything else is a mistake of ours and shows."""
        import sys

        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._guard:
            left = list(self._open)
        for connection in left:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
