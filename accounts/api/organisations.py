"""``/api/v1/organisations``: yours, their members and projects; changed by right."""

from __future__ import annotations

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import shapes
from accounts.api.shapes import MemberSerializer, OrganisationSerializer, ProjectSerializer
from accounts.membership import MEMBERS, SETTINGS, organisations_of, rights_in
from accounts.models import Member, Tier, User
from accounts.models.users import fold_username
from accounts.reach import Reach, find_organisation, find_own, find_project
from accounts.services import members as services
from accounts.services.organisations import (
    OWNER_FIELDS,
    change_organisation,
    change_project,
    create_project,
    set_organisation_active,
    set_project_active,
)
from core.api.asking import actor, is_staff, read
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, page_of, problems
from core.errors import BadInput


class OrganisationsView(APIView):
    @extend_schema(
        operation_id="organisations_list",
        parameters=[PageQuery],
        responses={200: page_of(OrganisationSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """The organisations that you belong to; staff with `accounts.view_organisation` see all."""
        query = read(PageQuery, request.query_params)
        found = page(
            organisations_of(request.user), by=("id",), after=query.get("cursor", ""), size=query["limit"],
            descending=False,
        )  # fmt: skip
        rows = shapes.described(found.rows, request.user, rights_in(request.user, found.rows))
        return Response({"next": next_url(request._request, found.cursor), "results": rows})


class OrganisationView(APIView):
    @extend_schema(
        operation_id="organisations_read", responses={200: OrganisationSerializer, **problems(401, 403, 404)}
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """One organisation."""
        return _organisation(request, find_organisation(request.user, uuid))

    @extend_schema(
        operation_id="organisations_change",
        request=shapes.OrganisationChangeSerializer,
        responses={200: OrganisationSerializer, **problems(400, 401, 403, 404, 409)},
    )
    def patch(self, request: Request, uuid: UUID) -> Response:
        """Change what is named; a repeat changes nothing. 409 `field_fixed` where something was counted or billed."""
        reach = find_organisation(request.user, uuid, SETTINGS)
        changes = read(shapes.OrganisationChangeSerializer, request.data)
        if changes.keys() - set(OWNER_FIELDS) and not is_staff(request, "accounts.change_organisation"):
            raise PermissionDenied
        active = changes.pop("is_active", None)
        if changes.get("tier") is not None:
            changes["tier"] = _tier(changes["tier"])
        with transaction.atomic():
            if changes:
                change_organisation(actor=actor(request), organisation=reach.organisation, changes=changes)
            if active is not None:
                set_organisation_active(actor=actor(request), organisation=reach.organisation, active=active)
        return _organisation(request, find_organisation(request.user, uuid))


class MembersView(APIView):
    @extend_schema(
        operation_id="members_list",
        parameters=[PageQuery],
        responses={200: page_of(MemberSerializer), **problems(400, 401, 403, 404)},
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """Who belongs to it, and as what."""
        query = read(PageQuery, request.query_params)
        organisation = find_organisation(request.user, uuid).organisation
        found = page(
            organisation.members.all(), by=("id",), after=query.get("cursor", ""), size=query["limit"],
            descending=False,
        )  # fmt: skip
        rows = MemberSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": rows})

    @extend_schema(
        operation_id="members_add",
        request=shapes.NewMemberSerializer,
        responses={201: MemberSerializer, **problems(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Staff with `accounts.add_member` alone: owners invite, so that nobody belongs without wanting to."""
        organisation = find_organisation(request.user, uuid).organisation
        if not is_staff(request, "accounts.add_member"):
            raise PermissionDenied
        wanted = read(shapes.NewMemberSerializer, request.data)
        user = User.objects.filter(pk=fold_username(wanted["user"])).first()
        if user is None:
            raise BadInput(_("There is no such user."), field="user")
        made = services.add_member(actor=actor(request), organisation=organisation, user=user, role=wanted["role"])
        return Response(MemberSerializer(made).data, status=201)


class MemberView(APIView):
    @extend_schema(
        operation_id="members_change",
        request=shapes.RoleSerializer,
        responses={200: MemberSerializer, **problems(400, 401, 403, 404, 409)},
    )
    def patch(self, request: Request, uuid: UUID, username: str) -> Response:
        """Another role. 409 `last_owner`: somebody must own it."""
        member = _member(find_organisation(request.user, uuid, MEMBERS), username)
        role = read(shapes.RoleSerializer, request.data)["role"]
        services.change_member(actor=actor(request), member=member, role=role)
        return Response(MemberSerializer(member).data)

    @extend_schema(operation_id="members_remove", responses={204: None, **problems(401, 403, 404, 409)})
    def delete(self, request: Request, uuid: UUID, username: str) -> Response:
        """Take somebody out; oneself with any role. 409 `last_owner`: somebody must own it."""
        reach = find_organisation(request.user, uuid)
        if fold_username(username) != actor(request).name:
            reach.need(MEMBERS)
        services.remove_member(actor=actor(request), member=_member(reach, username))
        return Response(status=204)


class ProjectsView(APIView):
    @extend_schema(
        operation_id="projects_list",
        parameters=[PageQuery],
        responses={200: page_of(ProjectSerializer), **problems(400, 401, 403, 404)},
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """The projects of an organisation, closed ones too."""
        query = read(PageQuery, request.query_params)
        organisation = find_organisation(request.user, uuid).organisation
        projects = organisation.project_set.select_related("organisation").prefetch_related("accounts")
        found = page(projects, by=("id",), after=query.get("cursor", ""), size=query["limit"], descending=False)
        rows = ProjectSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": rows})

    @extend_schema(
        operation_id="projects_create",
        request=shapes.NewProjectSerializer,
        responses={201: ProjectSerializer, **problems(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """A project without Slurm accounts: those are mapped by finance."""
        reach = find_organisation(request.user, uuid, SETTINGS)
        wanted = read(shapes.NewProjectSerializer, request.data)
        made = create_project(actor=actor(request), organisation=reach.organisation, **wanted)
        return Response(ProjectSerializer(made).data, status=201)


class ProjectView(APIView):
    @extend_schema(operation_id="projects_read", responses={200: ProjectSerializer, **problems(401, 403, 404)})
    def get(self, request: Request, uuid: UUID) -> Response:
        """One project."""
        return Response(ProjectSerializer(find_project(request.user, uuid)[0]).data)

    @extend_schema(
        operation_id="projects_change",
        request=shapes.ProjectChangeSerializer,
        responses={200: ProjectSerializer, **problems(400, 401, 403, 404, 409)},
    )
    def patch(self, request: Request, uuid: UUID) -> Response:
        """Change what is named. 409 `has_slurm_accounts`: the prices of jobs hang on whether it is active."""
        project, _reach = find_project(request.user, uuid, SETTINGS)
        changes = read(shapes.ProjectChangeSerializer, request.data)
        active = changes.pop("is_active", None)
        who, may_map = actor(request), is_staff(request, "accounts.change_project")
        with transaction.atomic():
            if active is not None:
                set_project_active(actor=who, project=project, active=active, with_accounts=may_map)
            if changes:
                change_project(actor=who, project=project, changes=changes)
        return Response(ProjectSerializer(find_project(request.user, uuid)[0]).data)


def _organisation(request: Request, reach: Reach) -> Response:
    row = reach.organisation
    return Response(shapes.described([row], request.user, {row.pk: reach.rights})[0])


def _member(reach: Reach, username: str) -> Member:
    rows = reach.organisation.members.select_related("organisation", "user")
    return find_own(rows, user_id=fold_username(username))


def _tier(code: str) -> Tier:
    tier = Tier.objects.filter(pk=code).first()
    if tier is None:
        raise BadInput(_("There is no such tier."), field="tier")
    return tier
