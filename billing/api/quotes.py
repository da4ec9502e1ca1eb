"""``/api/v1/quote``: what an sbatch request would cost, by the engine that bills. Open, as the playground is."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Tier
from billing.api import scope
from billing.api.explain import as_json
from billing.selectors.jobs.quote import MAX_TEXT, quote
from core.api.serializers import StrictSerializer, TextField, problems
from core.errors import BadInput


class QuestionSerializer(StrictSerializer):
    """`script` is a script's text or its `#SBATCH` header, `command` an `sbatch` line; one of them."""

    script = TextField(required=False, max_length=MAX_TEXT, trim_whitespace=False)
    command = TextField(required=False, max_length=MAX_TEXT, help_text="`sbatch -n4 --time=60 job.sh`")
    tier = TextField(required=False, max_length=30, help_text="Without it: yours, or the default tier.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs.get("script")) == bool(attrs.get("command")):
            raise serializers.ValidationError({"script": [_("Send either a script or a command.")]})
        if "tier" in attrs and not Tier.objects.filter(pk=attrs["tier"]).exists():
            raise serializers.ValidationError({"tier": [_("There is no such tier.")]})
        return attrs


class QuoteView(APIView):
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="quote",
        request=QuestionSerializer,
        responses={200: OpenApiTypes.OBJECT, **problems(400, 403, 409)},
        auth=[],
        examples=[
            OpenApiExample("A script", {"script": "#SBATCH -n 4 --mem=16G\n#SBATCH -t 2:00:00\n"}, request_only=True),
            OpenApiExample("A command", {"command": "sbatch -N2 --gres=gpu:1 -t 60 job.sh"}, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Price a script header or an `sbatch` line for its whole time limit. Writes nothing.

        What cannot be read is 400 and names option and line.
        """
        question = scope.read(QuestionSerializer, request.data)
        text = question.get("script") or question["command"]
        username = scope.actor(request).name if request.user.is_authenticated else ""
        try:
            return Response(as_json(quote(text=text, username=username, tier=question.get("tier", ""))))
        except BadInput as error:
            error.details.setdefault("field", "script" if "script" in question else "command")
            raise
