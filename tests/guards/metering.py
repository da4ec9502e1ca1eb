"""Guards of metered events and quotas."""

from __future__ import annotations

from tests.guards.taking import Guard

METERING = (
    Guard(
        "quotas_are_read_under_lock", "usage/services/reservations.py",
        "windows = QuotaWindow.objects.select_for_update().filter(\n        subscription=",
        "windows = QuotaWindow.objects.filter(\n        subscription=",
        ("tests/usage/test_quotas.py::test_of_many_at_once_no_more_than_the_limit_get_through",), "postgres",
    ),
    Guard(
        "quotas_have_an_end", "usage/services/reservations.py",
        "if each.window.is_hard and each.left is not None and each.left < amounts[each.window.metric]", "if False",
        ("tests/usage/test_quotas.py::test_a_hard_limit_is_told_with_its_figures_and_when_it_begins_anew",),
    ),
    Guard(
        "another_event_under_a_key_is_refused", "usage/events/sqlite.py",
        "DUPLICATE if there == row.payload_hash else CONFLICT", "DUPLICATE",
        ("tests/usage/test_event_store.py::test_another_event_under_a_key_is_a_conflict_also_in_another_month",),
    ),
    Guard(
        "another_event_under_a_key_is_refused_on_postgresql", "usage/events/postgres.py",
        "verdicts[n] = DUPLICATE if same else CONFLICT", "verdicts[n] = DUPLICATE",
        ("tests/usage/test_event_store.py::test_another_event_under_a_key_is_a_conflict_also_in_another_month",),
        "postgres",
    ),
    Guard(
        "packed_events_have_a_size", "usage/api/events.py",
        "unpacker.decompress(part, most + 1 - len(found))", "unpacker.decompress(part)",
        ("tests/faults/test_large_inputs.py::test_a_packed_body_that_unpacks_without_end_is_refused_in_little_memory",),
    ),
)  # fmt: skip
