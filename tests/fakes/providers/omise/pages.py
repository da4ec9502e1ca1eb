"""The pages a payer's browser or phone sees."""

from __future__ import annotations

from tests.fakes.providers.wire import Route

ROUTES: tuple[Route, ...] = ()
