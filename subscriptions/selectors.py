"""Which subscription serves a call to a model, and which models somebody may use. Reads only."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from accounts.models import ApiKey, Member, Organisation, Project, User
from subscriptions.holders import USERS
from subscriptions.models import USABLE, AiModel, Subscription, SubscriptionKey


def usable_subscriptions(
    *, user: User | None = None, organisation: Organisation | None = None, project: Project | None = None,
    api_key: ApiKey | None = None, at: datetime | None = None,
) -> QuerySet[Subscription]:  # fmt: skip
    """What may be used now, by whoever calls.

    A project stands for its organisation, an API key for its owner and for the links that it has. With an
    organisation: the user's within it and its own; without: the user's, within whatever organisation.
    """
    now = at or timezone.now()
    if api_key is not None:
        user, project = api_key.user or user, api_key.project or project
    if project is not None:
        organisation = project.organisation
    rows = Subscription.objects.filter(
        Q(start_at__isnull=True) | Q(start_at__lte=now), Q(end_at__isnull=True) | Q(end_at__gt=now),
        Q(cancel_at_period_end=False) | Q(next_billing_at__isnull=True) | Q(next_billing_at__gt=now),
        Q(organisation__isnull=True) | Q(organisation__is_active=True),
        Q(user__isnull=True) | Q(user__is_active=True), _held_by(user, organisation), status__in=USABLE,
    )  # fmt: skip
    if project is not None and not project.is_active:
        return rows.none()
    if api_key is not None:
        links = SubscriptionKey.objects.filter(api_key=api_key)
        rows = rows.filter(Q(Exists(links.filter(subscription=OuterRef("pk")))) | ~Exists(links))
    return rows


def usable_subscription(
    *, model: AiModel, user: User | None = None, organisation: Organisation | None = None,
    project: Project | None = None, api_key: ApiKey | None = None, at: datetime | None = None,
) -> Subscription | None:  # fmt: skip
    """The subscription that a call to ``model`` counts on: first one that names the model, then the narrowest holder.

    A restricted model is served only by a plan that names it; another by any plan that names no model, too.
    """
    if not model.is_active:
        return None
    fits = Q(plan__ai_model=model) if model.restricted else Q(plan__ai_model=model) | Q(plan__ai_model__isnull=True)
    rows = usable_subscriptions(user=user, organisation=organisation, project=project, api_key=api_key, at=at)
    order = (_first(Q(plan__ai_model=model)), _first(Q(user__isnull=False)), _first(Q(organisation__isnull=False)))
    return rows.filter(fits).select_related("plan", "organisation").order_by(*order, "pk").first()


def may_use_model(
    *, model: AiModel, user: User | None = None, organisation: Organisation | None = None,
    project: Project | None = None, api_key: ApiKey | None = None, at: datetime | None = None,
) -> bool:  # fmt: skip
    """Everybody may use a model that is not restricted."""
    if not model.is_active or not model.restricted:
        return model.is_active
    found = usable_subscription(
        model=model, user=user, organisation=organisation, project=project, api_key=api_key, at=at
    )
    return found is not None


def models_for(user: User) -> QuerySet[AiModel]:
    """The active models that this user may use."""
    named = usable_subscriptions(user=user).filter(plan__ai_model=OuterRef("pk"))
    return AiModel.objects.filter(Q(restricted=False) | Exists(named), is_active=True)


def models_of(project: Project) -> QuerySet[AiModel]:
    """The active models that the programs of a project may use."""
    named = usable_subscriptions(project=project).filter(plan__ai_model=OuterRef("pk"))
    return AiModel.objects.filter(Q(restricted=False) | Exists(named), is_active=True)


def _held_by(user: User | None, organisation: Organisation | None) -> Q:
    if user is None:
        return Q(organisation=organisation, user__isnull=True) if organisation else Q(pk__in=())
    member = Exists(Member.objects.filter(organisation=OuterRef("organisation"), user=user, role__in=USERS))
    within = member & (Q(user=user) | Q(user__isnull=True))
    if organisation is not None:
        return Q(organisation=organisation) & within
    return Q(user=user, organisation__isnull=True) | within


def _first(condition: Q) -> Case:
    return Case(When(condition, then=Value(0)), default=Value(1), output_field=IntegerField())
