"""Ask the site, note what it answers, and leave everything as it was."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.test import Client

from tests.access.world import KEYS, SESSIONS, World

LOGIN = ("/accounts/login/", "/admin/login/")


def clients(world: World) -> dict[str, Client]:
    """One browser for each column of sessions, one machine for each column of keys."""
    made = {}
    for name in SESSIONS:
        made[name] = Client(raise_request_exception=False)
        if name in world.people:
            made[name].force_login(world.people[name], backend="django.contrib.auth.backends.ModelBackend")
    for name in KEYS:
        made[name] = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {world.keys[name]}"})
    return made


def ask(client: Client, method: str, address: str, **more: Any) -> Any:
    """The answer, read to its end; whatever it wrote is taken back."""
    cookies = client.cookies.copy()
    with transaction.atomic():
        more.setdefault("content_type", "application/json") if address.startswith(("/api/", "/formula")) else None
        answer = client.generic(method, address, **more)
        if answer.streaming:
            answer.body = b"".join(answer.streaming_content)
        else:
            answer.body = answer.content
        transaction.set_rollback(True)
    client.cookies = cookies
    return answer


def outcome(client: Client, method: str, address: str) -> str:
    """The status, or ``login`` where it sends people to sign in."""
    answer = ask(client, method, address)
    if answer.status_code in (301, 302) and urlsplit(answer["Location"]).path in LOGIN:
        return "login"
    return str(answer.status_code)
