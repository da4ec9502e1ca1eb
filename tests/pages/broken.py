"""Addresses with one that breaks."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from hpcbilling.urls import handler500, urlpatterns

__all__ = ["handler500", "urlpatterns"]


def broken(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


urlpatterns = [path("broken/", broken), *urlpatterns]
