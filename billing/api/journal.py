"""``/api/v1/journal``: the entries of the double-entry journal and the trial balance. For staff."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Scope
from billing.api import scope
from billing.api.reports import may
from billing.models import JournalEntry, SourceKind
from billing.selectors.journal import trial_balance
from billing.selectors.journal_export import account_of, chart
from billing.services.ledger.journal import catch_up
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, StrictSerializer, page_of, problems
from core.money import places


class PostingSerializer(serializers.Serializer):
    debit = serializers.CharField(help_text="Role of the account that is debited.")
    credit = serializers.CharField(help_text="Role of the account that is credited.")
    amount = serializers.SerializerMethodField(help_text="Decimal text, in the currency of the entry.")

    def get_amount(self, posting: Any) -> str:
        return f"{posting.amount:.{places(posting.entry.currency)}f}"


class EntrySerializer(serializers.Serializer):
    id = serializers.IntegerField()
    kind = serializers.CharField(help_text="What made it.")
    source_id = serializers.IntegerField()
    part = serializers.CharField(help_text="The month, of what goes by months.")
    sequence = serializers.IntegerField(help_text="1, or more: the difference to what was posted before.")
    date = serializers.DateField()
    fact_date = serializers.DateField()
    currency = serializers.CharField()
    document = serializers.CharField()
    text = serializers.CharField()
    organisation = serializers.UUIDField(source="organisation.uuid", default=None, allow_null=True)
    user = serializers.CharField(source="user_id", allow_null=True)
    takes_back = serializers.IntegerField(source="reverses_id", allow_null=True)
    postings = PostingSerializer(many=True)


class JournalQuery(PageQuery):
    start = serializers.DateField(required=False, help_text="Dated on this day or later.")
    end = serializers.DateField(required=False, help_text="Dated on this day or earlier.")
    kind = serializers.ChoiceField(SourceKind.values, required=False)
    currency = serializers.CharField(required=False, max_length=3)
    document = serializers.CharField(required=False, max_length=80)
    organisation = serializers.UUIDField(required=False)


class JournalView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(
        operation_id="journal_list", parameters=[JournalQuery],
        responses={200: page_of(EntrySerializer), **problems(400, 401, 403)},
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """Journal entries with their postings, newest first. Staff with `billing.view_journalentry`."""
        may(request)
        query = scope.read(JournalQuery, request.query_params)
        catch_up(actor=scope.actor(request))
        exact = {
            "date__gte": query.get("start"), "date__lte": query.get("end"), "kind": query.get("kind"),
            "currency": query.get("currency"), "document": query.get("document"),
            "organisation__uuid": query.get("organisation"),
        }  # fmt: skip
        rows = JournalEntry.objects.filter(**{name: value for name, value in exact.items() if value})
        rows = rows.select_related("organisation").prefetch_related("postings__entry")
        found = page(rows, by=("id",), after=query.get("cursor", ""), size=query["limit"])
        results = EntrySerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": results})


class BalanceQuery(StrictSerializer):
    as_of = serializers.DateField(required=False, help_text="Of the entries dated up to this day.")
    currency = serializers.CharField(required=False, max_length=3)


class TrialBalanceView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(
        operation_id="journal_trial_balance", parameters=[BalanceQuery],
        responses={200: OpenApiTypes.OBJECT, **problems(400, 401, 403)},
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """Balances by currency and account; in every currency debits are credits."""
        may(request)
        query = scope.read(BalanceQuery, request.query_params)
        catch_up(actor=scope.actor(request))
        accounts = chart()
        results = [
            {
                "role": row.role, "account": (account := account_of(accounts, row.role))["number"],
                "name": account["name"], "name_th": account["name_th"], "currency": row.currency,
                "debit": f"{row.debit:.{places(row.currency)}f}", "credit": f"{row.credit:.{places(row.currency)}f}",
            }
            for row in trial_balance(query.get("as_of"), currency=query.get("currency", ""))
        ]  # fmt: skip
        return Response({"results": results})
