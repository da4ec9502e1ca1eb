"""Django's database sessions, which also write down whose they are (``SESSION_ENGINE``)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from core import context

END_THERE = "end_session_at"  # address at the identity provider that ends the session there, too
SINCE = "signed_in"  # unix seconds, put into the session at sign-in


class SessionStore(DatabaseStore):
    @classmethod
    def get_model_class(cls) -> Any:
        from accounts.models import Session

        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row: Any = super().create_model_instance(data)
        request = context.current()
        row.user_id = data.get(SESSION_KEY)
        row.ip, row.user_agent = request.ip, request.user_agent[:200]
        if isinstance(seconds := data.get(SINCE), int | float):
            row.since = datetime.fromtimestamp(seconds, UTC)
        return row
