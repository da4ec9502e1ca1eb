"""The checkout page a payer's browser sees."""

from __future__ import annotations

from tests.fakes.providers.wire import Route

ROUTES: tuple[Route, ...] = ()
