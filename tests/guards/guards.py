"""The guards: what keeps jobs from being billed twice, money from being counted or given back twice, records from being
changed, and people from what is not theirs. Each entry says how the guard is taken away, and which test must miss it."""

from __future__ import annotations

from tests.guards.access import ACCESS
from tests.guards.billing import BILLING
from tests.guards.metering import METERING
from tests.guards.money import MONEY
from tests.guards.record import RECORD
from tests.guards.taking import Guard

GUARDS: tuple[Guard, ...] = (*BILLING, *MONEY, *RECORD, *ACCESS, *METERING)
