"""The JSON API: version 1 of every app under ``/api/v1/``, its description and the page that shows it."""

from __future__ import annotations

from threading import Lock
from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path, re_path
from django.utils.translation import override
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from core.api.serializers import StrictSerializer


@extend_schema(exclude=True)
class NothingHere(APIView):
    """An unknown address of the API is a problem in JSON, not a page."""

    permission_classes = (AllowAny,)
    authentication_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotFound


class SchemaQuery(StrictSerializer):
    format = serializers.ChoiceField(["json", "yaml"], required=False)


class SchemaView(SpectacularAPIView):
    """``?format=json`` or ``yaml``; without it what ``Accept`` prefers, YAML for whoever takes anything.

    It is in English whoever reads it: names of its components come from labels of choices, and programs are made from
    it. Making it takes the better part of a second, and nobody needs to sign in for it: a process makes each form once.
    """

    _made: ClassVar[dict[str, tuple[bytes, str]]] = {}
    _making = Lock()

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer: Any = request.accepted_renderer
        key = renderer.media_type
        with self._making, override("en"):
            if key not in self._made:
                answer = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
                content = renderer.render(answer.data, renderer.media_type, self.get_renderer_context())
                self._made[key] = (content, answer.headers["Content-Disposition"])
        content, name = self._made[key]
        kind = f"{renderer.media_type}; charset={renderer.charset}" if renderer.charset else renderer.media_type
        return HttpResponse(content, content_type=kind, headers={"Content-Disposition": name, "Content-Language": "en"})

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        query = SchemaQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        for renderer in self.get_renderers() if "format" in query.validated_data else ():
            if renderer.format == query.validated_data["format"]:
                return renderer, renderer.media_type
        return super().perform_content_negotiation(request, force)


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html", {"csrf_cookie": settings.CSRF_COOKIE_NAME})


def with_refusals(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Hook of the description: where one must sign in, a key without the scope is refused with 403, and too many calls
    with 429."""
    for methods in result["paths"].values():
        for operation in methods.values():
            answers = operation.get("responses", {})
            if "401" in answers:
                answers.setdefault("403", answers["401"])
                answers.setdefault("429", answers["401"])
                operation["responses"] = dict(sorted(answers.items()))
    return result


app_name = "api"
urlpatterns = [
    path("v1/", include("payments.api.urls")),
    path("v1/", include("billing.api.urls")),
    path("v1/", include("subscriptions.api.urls")),
    path("v1/", include("usage.api.urls")),
    path("v1/", include("accounts.api.urls")),
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", docs, name="docs"),
    re_path(r"", NothingHere.as_view()),
]
