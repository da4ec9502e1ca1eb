"""F35: chance does things to a site whose clock jumps, whose wire to the provider breaks and whose database goes away in
the middle of anything; the invariants hold at each step, and when all works again, we know what the provider knows.

``SIM_RUNS`` runs of ``SIM_STEPS`` steps; each run has the seed that it prints (``SEED=… SIM_RUN=…`` repeats it alone).
"""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from tests.fakes.providers import Providers
from tests.faults.seeds import dice, times
from tests.faults.world import ACTS, World
from tests.invariants import INVARIANTS, broken

STEPS = times("SIM_STEPS", 60)
RUNS = [int(os.environ["SIM_RUN"])] if os.environ.get("SIM_RUN") else range(times("SIM_RUNS", 2))
CUT = 0.12  # of the acts meet a database that goes away
SLOW = 10  # steps between two looks at the whole chain


def look(step: int) -> dict[str, list[str]]:
    """The chain grows with every step: the whole of it is read now and then, and at the end."""
    if step % SLOW == 0:
        return broken()
    found = {name: check() for name, check in INVARIANTS.items() if name != "I7"}
    return {name: words for name, words in found.items() if words}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("run", RUNS)
def test_the_books_hold_at_each_step_and_come_right_in_the_end(fakes: Providers, run: int) -> None:
    chance = dice(f"simulator {run}")
    # jumps back must not reach the day on which the first rates begin
    with time_machine.travel(timezone.now() + timedelta(days=60), tick=True) as clock:
        world = World(fakes, chance)
        world.ticking(clock)
        names = chance.choices(list(ACTS), list(ACTS.values()), k=STEPS)
        for step, name in enumerate(names):
            world.act(name, cut=chance.randint(1, 25) if chance.random() < CUT else 0)
            assert look(step) == {}, f"step {step}: {world.said}"
        world.settle()
    theirs, ours = world.money()
    assert ours == theirs, world.said
    assert broken() == {}, world.said
