from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from billing.models import Receipt
from tests.fakes.providers import Providers
from tests.payments.rigs import RIGS, Rig, configure, new_receipt, running


@pytest.fixture
def fakes(settings: Any) -> Iterator[Providers]:
    with running() as providers:
        configure(settings, providers)
        yield providers


@pytest.fixture
def receipt(alice: Any) -> Receipt:
    return new_receipt()


@pytest.fixture
def rig(request: pytest.FixtureRequest, fakes: Providers) -> Rig:
    return RIGS[request.param](fakes)
