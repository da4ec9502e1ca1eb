"""So many a minute from one place or person, counted in the cache of this process. Passwords are counted elsewhere."""

from __future__ import annotations

import math
import time
from typing import Any, ClassVar

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from core.errors import AppError

WINDOW = 60


class TooManyRequests(AppError):
    """One person, or one project, asked more in this minute than ``REQUESTS_PER_MINUTE``."""

    code = "too_many_requests"
    http_status = 429
    retryable: ClassVar[bool] = True

    def __init__(self, seconds: int) -> None:
        words = ngettext(
            "Nobody may ask for so much in one minute. Go on in %(seconds)d second.",
            "Nobody may ask for so much in one minute. Go on in %(seconds)d seconds.",
            seconds,
        )
        super().__init__(words % {"seconds": seconds})
        self.seconds = seconds

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.seconds)}


class PersonThrottle(BaseThrottle):
    """For the API: the calls of one person by session and keys, or by all keys of a project. Metering and quota have
    limits of their own instead."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Raises ``TooManyRequests``; what asks without a name is refused before, where a name is needed."""
        project = getattr(request.auth, "project_id", None)
        if project or request.user.is_authenticated:
            count_request(f"project:{project}" if project else f"user:{request.user.pk}")
        return True


def count_request(who: str) -> None:
    """Raises ``TooManyRequests``."""
    most = settings.REQUESTS_PER_MINUTE
    if most and (seconds := seconds_to_wait("requests", who, most=most)):
        raise TooManyRequests(seconds)


def busy_page(request: HttpRequest, message: str, seconds: int) -> HttpResponse:
    """429 for people, in the words of ``message``."""
    answer = render(request, "429.html", {"message": message}, status=429)
    answer["Retry-After"] = str(seconds)
    return answer


def seconds_to_wait(what: str, who: str, *, most: int) -> int:
    """Count one request. 0: it may pass; else the whole seconds until the minute in which ``who`` did too much ends."""
    now = time.time()
    minute = int(now // WINDOW)
    key = f"throttle:{what}:{who}:{minute}"
    cache.add(key, 0, timeout=2 * WINDOW)
    try:
        number = cache.incr(key)
    except ValueError:  # thrown out between the two lines, by a cache that is full
        return 0
    return 0 if number <= most else max(1, math.ceil((minute + 1) * WINDOW - now))
