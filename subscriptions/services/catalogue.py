"""The AI models and their dated prices. A price is added, never changed; what is in force shows on the model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit import services as audit
from core.context import Actor
from core.database.locks import lock_for_transaction
from core.errors import BadInput, Conflict
from core.lines import checked_line
from core.money import is_currency
from subscriptions.models import AiModel, AiModelPrice

STAFF = "staff"
PLACES = 9
LARGEST = Decimal("999999.999999999")  # 15 digits: as many as SQLite keeps exactly
LONGEST_ID = 255
CHANGEABLE = (
    "name", "provider", "description", "capabilities", "context_length", "metadata", "is_active", "restricted",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelPrices:
    """Of 1,000 tokens. None: priced as the class it is part of (cached input as input, reasoning as output)."""

    input: Decimal
    output: Decimal
    currency: str
    cached_input: Decimal | None = None
    reasoning: Decimal | None = None

    @classmethod
    def of(cls, row: AiModelPrice) -> ModelPrices:
        return cls(row.input_per_1k, row.output_per_1k, row.currency, row.cached_input_per_1k, row.reasoning_per_1k)


def check_id(name: object) -> str:
    """The name that callers use. Raises ``BadInput``."""
    if not isinstance(name, str) or not name or name != name.strip() or not name.isprintable():
        raise BadInput(_("A model needs a name of printable characters, without blanks around it."), field="id")
    if len(name) > LONGEST_ID:
        raise BadInput(_("The name of a model has at most %(n)d characters.") % {"n": LONGEST_ID}, field="id")
    return name


def check_prices(prices: ModelPrices, *, free: bool = False) -> None:
    """Raises ``BadInput``. Nought for input and output at once is only taken when it is said to be ``free``."""
    classes = ("input", "output", "cached_input", "reasoning")
    for name, value in ((name, getattr(prices, name)) for name in classes):
        if value is None:
            continue
        if not value.is_finite() or not 0 <= value <= LARGEST:
            words = _("A price of 1,000 tokens lies between 0 and %(most)s.")
            raise BadInput(words % {"most": LARGEST}, field=f"{name}_per_1k")
        exponent = value.normalize().as_tuple().exponent
        if isinstance(exponent, int) and exponent < -PLACES:
            raise BadInput(_("A price has at most %(n)d decimal places.") % {"n": PLACES}, field=f"{name}_per_1k")
    if not is_currency(prices.currency):
        raise BadInput(_("Three capital letters of a currency, such as THB."), field="currency")
    if not free and not prices.input and not prices.output:
        words = _("Both prices are nought. Say that the model is free of charge, or set its prices.")
        raise BadInput(words, field="input_per_1k")


def check_moment(model: str, moment: datetime, now: datetime) -> None:
    """Whether prices may begin then. Raises ``BadInput``."""
    known = AiModelPrice.objects.filter(model=model)
    if moment < now and known.exists():
        words = _("Prices cannot begin in the past: usage may be priced by those before.")
        raise BadInput(words, field="effective_from")
    if known.filter(effective_from=moment).exists():
        raise BadInput(_("There are prices from this moment on already."), field="effective_from")


@transaction.atomic
def create_model(*, actor: Actor, id: str, name: str = "", prices: ModelPrices | None = None, free: bool = False,
                 source: str = STAFF, **fields: Any) -> AiModel:  # fmt: skip
    """``fields`` of ``CHANGEABLE``. Raises ``BadInput``, and ``Conflict`` when there is one of that name."""
    model = AiModel(id=check_id(id), name=checked_line(name, "name") or id, **_known(fields))
    try:
        with transaction.atomic():
            model.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict(_("There is a model %(name)s already.") % {"name": id}) from error
    if prices is not None:
        set_price(actor=actor, model=model, prices=prices, free=free, source=source)
    extra = {field: getattr(model, field) for field in CHANGEABLE}
    audit.record(actor=actor, action="ai_model_create", target=id, entity=model, extra={**extra, "source": source})
    return model


@transaction.atomic
def change_model(*, actor: Actor, model: AiModel, **changes: Any) -> bool:
    """Set fields of ``CHANGEABLE``; False when all stand so already. Prices are set by ``set_price``."""
    held = AiModel.objects.select_for_update().get(pk=model.pk)
    pairs = {name: [getattr(held, name), value] for name, value in _known(changes).items()}
    pairs = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    for name, (_before, after) in pairs.items():
        setattr(held, name, after)
        setattr(model, name, after)
    if not pairs:
        return False
    held.save(update_fields=[*pairs, "updated_at"])
    audit.record(actor=actor, action="ai_model_change", target=model.pk, entity=model, changes=pairs)
    return True


@transaction.atomic
def set_price(
    *, actor: Actor, model: AiModel, prices: ModelPrices, effective_from: datetime | None = None, free: bool = False,
    source: str = STAFF,
) -> AiModelPrice:  # fmt: skip
    """Add prices from a moment on (default: now). Raises ``BadInput``.

    Only the first prices of a model may begin in the past: nothing can rest on others that were before.
    """
    check_prices(prices, free=free)
    lock_for_transaction("ai_prices")
    now = timezone.now()
    moment = effective_from or now
    check_moment(model.pk, moment, now)
    before = price_at(model, now)
    row = AiModelPrice.objects.create(
        model=model, effective_from=moment, input_per_1k=prices.input, output_per_1k=prices.output,
        cached_input_per_1k=prices.cached_input, reasoning_per_1k=prices.reasoning, currency=prices.currency,
        source=source, set_by=actor.name[:64],
    )  # fmt: skip
    show_current_prices(now=now, only=model)
    audit.record(
        actor=actor, action="ai_model_price", target=model.pk, entity=model, changes=_changes(before, row),
        extra={"effective_from": moment, "currency": prices.currency, "source": source},
    )  # fmt: skip
    return row


def price_at(model: AiModel, moment: datetime) -> AiModelPrice | None:
    """The prices in force at a moment."""
    rows = AiModelPrice.objects.filter(model=model, effective_from__lte=moment)
    return rows.order_by("-effective_from").first()


def show_current_prices(*, now: datetime | None = None, only: AiModel | None = None) -> int:
    """Bring the prices on the models in step with the rows in force; how many models changed."""
    rows = AiModelPrice.objects.filter(effective_from__lte=now or timezone.now())
    models = AiModel.objects.all()
    if only is not None:
        rows, models = rows.filter(model=only), models.filter(pk=only.pk)
    newest = {row.model_id: row for row in rows.order_by("effective_from")}
    changed = 0
    for model in models.filter(pk__in=newest):
        row = newest[model.pk]
        values = {
            "input_price_per_1k": row.input_per_1k, "output_price_per_1k": row.output_per_1k, "currency": row.currency,
        }  # fmt: skip
        if any(getattr(model, name) != value for name, value in values.items()):
            AiModel.objects.filter(pk=model.pk).update(**values, updated_at=timezone.now())
            changed += 1
        for name, value in values.items() if only is not None else ():
            setattr(only, name, value)
    return changed


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    if unknown := set(fields) - set(CHANGEABLE):
        raise TypeError(f"no field that may be set: {', '.join(sorted(unknown))}")
    if "name" in fields and not str(fields["name"]).strip():
        raise BadInput(_("A model needs a name."), field="name")
    for name in ("name", "provider"):
        checked_line(str(fields.get(name, "")), name)
    return fields


def _changes(before: AiModelPrice | None, after: AiModelPrice) -> dict[str, list[object]]:
    names = ("input_per_1k", "output_per_1k", "cached_input_per_1k", "reasoning_per_1k", "currency")
    pairs = {name: [getattr(before, name, None), getattr(after, name)] for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
