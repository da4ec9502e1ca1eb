"""F20: hypothesis chooses what is done to receipts, payments, refunds, voids and disputes, and shrinks what breaks.

``STATEFUL_RUNS`` runs of ``STATEFUL_STEPS`` steps. A failure prints the steps; ``SEED=…`` repeats the search.
"""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, Phase, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.fakes.providers import Providers
from tests.faults.seeds import SEED, times
from tests.faults.world import ACTS, World
from tests.invariants import broken
from tests.payments.rigs import configure, running

RUNS = times("STATEFUL_RUNS", 3)
STEPS = times("STATEFUL_STEPS", 25)
PEOPLE = sorted(set(ACTS) - {"jump"})


@pytest.mark.django_db
def test_no_order_of_acts_breaks_the_books() -> None:
    class Books(RuleBasedStateMachine):
        """Each run in a transaction of its own that is undone, with a provider of its own."""

        def __init__(self) -> None:
            super().__init__()
            self.undo = transaction.atomic()
            self.undo.__enter__()
            self.running = running()
            fakes: Providers = self.running.__enter__()
            where = SimpleNamespace()
            configure(where, fakes)
            self.settings = override_settings(**vars(where))  # left again: hundreds of layers are too deep
            self.settings.enable()
            self.world = World(fakes, random.Random(SEED))
            for name in ("compute", "bill", "start", "pay"):
                self.world.act(name)

        @rule(name=st.sampled_from(PEOPLE), number=st.integers(0, 2**16))
        def act(self, name: str, number: int) -> None:
            self.world.chance.seed(number)
            self.world.act(name)

        @invariant()
        def the_books_hold(self) -> None:
            assert broken() == {}

        def teardown(self) -> None:
            try:
                self.world.settle()
                theirs, ours = self.world.money()
                assert ours == theirs, self.world.said
                assert broken() == {}, self.world.said
            finally:
                self.settings.disable()
                self.running.__exit__(None, None, None)
                transaction.set_rollback(True)
                self.undo.__exit__(None, None, None)

    print(f"SEED={SEED}")  # noqa: T201
    seed(SEED)(Books)
    run_state_machine_as_test(
        Books,
        settings=hypothesis_settings(
            max_examples=RUNS, stateful_step_count=STEPS, deadline=None, database=None,
            phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
