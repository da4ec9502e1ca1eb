"""``/api/v1/test-clocks``: made and bound by staff; advanced by them and by whoever owns all its organisations."""

from __future__ import annotations

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.clock_work import send
from accounts.membership import SETTINGS, VIEW, memberships
from accounts.models import ClockStatus, Organisation, Scope, TestClock
from accounts.reach import find_organisation
from accounts.services import test_clocks as services
from core.api.asking import actor, is_staff, read
from core.api.paging import next_url, page
from core.api.serializers import MomentField, PageQuery, StrictSerializer, TextField, page_of, problems


class NewClockSerializer(StrictSerializer):
    name = TextField(max_length=160)
    frozen_time = MomentField(help_text="Where it stands at first; whole seconds.")


class BindSerializer(StrictSerializer):
    organisation = serializers.UUIDField(help_text="One that nothing was counted or billed for. It is bound for good.")


class AdvanceSerializer(StrictSerializer):
    to = MomentField(help_text="Later than where it stands, by 366 days at most.")


class ClockSerializer(serializers.Serializer):
    uuid = serializers.UUIDField()
    name = serializers.CharField()
    frozen_time = serializers.DateTimeField()
    status = serializers.ChoiceField(ClockStatus.choices)
    target_time = serializers.DateTimeField(allow_null=True)
    failure = serializers.CharField(help_text="Why it stopped on the way; advance it again when that is settled.")
    organisations = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_organisations(self, clock: TestClock) -> list[str]:
        """Their uuids."""
        return [str(each.uuid) for each in clock.organisations.all()]


class ClocksView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(
        operation_id="test_clocks_list",
        parameters=[PageQuery],
        responses={200: page_of(ClockSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """The clocks of your organisations; staff with `accounts.view_testclock` see all."""
        query = read(PageQuery, request.query_params)
        found = page(visible_clocks(request), by=("id",), after=query.get("cursor", ""), size=query["limit"])
        rows = ClockSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": rows})

    @extend_schema(
        operation_id="test_clocks_create",
        request=NewClockSerializer,
        responses={201: ClockSerializer, **problems(400, 401, 403, 409)},
    )
    def post(self, request: Request) -> Response:
        """A new clock, bound to nobody yet: staff with `accounts.add_testclock`. 409 `test_clocks_off`."""
        _need(request, "accounts.add_testclock")
        wanted = read(NewClockSerializer, request.data)
        made = services.create_clock(actor=actor(request), **wanted)
        return Response(ClockSerializer(made).data, status=201)


class ClockView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(operation_id="test_clocks_read", responses={200: ClockSerializer, **problems(401, 403, 404)})
    def get(self, request: Request, uuid: UUID) -> Response:
        """One clock: where it stands, and where it is going."""
        return Response(ClockSerializer(_find(request, uuid)).data)


class BindView(APIView):
    @extend_schema(
        operation_id="test_clocks_bind",
        request=BindSerializer,
        responses={200: ClockSerializer, **problems(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Bind an organisation to it, for good; a repeat changes nothing. Staff with `accounts.change_testclock`.

        409 `organisation_has_past` for a real organisation: one that anything was counted or billed for.
        """
        clock = _find(request, uuid)
        _need(request, "accounts.change_testclock")
        wanted = read(BindSerializer, request.data)
        organisation = find_organisation(request.user, wanted["organisation"]).organisation
        services.bind_organisation(actor=actor(request), clock=clock, organisation=organisation)
        return Response(ClockSerializer(_find(request, uuid)).data)


class AdvanceView(APIView):
    key_scopes = {"POST": Scope.EVENTS_WRITE}

    @extend_schema(
        operation_id="test_clocks_advance",
        request=AdvanceSerializer,
        responses={200: ClockSerializer, 202: ClockSerializer, **problems(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Everything that would have happened until then happens, in order. Staff with `accounts.advance_testclock`,
        and owners of all its organisations.

        200 once it stands there, for 31 days or less; else 202, and a runner does it: ask until `status` is `ready`.
        409 `clock_advancing` while it goes elsewhere; what goes wrong is in `failure`.
        """
        clock = _find(request, uuid)
        if not may_advance(request, clock):
            raise PermissionDenied
        to = read(AdvanceSerializer, request.data)["to"]
        there = send(actor=actor(request), clock=clock, to=to)
        return Response(ClockSerializer(_find(request, uuid)).data, status=200 if there else 202)


def visible_clocks(request: Request) -> QuerySet[TestClock]:
    rows = TestClock.objects.prefetch_related("organisations")
    if is_staff(request, "accounts.view_testclock"):
        return rows
    mine = memberships(request.user, VIEW).values("organisation")
    return rows.filter(pk__in=Organisation.objects.filter(pk__in=mine).values("test_clock"))


def may_advance(request: Request, clock: TestClock) -> bool:
    if is_staff(request, "accounts.advance_testclock"):
        return True
    bound = {each.pk for each in clock.organisations.all()}
    owned = set(memberships(request.user, SETTINGS).values_list("organisation_id", flat=True))
    return bool(bound) and bound <= owned


def _find(request: Request, uuid: UUID) -> TestClock:
    """Raises ``Http404`` for what is not there and for what is not the reader's, alike."""
    row = visible_clocks(request).filter(uuid=uuid).first()
    if row is None:
        raise Http404(_("There is no such test clock."))
    return row


def _need(request: Request, permission: str) -> None:
    if not is_staff(request, permission):
        raise PermissionDenied
