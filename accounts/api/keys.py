"""``/api/v1/keys``: list, make, replace, revoke. People and operators' keys only: a key does not make keys."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.keys import manageable_keys, own_keys, own_projects
from accounts.models import ApiKey, Project, Scope, User
from accounts.services.api_keys import Issued, issue_key, revoke_key, rotate_key
from accounts.sign_in.step_up import check_known
from core.api.asking import read
from core.api.paging import next_url, page
from core.api.serializers import MomentField, PageQuery, StrictSerializer, TextField, page_of, problems
from core.context import actor_of
from core.errors import BadInput

LONGEST_OVERLAP_HOURS = 720


class KeySerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField(source="key_prefix", help_text="The beginning of the key; the rest is not kept.")
    project = serializers.UUIDField(source="project.uuid", allow_null=True, default=None)
    user = serializers.CharField(source="user_id", allow_null=True)
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices))
    works = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    replaced_by = serializers.UUIDField(source="replaced_by_id", allow_null=True)


class IssuedSerializer(KeySerializer):
    key = serializers.CharField(help_text="The whole key. This is the only time that it is shown.")


class NewKeySerializer(StrictSerializer):
    name = TextField(max_length=255)
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices), allow_empty=False, max_length=4)
    project = serializers.UUIDField(required=False, allow_null=True, default=None, help_text="Without: your own.")
    expires_at = MomentField(required=False, allow_null=True, default=None)


class RotateSerializer(StrictSerializer):
    overlap_hours = serializers.IntegerField(
        required=False,
        default=24,
        min_value=0,
        max_value=LONGEST_OVERLAP_HOURS,
        help_text="How long the old one works.",
    )


class KeysView(APIView):
    @extend_schema(
        operation_id="keys_list",
        parameters=[PageQuery],
        responses={200: page_of(KeySerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Your keys and those of projects whose keys are in your hands, newest first."""
        query = read(PageQuery, request.query_params)
        found = page(
            own_keys(_user(request)), by=("created_at", "id"), after=query.get("cursor", ""), size=query["limit"]
        )
        rows = KeySerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": rows})

    @extend_schema(
        operation_id="keys_create",
        request=NewKeySerializer,
        responses={201: IssuedSerializer, **problems(400, 401, 403)},
    )
    def post(self, request: Request) -> Response:
        """Make a key. Its text is in this answer and nowhere else.

        403 `identity_unconfirmed`: the sign-in of the session is too long ago.
        """
        check_known(request)
        order = read(NewKeySerializer, request.data)
        project = _project(request, order["project"])
        issued = issue_key(
            actor=actor_of(request._request), name=order["name"], scopes=order["scopes"],
            expires_at=order["expires_at"], project=project, user=None if project else _user(request),
        )  # fmt: skip
        return _once(issued)


class KeyView(APIView):
    @extend_schema(operation_id="keys_read", responses={200: KeySerializer, **problems(401, 403, 404)})
    def get(self, request: Request, uuid: UUID) -> Response:
        """One key."""
        return Response(KeySerializer(_find(request, uuid)).data)

    @extend_schema(operation_id="keys_revoke", responses={204: None, **problems(401, 403, 404)})
    def delete(self, request: Request, uuid: UUID) -> Response:
        """Revoke it: it works no more from now on. A repeat changes nothing."""
        revoke_key(actor=actor_of(request._request), key=_find(request, uuid))
        return Response(status=204)


class RotateView(APIView):
    @extend_schema(
        operation_id="keys_rotate",
        request=RotateSerializer,
        responses={201: IssuedSerializer, **problems(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """A new key with the same rights; the old one works on for `overlap_hours`. 409 when it works no more.

        403 `identity_unconfirmed`: the sign-in of the session is too long ago.
        """
        check_known(request)
        overlap = timedelta(hours=read(RotateSerializer, request.data)["overlap_hours"])
        return _once(rotate_key(actor=actor_of(request._request), key=_find(request, uuid, own=True), overlap=overlap))


def _once(issued: Issued) -> Response:
    body = {**KeySerializer(issued.key).data, "key": issued.secret}
    return Response(body, status=201, headers={"Cache-Control": "no-store"})


def _find(request: Request, uuid: UUID, *, own: bool = False) -> ApiKey:
    key = (own_keys if own else manageable_keys)(_user(request)).filter(pk=uuid).first()
    if key is None:
        raise Http404(_("There is no such key."))
    return key


def _project(request: Request, uuid: UUID | None) -> Project | None:
    if uuid is None:
        return None
    project = own_projects(_user(request)).filter(uuid=uuid).first()
    if project is None:
        raise BadInput(_("There is no such project."), field="project")
    return project


def _user(request: Request) -> User:
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - projects' keys do not come this far
    return user
