"""The two SQL views of the model service: who may use what and what is left of it, and what was used by day."""

from __future__ import annotations

from core.database.sql_views import SqlViews

# What is left follows from the sums of the hours in the window; a NULL means that nothing limits it, or that nobody
# has asked yet in this window.
_LEFT = """(SELECT MIN({limit} - {gone} - COALESCE((
        SELECT SUM({what}) FROM usage_aggregates a
        WHERE a.subscription_id = s.id AND a.meter_id IS NULL AND a.period_type = 'hour' {only}
            AND a.period_start >= w.starts_at AND (w.ends_at IS NULL OR a.period_start < w.ends_at)
    ), 0))
    FROM quota_windows w
    WHERE w.subscription_id = s.id AND w.metric = '{metric}' AND w."limit" IS NOT NULL
        AND w.starts_at <= CURRENT_TIMESTAMP AND (w.ends_at IS NULL OR w.ends_at > CURRENT_TIMESTAMP))"""


def bodies(vendor: str) -> dict[str, str]:
    number = "{}" if vendor == "postgresql" else "CAST({} AS NUMERIC)"
    day = "date_trunc('day', e.timestamp)" if vendor == "postgresql" else "date(e.timestamp)"

    def left(metric: str, what: str, only: str = "") -> str:
        limit = number.format('w."limit"')
        gone = " - ".join(number.format(f"w.{name}") for name in ("held", "carried", "carried_held"))
        return _LEFT.format(limit=limit, gone=gone, what=what, only=only, metric=metric)

    return {
        "active_subscriptions": f"""
            SELECT s.*, i.email, m.name AS model_name, m.provider,
                {left("requests", "a.event_count", "AND a.model_id <> ''")} AS remaining_requests,
                {left("tokens", "a.request_tokens + a.response_tokens")} AS remaining_tokens
            FROM subscriptions s
            JOIN plans p ON p.id = s.plan_id
            LEFT JOIN user_identities i ON i.username = s.username
            LEFT JOIN ai_models m ON m.id = p.ai_model_id
            WHERE s.status IN ('active', 'trial') AND (s.end_at IS NULL OR s.end_at > CURRENT_TIMESTAMP)""",
        "usage_statistics": f"""
            SELECT s.username AS user_id, e.model_id, {day} AS usage_date, COUNT(*) AS request_count,
                SUM(COALESCE(e.request_tokens, 0) + COALESCE(e.response_tokens, 0)) AS total_tokens,
                AVG(e.latency_ms) AS avg_latency_ms,
                SUM(CASE WHEN e.status_code >= 400 THEN 1 ELSE 0 END) AS error_count
            FROM usage_events e
            JOIN subscriptions s ON s.id = e.subscription_id
            WHERE e.model_id <> ''
            GROUP BY s.username, e.model_id, {day}""",
    }


VIEWS = SqlViews(bodies, needs="usage_aggregates")
