"""PostgreSQL's statements of the event store. The sums are worked out by the same text when events come in and when
they are counted again."""

from __future__ import annotations

from collections.abc import Mapping

COLUMNS: dict[str, str] = {
    "id": "uuid", "organisation_id": "bigint", "project_id": "bigint", "subscription_id": "bigint",
    "api_key_id": "uuid", "metric_name": "text", "metric_value": "numeric", "unit": "text",
    "timestamp": "timestamptz", "idempotency_key": "text", "payload_hash": "bytea", "metadata": "text",
    "model_id": "text", "request_tokens": "bigint", "response_tokens": "bigint", "cached_tokens": "bigint",
    "reasoning_tokens": "bigint", "latency_ms": "int", "status_code": "int", "is_late": "bool", "zone": "text",
}  # fmt: skip
POINTS = {"point_n": "bigint", "point_meter": "bigint", "point_value": "numeric"}
HASHES = {"hash_n": "bigint", "hash_meter": "bigint", "hash": "bytea"}
STORED = [name for name in COLUMNS if name not in ("payload_hash", "zone")]
SERIES = ("organisation_id", "project_id", "subscription_id", "meter_id", "metric_name", "unit", "model_id")
SUMS = (
    "total_value", "event_count", "error_count", "late_count", "request_tokens", "response_tokens", "cached_tokens",
    "reasoning_tokens", "latency_ms_sum", "latency_count",
)  # fmt: skip
VALUES = (*SUMS, "min_value", "max_value", "latest_value", "latest_at")
SLOTS = 8
# of two last values of the same moment the larger one, so that the order of arrival changes nothing
LATER = "(%(new)s.latest_at, %(new)s.latest_value) > (%(old)s.latest_at, %(old)s.latest_value)"

_series = ", ".join(SERIES)
_values = ", ".join(VALUES)
CONFLICT_ON = (
    "project_id, period_type, period_start, metric_name, unit, model_id, COALESCE(subscription_id, 0),"
    " COALESCE(meter_id, 0), slot"
)
ORDER = "project_id, period_type, period_start, metric_name, unit, model_id, subscription_id, meter_id"


def measured(source: str) -> str:
    """One row an event, with what is added up of it. ``source`` has the columns of ``usage_events`` and ``zone``."""
    return f"""
    SELECT organisation_id, project_id, subscription_id, NULL::bigint AS meter_id, metric_name, unit, model_id, zone,
        timestamp, metric_value AS value, is_late, COALESCE(status_code >= 400, false) AS error,
        request_tokens, response_tokens, cached_tokens, reasoning_tokens, latency_ms
    FROM {source}"""


def measured_points(source: str, value: str, join: str) -> str:
    """One row a value that a derived meter reads; ``m`` are the meters' rows."""
    return f"""
    SELECT e.organisation_id, e.project_id, e.subscription_id, m.meter_id, e.metric_name, e.unit, e.model_id, e.zone,
        e.timestamp, {value} AS value, e.is_late, false AS error,
        NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::int
    FROM {source} e {join}"""


def periods(measured_rows: str) -> str:
    """CTEs ``hours`` and ``periods`` of the rows that ``measured_rows`` selects: hours first, days and months from
    them."""
    again = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
    folded = f"""{again}, min(min_value) AS min_value, max(max_value) AS max_value,
        (array_agg(latest_value ORDER BY latest_at DESC, latest_value DESC))[1] AS latest_value,
        max(latest_at) AS latest_at"""
    return f"""
hours AS (
    SELECT {_series}, zone, date_trunc('hour', timestamp, zone) AS period_start,
        sum(value) AS total_value, count(*) AS event_count, count(*) FILTER (WHERE error) AS error_count,
        count(*) FILTER (WHERE is_late) AS late_count, COALESCE(sum(request_tokens), 0) AS request_tokens,
        COALESCE(sum(response_tokens), 0) AS response_tokens, COALESCE(sum(cached_tokens), 0) AS cached_tokens,
        COALESCE(sum(reasoning_tokens), 0) AS reasoning_tokens, COALESCE(sum(latency_ms), 0) AS latency_ms_sum,
        count(latency_ms) AS latency_count, min(value) AS min_value, max(value) AS max_value,
        (array_agg(value ORDER BY timestamp DESC, value DESC))[1] AS latest_value, max(timestamp) AS latest_at
    FROM ({measured_rows}) e GROUP BY {_series}, zone, date_trunc('hour', timestamp, zone)
), periods AS (
    SELECT 'hour' AS period_type, period_start, {_series}, {_values} FROM hours
    UNION ALL SELECT 'day', date_trunc('day', period_start, zone), {_series}, {folded} FROM hours
        GROUP BY {_series}, date_trunc('day', period_start, zone)
    UNION ALL SELECT 'month', date_trunc('month', period_start, zone), {_series}, {folded} FROM hours
        GROUP BY {_series}, date_trunc('month', period_start, zone)
)"""


