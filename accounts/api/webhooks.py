"""``/api/v1/webhooks``: addresses that get signed messages, what was sent to them, and sending again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import DeliveryStatus, Organisation, Scope, User, WebhookDelivery, WebhookEndpoint
from accounts.services import webhooks as services
from accounts.sign_in.step_up import check_known
from accounts.webhook_reach import find_delivery, find_endpoint, own_endpoints, own_organisations
from core.api.asking import actor, read
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, StrictSerializer, TextField, page_of, problems


class EndpointSerializer(serializers.Serializer):
    """`organisation` is null for your own. `failures` counts tries in a row that failed."""

    id = serializers.UUIDField(source="uuid")
    organisation = serializers.UUIDField(source="organisation.uuid", allow_null=True, default=None)
    url = serializers.CharField()
    description = serializers.CharField()
    kinds = serializers.SerializerMethodField(help_text="Kinds of messages that it asked for.")
    is_active = serializers.BooleanField()
    failures = serializers.IntegerField()
    old_secret_until = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()

    def get_kinds(self, row: WebhookEndpoint) -> list[str]:
        return sorted(each.kind for each in row.kinds.all())


class SecretSerializer(EndpointSerializer):
    """With the secret that signs; no other answer holds it."""

    secret = serializers.CharField(source="signing_secret")


class NewEndpointSerializer(StrictSerializer):
    url = TextField(max_length=500)
    description = TextField(max_length=200, required=False, allow_blank=True, default="")
    organisation = serializers.UUIDField(required=False, allow_null=True, default=None, help_text="Null: your own.")
    kinds = serializers.ListField(child=TextField(max_length=60), required=False, default=list, max_length=50)


class EndpointChangeSerializer(StrictSerializer):
    url = TextField(max_length=500, required=False)
    description = TextField(max_length=200, required=False, allow_blank=True)
    kinds = serializers.ListField(child=TextField(max_length=60), required=False, max_length=50)
    is_active = serializers.BooleanField(required=False)


class DeliverySerializer(serializers.Serializer):
    """`message_id` stays the same over all tries: the receiver finds it in the header `webhook-id`."""

    id = serializers.IntegerField()
    message_id = serializers.CharField()
    event_type = serializers.CharField()
    status = serializers.ChoiceField(DeliveryStatus.values)
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)


class AttemptSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    status_code = serializers.IntegerField(allow_null=True)
    milliseconds = serializers.IntegerField()
    error = serializers.CharField()


class DeliveryLogSerializer(DeliverySerializer):
    body = serializers.CharField(help_text="The JSON text that is sent and signed.")
    log = AttemptSerializer(many=True, source="log.all")


class DeliveryQuery(PageQuery):
    status = serializers.ChoiceField(DeliveryStatus.values, required=False)


class WebhooksView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ}

    @extend_schema(
        operation_id="webhooks_list",
        parameters=[PageQuery],
        responses={200: page_of(EndpointSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Your addresses, and those of organisations whose bills you run, the newest first."""
        return _page(request, own_endpoints(request.user).prefetch_related("kinds"), PageQuery, EndpointSerializer)

    @extend_schema(
        operation_id="webhooks_create",
        request=NewEndpointSerializer,
        responses={201: SecretSerializer, **problems(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request) -> Response:
        """Add an address; only this answer holds its secret. 400 `address_refused`: it is not called from here.

        403 `identity_unconfirmed`: the sign-in of the session is too long ago.
        """
        check_known(request)
        order = read(NewEndpointSerializer, request.data)
        organisation = _organisation(request, order.pop("organisation"))
        user = None if organisation else User.objects.get(pk=actor(request).name)
        made = services.create_endpoint(actor=actor(request), organisation=organisation, user=user, **order)
        return Response(SecretSerializer(made).data, status=201)


class WebhookView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ}

    @extend_schema(operation_id="webhooks_read", responses={200: EndpointSerializer, **problems(401, 403, 404)})
    def get(self, request: Request, uuid: UUID) -> Response:
        """One address."""
        return Response(EndpointSerializer(find_endpoint(request.user, uuid)).data)

    @extend_schema(
        operation_id="webhooks_change",
        request=EndpointChangeSerializer,
        responses={200: EndpointSerializer, **problems(400, 401, 403, 404)},
    )
    def patch(self, request: Request, uuid: UUID) -> Response:
        """Change what is named. Switching off gives up what waits. For another `url` or `kinds`, 403
        `identity_unconfirmed` where the sign-in of the session is too long ago."""
        endpoint = find_endpoint(request.user, uuid)
        order = read(EndpointChangeSerializer, request.data)
        if {"url", "kinds"} & order.keys():
            check_known(request)
        active = order.pop("is_active", None)
        if order:
            kept = {"url": endpoint.url, "description": endpoint.description}
            services.change_endpoint(actor=actor(request), endpoint=endpoint, **{**kept, **order})
        if active is not None:
            (services.switch_on if active else services.switch_off)(actor=actor(request), endpoint=endpoint)
        return Response(EndpointSerializer(endpoint).data)

    @extend_schema(operation_id="webhooks_delete", responses={204: None, **problems(401, 403, 404)})
    def delete(self, request: Request, uuid: UUID) -> Response:
        """Switch it off. The row and its log stay; a repeat changes nothing."""
        services.switch_off(actor=actor(request), endpoint=find_endpoint(request.user, uuid))
        return Response(status=204)


class RotateView(APIView):
    @extend_schema(
        operation_id="webhooks_rotate", request=None, responses={200: SecretSerializer, **problems(401, 403, 404)}
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """A new secret, in this answer alone. The former one signs beside it until `old_secret_until`.

        403 `identity_unconfirmed`: the sign-in of the session is too long ago.
        """
        endpoint = find_endpoint(request.user, uuid)
        check_known(request)
        services.rotate_secret(actor=actor(request), endpoint=endpoint)
        return Response(SecretSerializer(endpoint).data)


class DeliveriesView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}  # what is sent names documents and amounts

    @extend_schema(
        operation_id="webhooks_deliveries",
        parameters=[DeliveryQuery],
        responses={200: page_of(DeliverySerializer), **problems(400, 401, 403, 404)},
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """What was sent to the address or waits, the newest first."""
        endpoint = find_endpoint(request.user, uuid)
        return _page(request, WebhookDelivery.objects.filter(endpoint=endpoint), DeliveryQuery, DeliverySerializer)


class DeliveryView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}  # what is sent names documents and amounts

    @extend_schema(operation_id="webhooks_delivery", responses={200: DeliveryLogSerializer, **problems(401, 403, 404)})
    def get(self, request: Request, uuid: UUID, pk: int) -> Response:
        """One message with its body and every try."""
        return Response(DeliveryLogSerializer(find_delivery(find_endpoint(request.user, uuid), pk)).data)


class ReplayView(APIView):
    @extend_schema(
        operation_id="webhooks_replay",
        request=None,
        responses={200: DeliverySerializer, **problems(401, 403, 404, 409)},
    )
    def post(self, request: Request, uuid: UUID, pk: int) -> Response:
        """Send a message again, or one that waits for its next try now: the same id, new tries.

        409 `webhook_off`: switch the address on first; `being_sent`: it is under way at this moment.
        """
        delivery = find_delivery(find_endpoint(request.user, uuid), pk)
        services.replay(actor=actor(request), delivery=delivery)
        return Response(DeliverySerializer(delivery).data)


def _page(request: Request, rows: Any, query: type[PageQuery], shape: type[serializers.Serializer]) -> Response:
    asked = read(query, request.query_params)
    if asked.get("status"):
        rows = rows.filter(status=asked["status"])
    found = page(rows, by=("id",), after=asked.get("cursor", ""), size=asked["limit"])
    results = shape(found.rows, many=True).data
    return Response({"next": next_url(request._request, found.cursor), "results": results})


def _organisation(request: Request, uuid: UUID | None) -> Organisation | None:
    if uuid is None:
        return None
    found = own_organisations(request.user).filter(uuid=uuid).first()
    if found is None:
        raise Http404(_("There is no such organisation."))
    return found
