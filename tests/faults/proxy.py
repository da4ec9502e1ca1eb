"""A wire between the site and PostgreSQL that can be slow, narrow, cut, or dead without saying so."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Any

PIECE = 16 * 1024


class Wire:
    """Listens on loopback and carries bytes to the server; ``settings_dict`` of Django says where that is.

    ``latency``: seconds that each piece waits; ``bandwidth``: bytes a second; ``dead``: takes and gives nothing, and
    keeps all connections open; ``closed``: nobody can connect. Each may change at any time.
    """

    def __init__(self, settings_dict: dict[str, Any]) -> None:
        host, port = str(settings_dict["HOST"]), settings_dict["PORT"] or 5432
        self.server = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host or "127.0.0.1", int(port))
        self.latency, self.bandwidth = 0.0, 0
        self.dead = self.closed = False
        self.carried: list[tuple[socket.socket, socket.socket]] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def heal(self) -> None:
        self.latency, self.bandwidth, self.dead, self.closed = 0.0, 0, False, False

    def reset(self) -> None:
        """Every connection ends at once, without a word. Its numbers are given back by the threads that carry it: a new
        connection must not have one that somebody still reads from."""
        carried, self.carried = self.carried, []
        for pair in carried:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.closed = True
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.reset()

    def _listen(self) -> None:
        while True:
            try:
                here, _address = self.listener.accept()
            except OSError:
                return
            if self.closed:
                here.close()
                continue
            family = socket.AF_UNIX if isinstance(self.server, str) else socket.AF_INET
            there = socket.socket(family, socket.SOCK_STREAM)
            socket.socket.connect(there, self.server)
            self.carried.append((here, there))
            for source, target in ((here, there), (there, here)):
                threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                if self.latency:
                    time.sleep(self.latency)
                if self.bandwidth:
                    time.sleep(len(piece) / self.bandwidth)
                while self.dead:
                    time.sleep(0.05)
                target.sendall(piece)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