def _upsert(source: str, slot: str) -> str:
    added = ", ".join(f"{name} = a.{name} + EXCLUDED.{name}" for name in SUMS)
    later = LATER % {"new": "EXCLUDED", "old": "a"}
    return f"""
    INSERT INTO usage_aggregates AS a (period_type, period_start, {_series}, {_values}, slot, updated_at)
    SELECT period_type, period_start, {_series}, {_values}, {slot}, statement_timestamp() FROM {source} ORDER BY {ORDER}
    ON CONFLICT ({CONFLICT_ON}) DO UPDATE SET {added},
        min_value = LEAST(a.min_value, EXCLUDED.min_value), max_value = GREATEST(a.max_value, EXCLUDED.max_value),
        latest_value = CASE WHEN {later} THEN EXCLUDED.latest_value ELSE a.latest_value END,
        latest_at = GREATEST(a.latest_at, EXCLUDED.latest_at), updated_at = EXCLUDED.updated_at"""


def _slots() -> str:
    """The first slot that nobody else writes to now; with all of them taken, the one of this connection."""
    tries = " ".join(f"WHEN pg_try_advisory_xact_lock(project_id::int, {slot}) THEN {slot}" for slot in range(SLOTS))
    return f"""
slots AS MATERIALIZED (
    SELECT project_id, CASE {tries} ELSE mod(pg_backend_pid(), {SLOTS}) END AS slot
    FROM (SELECT DISTINCT project_id FROM taken) p
)"""


def _arrays(columns: Mapping[str, str], *, few: bool) -> str:
    array = "(SELECT %({})s::{}[])" if few else "%({})s::{}[]"
    return ", ".join(array.format(name, kind) for name, kind in columns.items())


def ingest(*, points: bool, distinct: bool, aggregates: bool = True, few: bool = False) -> str:
    """The statement that takes a batch in; it returns the ordinals of the accepted rows. Without ``aggregates`` it is
    what the benchmark compares with.

    ``few``: how many rows there are is hidden from the planner, so that it finds that one plan does for all and keeps
    it (planning takes longer than a few rows do). A large batch is planned by its size.
    """
    arrays = _arrays(COLUMNS, few=few)
    stored = ", ".join(STORED)
    cells = ", ".join("metadata::jsonb" if name == "metadata" else name for name in STORED)
    parts = [
        f"input AS MATERIALIZED (SELECT * FROM unnest({arrays}) WITH ORDINALITY AS i({', '.join(COLUMNS)}, n))",
        """fresh AS (
    INSERT INTO usage_event_keys (project_id, idempotency_key, payload_hash, timestamp)
    SELECT project_id, idempotency_key, payload_hash, timestamp FROM input ORDER BY project_id, idempotency_key
    ON CONFLICT DO NOTHING RETURNING project_id, idempotency_key
)""",
        "taken AS MATERIALIZED (SELECT i.* FROM input i JOIN fresh USING (project_id, idempotency_key))",
        f"stored AS (INSERT INTO usage_events ({stored}) SELECT {cells} FROM taken)",
    ]
    if aggregates:
        rows = measured("taken")
        if points:
            parts.append(f"points AS (SELECT * FROM unnest({_arrays(POINTS, few=few)}) AS p(n, meter_id, value))")
            rows += " UNION ALL " + measured_points("taken", "m.value", "JOIN points m USING (n)")
        source = "(SELECT * FROM periods JOIN slots USING (project_id)) s"
        parts += [_slots(), periods(rows), f"summed AS ({_upsert(source, 'slot')})"]
    if distinct:
        parts.append(
            f"""counted AS (
    INSERT INTO usage_distinct (meter_id, organisation_id, project_id, subscription_id, hour, value_hash)
    SELECT DISTINCT p.meter_id, t.organisation_id, t.project_id, t.subscription_id,
        date_trunc('hour', t.timestamp, t.zone), p.hash
    FROM unnest({_arrays(HASHES, few=few)}) AS p(n, meter_id, hash)
    JOIN taken t USING (n) ORDER BY 1, 3, 5, 6 ON CONFLICT DO NOTHING
)"""
        )
    return "WITH " + ",\n".join(parts) + "\nSELECT n FROM taken"


# What a derived meter finds in the events that are stored: a number, or decimal text.
_AT = "e.metadata #>> string_to_array(m.value_path, '.')"
_KIND = "jsonb_typeof(e.metadata #> string_to_array(m.value_path, '.'))"
_NUMBER = (
    f"{_KIND} IN ('number', 'string') AND {_AT} ~ '^[0-9]{{1,21}}([.][0-9]{{1,9}})?$'"
    " AND m.aggregation <> 'unique' AND m.value_path <> ''"
)
_JOIN = (
    "JOIN (SELECT id AS meter_id, metric_name AS of_metric, aggregation, value_path FROM meters) m"
    " ON m.of_metric = e.metric_name"
)


def _events(stretch: str) -> str:
    return (
        "events AS (SELECT e.*, o.time_zone AS zone FROM usage_events e"
        f" JOIN organisations o ON o.id = e.organisation_id WHERE {stretch})"
    )


