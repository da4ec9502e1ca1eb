"""``/api/v1/invoice-templates``: how invoices and credit notes look. For staff."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Organisation
from accounts.models.organisations import LANGUAGE_CODES
from billing.api import scope
from billing.models import InvoiceTemplate, TemplateKind
from billing.selectors.documents.template_previews import find_by_number, previews, variables
from billing.selectors.documents.templates import Look
from billing.services.invoices.templates import save_template, set_template_active, use_template
from billing.words.templates import TemplateRefused
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, StrictSerializer, TextField, page_of, problems

LONGEST_HTML, LONGEST_CSS = 400_000, 50_000
VIEW, ADD, CHANGE = (f"billing.{verb}_invoicetemplate" for verb in ("view", "add", "change"))


class KindQuery(StrictSerializer):
    kind = serializers.ChoiceField(TemplateKind.choices, required=False, default=TemplateKind.INVOICE)


class LookSerializer(KindQuery):
    html = TextField(max_length=LONGEST_HTML, trim_whitespace=False)
    css = TextField(max_length=LONGEST_CSS, trim_whitespace=False, allow_blank=True, required=False, default="")


class NewTemplateSerializer(LookSerializer):
    """The next version of `name` of its owner; the same content again is the version that there is."""

    name = TextField(max_length=120)
    organisation = serializers.UUIDField(required=False, allow_null=True, default=None, help_text="null: for all.")
    description = TextField(max_length=500, required=False, allow_blank=True, default="")
    use = serializers.BooleanField(
        required=False, default=False, help_text="Set documents of its kind by it from now on."
    )


class TemplateChangeSerializer(StrictSerializer):
    """What a version says never changes; a change of that is a new version."""

    is_active = serializers.BooleanField(required=False)
    is_default = serializers.BooleanField(required=False, help_text="true alone: another one takes it off.")

    def validate_is_default(self, value: bool) -> bool:
        if not value:
            raise serializers.ValidationError(_("Use another version, or switch this one off."))
        return value


class TemplateSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(TemplateKind.choices, help_text="What it sets.")
    version = serializers.IntegerField()
    organisation = serializers.UUIDField(source="organisation.uuid", default=None, allow_null=True)
    description = serializers.CharField()
    is_default = serializers.BooleanField(help_text="Documents of its kind and owner are set by it now.")
    is_active = serializers.BooleanField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class TemplateDetailSerializer(TemplateSerializer):
    html = serializers.CharField(source="html_content")
    css = serializers.CharField(source="css_content")


class TemplateQuery(PageQuery):
    name = serializers.CharField(required=False, max_length=120)
    kind = serializers.ChoiceField(TemplateKind.choices, required=False)
    organisation = serializers.UUIDField(required=False, help_text="Those of this one's own.")
    is_default = serializers.BooleanField(required=False, allow_null=True, default=None)


class AskedTemplatePreviewSerializer(LookSerializer):
    invoice = TextField(
        max_length=40, required=False, allow_blank=True, default="", help_text="Its number; else a sample."
    )
    credit_note = TextField(
        max_length=40, required=False, allow_blank=True, default="",
        help_text="For a template of credit notes, the number of one; else a sample.",
    )  # fmt: skip


class TemplatePreviewSerializer(serializers.Serializer):
    language = serializers.ChoiceField(LANGUAGE_CODES)
    pages = serializers.IntegerField(help_text="How many it has; the first three are shown.")
    pictures = serializers.ListField(child=serializers.CharField(), help_text="SVG as data URI.")
    error = serializers.CharField(help_text="Why there are none; empty when there are.")


class TemplatePreviewsSerializer(serializers.Serializer):
    previews = TemplatePreviewSerializer(many=True)


class TemplateVariableSerializer(serializers.Serializer):
    name = serializers.CharField()
    written = serializers.CharField()
    meaning = serializers.CharField()
    sample = serializers.CharField(allow_blank=True)


class TemplateVariablesSerializer(serializers.Serializer):
    variables = TemplateVariableSerializer(many=True)


class TemplatesView(APIView):
    @extend_schema(
        operation_id="invoice_templates_list",
        parameters=[TemplateQuery],
        responses={200: page_of(TemplateSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Every version, newest first. Staff with `billing.view_invoicetemplate`."""
        _allow(request, VIEW)
        query = scope.read(TemplateQuery, request.query_params)
        exact = {"name": query.get("name"), "organisation__uuid": query.get("organisation"),
                 "kind": query.get("kind"), "is_default": query["is_default"]}  # fmt: skip
        rows = InvoiceTemplate.objects.select_related("organisation").defer("html_content", "css_content")
        rows = rows.filter(**{name: value for name, value in exact.items() if value not in (None, "")})
        found = page(rows, by=("id",), after=query.get("cursor", ""), size=query["limit"])
        body = TemplateSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": body})

    @extend_schema(
        operation_id="invoice_templates_create",
        request=NewTemplateSerializer,
        responses={201: TemplateDetailSerializer, **problems(400, 401, 403)},
    )
    def post(self, request: Request) -> Response:
        """Save a version. Staff with `billing.add_invoicetemplate`. A repeat gives the version that there is.

        400 names each line and variable that is wrong, under `errors`.
        """
        _allow(request, ADD)
        values = scope.read(NewTemplateSerializer, request.data)
        wanted, look = values.pop("organisation"), Look(values.pop("html"), values.pop("css"))
        owner = _organisation(wanted) if wanted else None
        made = _told(lambda: save_template(actor=scope.actor(request), look=look, organisation=owner, **values))
        return Response(TemplateDetailSerializer(made).data, status=201)


