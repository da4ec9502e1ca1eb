"""``/api/v1/organisations/<uuid>/invitations``: whom an organisation asked to join."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.utils import translation
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.membership import MEMBERS
from accounts.models import Invitation, MemberRole
from accounts.reach import find_organisation, find_own
from accounts.services import invitations as services
from core.api.asking import read
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, StrictSerializer, TextField, page_of, problems
from core.context import actor_of


class InvitationSerializer(serializers.Serializer):
    """The secret of the link is in the e-mail and nowhere else."""

    uuid = serializers.UUIDField()
    email = serializers.EmailField()
    role = serializers.ChoiceField(MemberRole.values)
    status = serializers.SerializerMethodField()
    invited_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    accepted_at = serializers.DateTimeField(allow_null=True)
    accepted_by = serializers.CharField(allow_blank=True)

    @extend_schema_field(serializers.ChoiceField(["open", "accepted", "withdrawn", "expired"]))
    def get_status(self, row: Invitation) -> str:
        if row.accepted_at is not None:
            return "accepted"
        if row.revoked_at is not None:
            return "withdrawn"
        return "open" if row.is_open else "expired"


class NewInvitationSerializer(StrictSerializer):
    email = TextField(max_length=254)
    role = serializers.ChoiceField(MemberRole.values, required=False, default=MemberRole.MEMBER)
    language = serializers.ChoiceField(
        [code for code, _name in settings.LANGUAGES], required=False, help_text="Of the e-mail; yours if absent."
    )


class InvitationsView(APIView):
    @extend_schema(
        operation_id="invitations_list",
        parameters=[PageQuery],
        responses={200: page_of(InvitationSerializer), **problems(400, 401, 403, 404)},
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """All invitations of an organisation, the newest first."""
        query = read(PageQuery, request.query_params)
        organisation = find_organisation(request.user, uuid, MEMBERS).organisation
        found = page(organisation.invitations.all(), by=("id",), after=query.get("cursor", ""), size=query["limit"])
        rows = InvitationSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": rows})

    @extend_schema(
        operation_id="invitations_create",
        request=NewInvitationSerializer,
        responses={201: InvitationSerializer, **problems(400, 401, 403, 404, 409, 429)},
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Send a link by e-mail, good for a week. Who was asked already gets a new one, and the old one ends.

        429 `too_many_invitations`: so many are open, or were sent today, that no more can be.
        """
        organisation = find_organisation(request.user, uuid, MEMBERS).organisation
        wanted = {"language": translation.get_language() or settings.LANGUAGE_CODE}
        wanted |= read(NewInvitationSerializer, request.data)
        made = services.invite(actor=actor_of(request._request), organisation=organisation, **wanted)
        made.refresh_from_db()
        return Response(InvitationSerializer(made).data, status=201)


class InvitationView(APIView):
    @extend_schema(operation_id="invitations_read", responses={200: InvitationSerializer, **problems(401, 403, 404)})
    def get(self, request: Request, uuid: UUID, invitation: UUID) -> Response:
        """One invitation."""
        return Response(InvitationSerializer(_find(request, uuid, invitation)).data)

    @extend_schema(operation_id="invitations_withdraw", responses={204: None, **problems(401, 403, 404, 409)})
    def delete(self, request: Request, uuid: UUID, invitation: UUID) -> Response:
        """Withdraw it: its link ends at once. A repeat changes nothing. 409 once it was accepted."""
        services.withdraw(actor=actor_of(request._request), invitation=_find(request, uuid, invitation))
        return Response(status=204)


def _find(request: Request, uuid: UUID, invitation: UUID) -> Invitation:
    organisation = find_organisation(request.user, uuid, MEMBERS).organisation
    return find_own(organisation.invitations.select_related("organisation"), uuid=invitation)
