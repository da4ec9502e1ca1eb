"""Stripe through its official library: a hosted Checkout session for each attempt.

``external_payment_id`` is the session (``cs_…``), ``charge_id`` its payment intent (``pi_…``).
Source: API version 2026-10-28 as pinned by the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import gettext as _

from core.errors import Misconfigured
from payments.providers.base import Checkout, CheckoutRequest, PaymentProvider, Ref, RefundRequest
from payments.providers.errors import AmountNotAccepted, NotThere, ProviderError, Refused, WebhookRejected
from payments.providers.limits import Method, limits_of
from payments.providers.rest import NOT_FOUND
from payments.providers.states import PaymentState, ProviderEvent, RefundState
from payments.providers.stripe import reading
from payments.providers.webhook import json_object, require_fresh, require_signature, secrets_of

TIMEOUT = (3.05, 10)
SIGNATURE = "Stripe-Signature"
# Least amounts as Stripe charges them; the most is eight digits in any currency.
_MOST = 99_999_999
_LEAST = {"THB": 1000, "USD": 50, "EUR": 50, "GBP": 30, "JPY": 50, "SGD": 50, "INR": 50}
_LANGUAGES = {"th": "th", "en": "en"}
_AMOUNT_CODES = {"amount_too_small", "amount_too_large"}
PAGE = 100


class StripeProvider(PaymentProvider):
    name: ClassVar[str] = "stripe"
    label: ClassVar[str] = "Stripe"

    def __init__(self) -> None:
        if not settings.STRIPE_SECRET_KEY:
            raise Misconfigured("STRIPE_SECRET_KEY is not set; Stripe cannot be used without it.")
        self.live = settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))

    def methods(self) -> tuple[Method, ...]:
        return tuple(self._method(name) for name in settings.STRIPE_METHODS)

    def _method(self, name: str) -> Method:
        usual = {currency: (least, _MOST) for currency, least in _LEAST.items()}
        if name == "promptpay":
            return Method(name, _("PromptPay"), limits_of(self.name, name, {"THB": usual["THB"]}))
        return Method(name, _("Card"), limits_of(self.name, name, usual))

    # --- checkout ------------------------------------------------------------

    def create_checkout(self, request: CheckoutRequest) -> Checkout:
        """A repeat under one key gives the same session for a day; after a lost reply it is looked for first."""
        session = self._recent(request.reference, "open") if request.asked_before else None
        if session is None:
            options = {"idempotency_key": f"checkout-{request.reference}"}
            session = self._ask(lambda client: client.v1.checkout.sessions.create(_session(request), options))
        return reading.checkout(session)

    def find(self, ref: Ref) -> PaymentState | None:
        if ref.external_payment_id:
            params = {"expand": ["payment_intent.latest_charge"]}
            session = self._ask(lambda client: client.v1.checkout.sessions.retrieve(ref.external_payment_id, params))
        else:
            session = self._recent(ref.reference)
        return self._state(session, ref.captured) if session else None

    def cancel(self, ref: Ref) -> bool:
        try:
            session = self._ask(lambda client: client.v1.checkout.sessions.expire(ref.external_payment_id))
        except Refused:  # it is complete or expired already
            return False
        return bool(session["status"] == "expired")

    def _recent(self, reference: str, status: str = "") -> dict[str, Any] | None:
        """The session of a reference, among those of the last day and a bit: for replies that were lost."""
        since = int(datetime.now(UTC).timestamp()) - 26 * 3600
        params: dict[str, Any] = {"limit": PAGE, "created": {"gte": since}, "expand": ["data.payment_intent"]}
        if status:
            params["status"] = status
        found = self._all(lambda client, page: client.v1.checkout.sessions.list({**params, **page}))
        for session in found:
            if session.get("client_reference_id") == reference:
                return session
        return None

    def _state(self, session: dict[str, Any], captured: bool = True) -> PaymentState:
        """The session with its refunds and disputes; a charge shows whether it has any, but for those that failed."""
        intent = session.get("payment_intent")
        intent_id = intent if isinstance(intent, str) else (intent or {}).get("id", "")
        refunds: list[dict[str, Any]] = []
        disputes: list[dict[str, Any]] = []
        if intent_id and session.get("payment_status") == "paid":
            params = {"payment_intent": intent_id, "limit": PAGE}
            if captured or reading.is_refunded(session):
                refunds = list(self._all(lambda client, page: client.v1.refunds.list({**params, **page})))
            if reading.is_disputed(session):
                disputes = list(self._all(lambda client, page: client.v1.disputes.list({**params, **page})))
        return reading.payment_state(session, refunds, disputes)

    # --- money back ----------------------------------------------------------

    def refund(self, ref: Ref, request: RefundRequest) -> RefundState:
        params = {
            "payment_intent": ref.charge_id, "amount": request.amount_minor,
            "metadata": {"reference": request.reference, "reason": request.reason[:500]},
        }  # fmt: skip
        if request.asked_before:  # the key may be forgotten after a day
            asked = {"payment_intent": ref.charge_id, "limit": PAGE}
            for each in self._all(lambda client, page: client.v1.refunds.list({**asked, **page})):
                if (found := reading.refund_state(each)).reference == request.reference:
                    return found
        options = {"idempotency_key": f"refund-{request.reference}"}
        return reading.refund_state(self._ask(lambda client: client.v1.refunds.create(params, options)))

    def settled(self, start: datetime, end: datetime) -> Iterable[PaymentState]:
        """Every paid session that was opened up to a day before ``start``, captured in the window."""
        created = {"gte": int(start.timestamp()) - 25 * 3600, "lt": int(end.timestamp())}
        params = {
            "limit": PAGE,
            "created": created,
            "status": "complete",
            "expand": ["data.payment_intent.latest_charge"],
        }
        for session in self._all(lambda client, page: client.v1.checkout.sessions.list({**params, **page})):
            if session.get("payment_status") == "paid":
                state = self._state(session)
                if state.captured_at is not None and start <= state.captured_at < end:
                    yield state

    # --- calls ---------------------------------------------------------------

    def verify(self, body: bytes, headers: Mapping[str, str], now: datetime) -> tuple[str, Mapping[str, Any]]:
        """``t=<unix>,v1=<hex>[,v1=…]``; HMAC-SHA256 of ``t.body``. Several ``v1`` while a secret is replaced."""
        parts = [part.partition("=") for part in headers.get(SIGNATURE, "").split(",")]
        times = [value for name, _eq, value in parts if name.strip() == "t"]
        if len(times) != 1:
            raise WebhookRejected("the signature is missing or wrong")
        secrets = secrets_of("STRIPE_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET_OLD")
        if not secrets:
            raise Misconfigured("STRIPE_WEBHOOK_SECRET is not set; webhooks cannot be verified.")
        given = [value for name, _eq, value in parts if name.strip() == "v1"]
        require_signature(f"{times[0]}.".encode() + body, given, secrets)
        require_fresh(times[0], now)
        payload = json_object(body)
        return reading.event_id(payload), payload

    def read_event(self, event_id: str, payload: Mapping[str, Any]) -> ProviderEvent:
        return reading.event(event_id, payload)

    # --- the library ---------------------------------------------------------

    def _ask(self, call: Callable[[Any], Any]) -> Any:
        """``call`` with a client of ours; its errors in our words. No retries: our own key makes a repeat safe."""
        import stripe

        client = _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_URL, TIMEOUT)
        try:
            return call(client).to_dict()
        except stripe.AuthenticationError as error:
            raise Misconfigured("STRIPE_SECRET_KEY is not accepted by Stripe.") from error
        except (stripe.InvalidRequestError, stripe.CardError, stripe.PermissionError) as error:
            if error.http_status == NOT_FOUND:
                raise NotThere("Stripe knows no such thing.") from error
            kind = AmountNotAccepted if error.code in _AMOUNT_CODES else Refused
            raise kind(f"Stripe refused: {error.user_message or error}"[:255]) from error
        except (stripe.StripeError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise ProviderError(f"Stripe does not answer ({type(error).__name__}).") from error

    def _all(self, page: Callable[[Any, dict[str, Any]], Any]) -> Iterable[dict[str, Any]]:
        """Every row of a list, page by page."""
        after: dict[str, Any] = {}
        while True:
            answer = self._ask(_PageAfter(page, after))
            rows = answer.get("data")
            if not isinstance(rows, list):
                raise ProviderError("Stripe's answer is not a list.")
            yield from rows
            if not answer.get("has_more") or not rows:
                return
            after = {"starting_after": rows[-1]["id"]}


@lru_cache(maxsize=4)
def _client(key: str, address: str, timeout: tuple[float, float]) -> Any:
    """One client a process, with a connection of its own for each thread."""
    import stripe

    return stripe.StripeClient(
        key, base_addresses={"api": address}, max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=timeout),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _PageAfter:
    """One page of a list, as a call with a client."""

    page: Callable[[Any, dict[str, Any]], Any]
    after: dict[str, Any]

    def __call__(self, client: Any) -> Any:
        return self.page(client, self.after)


def _session(request: CheckoutRequest) -> dict[str, Any]:
    metadata = {"reference": request.reference}
    price = {
        "currency": request.currency.lower(), "unit_amount": request.amount_minor,
        "product_data": {"name": request.description[:250]},
    }  # fmt: skip
    return {
        "mode": "payment",
        "payment_method_types": [request.method],
        "line_items": [{"price_data": price, "quantity": 1}],
        "client_reference_id": request.reference,
        "metadata": metadata,
        "payment_intent_data": {"metadata": metadata, "description": request.description[:250]},
        "success_url": request.success_url,
        "cancel_url": request.cancel_url,
        "locale": _LANGUAGES.get(request.language, "auto"),
    }
