"""``/api/v1/models`` and ``/api/v1/plans``: list and read."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Scope
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, page_of, problems
from subscriptions.api import scope
from subscriptions.api.shapes import AiModelSerializer, PlanSerializer
from subscriptions.models import Plan


class ModelQuery(PageQuery):
    provider = serializers.CharField(required=False, max_length=100)


class PlanQuery(PageQuery):
    model = serializers.CharField(required=False, max_length=255, help_text="Plans that name this model.")


class ModelsView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ}
    takes_project_keys = True

    @extend_schema(
        operation_id="models_list",
        parameters=[ModelQuery],
        responses={200: page_of(AiModelSerializer), **problems(400, 401)},
    )
    def get(self, request: Request) -> Response:
        """AI models that you may use, by id. A restricted one is among them once you have a subscription that names it.

        Staff with `subscriptions.view_aimodel` see all. Prices are of 1,000 tokens, those in force now.
        """
        query = scope.read(ModelQuery, request.query_params)
        rows = scope.models(request)
        if query.get("provider"):
            rows = rows.filter(provider=query["provider"])
        found = page(rows, by=("id",), after=query.get("cursor", ""), size=query["limit"], descending=False)
        body = AiModelSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": body})


class ModelView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ}
    takes_project_keys = True

    @extend_schema(operation_id="models_read", responses={200: AiModelSerializer, **problems(401, 404)})
    def get(self, request: Request, pk: str) -> Response:
        """One model. An id may hold slashes."""
        model = scope.models(request).filter(pk=pk).first()
        if model is None:
            raise Http404(_("There is no such model."))
        return Response(AiModelSerializer(model).data)


class PlansView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ}
    takes_project_keys = True

    @extend_schema(
        operation_id="plans_list",
        parameters=[PlanQuery],
        responses={200: page_of(PlanSerializer), **problems(400, 401)},
    )
    def get(self, request: Request) -> Response:
        """Plans that take new subscriptions, by code, with their limits."""
        query = scope.read(PlanQuery, request.query_params)
        rows = _open_plans()
        if query.get("model"):
            rows = rows.filter(ai_model=query["model"])
        found = page(rows, by=("code",), after=query.get("cursor", ""), size=query["limit"], descending=False)
        body = PlanSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": body})


class PlanView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ}
    takes_project_keys = True

    @extend_schema(operation_id="plans_read", responses={200: PlanSerializer, **problems(401, 404)})
    def get(self, request: Request, code: str) -> Response:
        """One plan that takes new subscriptions."""
        plan = _open_plans().filter(code=code).first()
        if plan is None:
            raise Http404(_("There is no such plan."))
        return Response(PlanSerializer(plan).data)


def _open_plans() -> QuerySet[Plan]:
    return Plan.objects.filter(is_active=True).prefetch_related("limits", "prices")