class TemplateView(APIView):
    @extend_schema(
        operation_id="invoice_templates_read", responses={200: TemplateDetailSerializer, **problems(401, 403, 404)}
    )
    def get(self, request: Request, pk: int) -> Response:
        """One version with its HTML and CSS. Staff with `billing.view_invoicetemplate`."""
        _allow(request, VIEW)
        return Response(TemplateDetailSerializer(_template(pk)).data)

    @extend_schema(
        operation_id="invoice_templates_change",
        request=TemplateChangeSerializer,
        responses={200: TemplateDetailSerializer, **problems(400, 401, 403, 404, 409)},
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Use a version, switch it off or on. Staff with `billing.change_invoicetemplate`. Safe to repeat."""
        _allow(request, CHANGE)
        row = _template(pk)
        changes = scope.read(TemplateChangeSerializer, request.data)
        if "is_active" in changes:
            set_template_active(actor=scope.actor(request), template=row, active=changes["is_active"])
        if "is_default" in changes:
            use_template(actor=scope.actor(request), template=row)
        return Response(TemplateDetailSerializer(_template(pk)).data)


class TemplatePreviewView(APIView):
    @extend_schema(
        operation_id="invoice_templates_preview",
        request=AskedTemplatePreviewSerializer,
        responses={200: TemplatePreviewsSerializer, **problems(400, 401, 403)},
    )
    def post(self, request: Request) -> Response:
        """What a template looks like, in both languages. Saves nothing. Staff with `billing.add_invoicetemplate`; a
        real document needs `billing.view_invoice`, too."""
        _allow(request, ADD)
        values = scope.read(AskedTemplatePreviewSerializer, request.data)
        kind, real = values["kind"], None
        if number := values["credit_note" if kind == TemplateKind.CREDIT_NOTE else "invoice"]:
            _allow(request, "billing.view_invoice")
            real = find_by_number(number, kind)
        found = _told(lambda: previews(Look(values["html"], values["css"]), real, kind))
        return Response(TemplatePreviewsSerializer({"previews": found}).data)


class TemplateVariablesView(APIView):
    @extend_schema(
        operation_id="invoice_templates_variables",
        parameters=[KindQuery],
        responses={200: TemplateVariablesSerializer, **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """The closed list of variables, with meaning and sample. Staff with `billing.view_invoicetemplate`."""
        _allow(request, VIEW)
        return Response(
            TemplateVariablesSerializer(
                {"variables": variables(scope.read(KindQuery, request.query_params)["kind"])}
            ).data
        )


def _told(act: Any) -> Any:
    """Every line of a refused template under its field. Raises DRF's ``ValidationError``."""
    try:
        return act()
    except TemplateRefused as error:
        found: Any = error.details["problems"]
        by_field: dict[str, list[str]] = {}
        for each in found:
            by_field.setdefault("css" if each["part"] == "css" else "html", []).append(str(each["message"]))
        raise serializers.ValidationError(by_field) from error


def _allow(request: Request, permission: str) -> None:
    if not scope.sees_all(request, permission):
        raise PermissionDenied(_("Templates of invoices are for staff who may see or write them."))


def _template(pk: int) -> InvoiceTemplate:
    row = InvoiceTemplate.objects.select_related("organisation").filter(pk=pk).first()
    if row is None:
        raise Http404(_("There is no such template."))
    return row


def _organisation(uuid: Any) -> Organisation:
    found = Organisation.objects.filter(uuid=uuid).first()
    if found is None:
        raise serializers.ValidationError({"organisation": [_("There is no such organisation.")]})
    return found
