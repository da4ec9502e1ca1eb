"""The list of scenarios is one for all: what differs is a trait of the rig or of its provider."""

from __future__ import annotations

import re
from pathlib import Path

from tests.payments.rigs import RIGS, rigs_that_can


def test_no_scenario_asks_which_provider_it_is() -> None:
    outside = {RIGS[way].name for way in rigs_that_can("outside")}
    names = re.compile("|".join(rf"""["']{name}["']""" for name in outside))
    scenarios = [page for page in Path(__file__).parent.glob("*.py") if page != Path(__file__)]
    assert [f"{page.name}: {found}" for page in scenarios for found in names.findall(page.read_text("utf-8"))] == []


def test_only_a_provider_that_leaves_the_taking_to_us_may_leave_checkouts_open() -> None:
    rigs = [RIGS[way]() for way in rigs_that_can("outside")]
    assert [rig.name for rig in rigs if not rig.closes and rig.captures] == []