def counted(stretch: str) -> str:
    """CTEs up to ``periods``, from the stored events that the condition ``stretch`` chooses."""
    rows = measured("events") + " UNION ALL "
    rows += measured_points("events", f"({_AT})::numeric", f"{_JOIN} WHERE {_NUMBER}")
    return f"WITH {_events(stretch)}, {periods(rows)}"


def rebuild(stretch: str) -> str:
    """Into an emptied stretch of ``usage_aggregates``."""
    return f"""{counted(stretch)}
    INSERT INTO usage_aggregates (period_type, period_start, {_series}, {_values}, slot)
    SELECT period_type, period_start, {_series}, {_values}, 0 FROM periods ORDER BY {ORDER}"""


def distinct_values(stretch: str) -> str:
    """Rows of ``usage_distinct`` that the stored events make."""
    return f"""WITH {_events(stretch)}
    SELECT DISTINCT m.meter_id, e.organisation_id, e.project_id, e.subscription_id,
        date_trunc('hour', e.timestamp, e.zone) AS hour,
        substring(sha256(convert_to(
            CASE WHEN m.value_path = '' THEN trim_scale(e.metric_value)::text ELSE {_AT} END, 'UTF8')) FOR 16)
        AS value_hash
    FROM events e {_JOIN} WHERE m.aggregation = 'unique'
        AND (m.value_path = '' OR {_KIND} IN ('number', 'string', 'boolean'))"""


def rebuild_distinct(stretch: str) -> str:
    return (
        "INSERT INTO usage_distinct (meter_id, organisation_id, project_id, subscription_id, hour, value_hash)"
        f" SELECT * FROM ({distinct_values(stretch)}) d"
    )


def differences(stretch: str, aggregates: str) -> str:
    """Series and period, what is stored and what the events come to, where the two differ."""
    sums = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
    row = ", ".join(f"{{0}}.{name}" for name in VALUES)
    same = " AND ".join(f"s.{name} IS NOT DISTINCT FROM c.{name}" for name in ("period_type", "period_start", *SERIES))
    return f"""{counted(stretch)}, stored AS (
        SELECT period_type, period_start, {_series}, {sums}, min(min_value) AS min_value, max(max_value) AS max_value,
            (array_agg(latest_value ORDER BY latest_at DESC, latest_value DESC))[1] AS latest_value,
            max(latest_at) AS latest_at
        FROM usage_aggregates a WHERE {aggregates} GROUP BY period_type, period_start, {_series}
    )
    SELECT COALESCE(c.period_type, s.period_type), COALESCE(c.period_start, s.period_start),
        COALESCE(c.project_id, s.project_id), COALESCE(c.metric_name, s.metric_name),
        COALESCE(c.meter_id, s.meter_id), s.event_count, s.total_value, c.event_count, c.total_value
    FROM periods c FULL JOIN stored s ON {same.replace("IS NOT DISTINCT FROM", "=", 2)}
    WHERE ({row.format("c")}) IS DISTINCT FROM ({row.format("s")}) ORDER BY 3, 1, 2, 4 LIMIT %(most)s"""


def distinct_differences(stretch: str, aggregates: str) -> str:
    names = "meter_id, organisation_id, project_id, subscription_id, hour, value_hash"
    stored = f"SELECT {names} FROM usage_distinct a WHERE {aggregates}"
    counted_now = f"SELECT {names} FROM ({distinct_values(stretch)}) d"
    return f"""SELECT meter_id, project_id, hour, max(side) AS side, count(*) FROM (
        SELECT *, 'events alone' AS side FROM ({counted_now} EXCEPT {stored}) m
        UNION ALL SELECT *, 'store alone' FROM ({stored} EXCEPT {counted_now}) l
    ) d GROUP BY meter_id, project_id, hour ORDER BY 2, 1, 3 LIMIT %(most)s"""


def fold() -> str:
    """Slots of projects that nobody writes to, into slot 0. Returns how many rows went."""
    locks = " AND ".join(f"pg_try_advisory_xact_lock(project_id::int, {slot})" for slot in range(1, SLOTS))
    sums = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
    return f"""WITH quiet AS MATERIALIZED (
        SELECT project_id FROM (SELECT DISTINCT project_id FROM usage_aggregates WHERE slot > 0) p WHERE {locks}
    ), gone AS (
        DELETE FROM usage_aggregates WHERE slot > 0 AND project_id IN (SELECT project_id FROM quiet)
            AND updated_at < statement_timestamp() - interval '1 minute' RETURNING *
    ), folded AS (
        SELECT period_type, period_start, {_series}, {sums}, min(min_value) AS min_value, max(max_value) AS max_value,
            (array_agg(latest_value ORDER BY latest_at DESC, latest_value DESC))[1] AS latest_value,
            max(latest_at) AS latest_at
        FROM gone GROUP BY period_type, period_start, {_series}
    ), written AS ({_upsert("folded", "0")})
    SELECT count(*) FROM gone"""
