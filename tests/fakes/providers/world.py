"""All three providers in one process."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from .control import Control
from .fake import Fake
from .omise import Omise
from .pump import Pump
from .razorpay import Razorpay
from .server import LoopbackServer
from .stripe import Stripe


class Providers:
    """``with Providers(seed=1) as fakes:`` serves Stripe, Omise and Razorpay on loopback.

    ``port`` 0 takes free ports; any other number is Stripe's, the next two are Omise's and Razorpay's. Another ``run``
    gives other names to what is made, under the same secrets.
    """

    def __init__(self, seed: int = 0, port: int = 0, run: str = "") -> None:
        self.stripe = Stripe(seed, run)
        self.omise = Omise(seed, run)
        self.razorpay = Razorpay(seed, run)
        self.all: dict[str, Fake] = {fake.name: fake for fake in (self.stripe, self.omise, self.razorpay)}
        self.pump = Pump(self.all, seed)
        self._port = port
        self._servers: list[LoopbackServer] = []

    def start(self) -> Self:
        for number, fake in enumerate(self.all.values()):
            server = LoopbackServer(fake, Control(self).answer, self._port + number if self._port else 0)
            fake.url = server.start()
            fake.on_event = self.pump.wake
            self._servers.append(server)
        return self

    def stop(self) -> None:
        self.pump.close()
        for server in self._servers:
            server.close()
        self._servers.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
