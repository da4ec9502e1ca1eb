"""Who moves the money, and how payers may pay."""

from decimal import Decimal
from importlib import import_module

from hpcbilling.configuration.base import DEBUG, env

# Providers that payers may choose, the first one the usual.
PAYMENT_PROVIDER_NAMES: list[str] = env.names("PAYMENT_PROVIDER", default=["dummy"] if DEBUG else [])
PAYMENT_PROVIDER: str = PAYMENT_PROVIDER_NAMES[0] if PAYMENT_PROVIDER_NAMES else ""
PAYMENT_CURRENCY: str = env.str("PAYMENT_CURRENCY", default="THB").upper()
PAYMENT_WEBHOOK_SECRET: str = env.str("PAYMENT_WEBHOOK_SECRET", default="")
PAYMENT_WEBHOOK_TOLERANCE_SEC: int = env.whole("PAYMENT_WEBHOOK_TOLERANCE_SEC", default=300, least=1)
# The dummy provider moves no money; outside DEBUG it does not exist.
DUMMY_PROVIDER_ALLOWED: bool = DEBUG
PAYMENT_PROVIDERS: dict[str, str] = {
    "dummy": "payments.providers.dummy.provider.DummyProvider",
    "manual": "payments.providers.manual.provider.ManualProvider",
    "stripe": "payments.providers.stripe.provider.StripeProvider",
    "omise": "payments.providers.omise.provider.OmiseProvider",
    "razorpay": "payments.providers.razorpay.provider.RazorpayProvider",
}
# Settings that each needs before it may take real money, as its folder says.
PAYMENT_PROVIDER_NEEDS: dict[str, tuple[str, ...]] = {
    name: import_module(path.rsplit(".", 2)[0]).NEEDS for name, path in PAYMENT_PROVIDERS.items()
}
# Their addresses change only for tests and demonstrations.
STRIPE_SECRET_KEY: str = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRET: str = env.str("STRIPE_WEBHOOK_SECRET", default="")
STRIPE_WEBHOOK_SECRET_OLD: str = env.str("STRIPE_WEBHOOK_SECRET_OLD", default="")
STRIPE_METHODS: list[str] = env.names("STRIPE_METHODS", default=["card", "promptpay"], among=("card", "promptpay"))
STRIPE_API_URL: str = env.service("STRIPE_API_URL", default="https://api.stripe.com")
OMISE_SECRET_KEY: str = env.str("OMISE_SECRET_KEY", default="")
OMISE_WEBHOOK_SECRET: str = env.str("OMISE_WEBHOOK_SECRET", default="")
OMISE_WEBHOOK_SECRET_OLD: str = env.str("OMISE_WEBHOOK_SECRET_OLD", default="")
OMISE_METHODS: list[str] = env.names("OMISE_METHODS", default=["promptpay", "card"], among=("card", "promptpay"))
OMISE_REFUNDABLE: list[str] = env.names("OMISE_REFUNDABLE", default=["card"], among=("card", "promptpay"))
OMISE_API_URL: str = env.service("OMISE_API_URL", default="https://api.omise.co")
RAZORPAY_KEY_ID: str = env.str("RAZORPAY_KEY_ID", default="")
RAZORPAY_KEY_SECRET: str = env.str("RAZORPAY_KEY_SECRET", default="")
RAZORPAY_WEBHOOK_SECRET: str = env.str("RAZORPAY_WEBHOOK_SECRET", default="")
RAZORPAY_WEBHOOK_SECRET_OLD: str = env.str("RAZORPAY_WEBHOOK_SECRET_OLD", default="")
RAZORPAY_API_URL: str = env.service("RAZORPAY_API_URL", default="https://api.razorpay.com")
# Where payers transfer to.
ORG_BANK_NAME: str = env.str("ORG_BANK_NAME", default="")
ORG_BANK_ACCOUNT: str = env.str("ORG_BANK_ACCOUNT", default="")
ORG_BANK_HOLDER: str = env.str("ORG_BANK_HOLDER", default="")
# {"omise.promptpay": {"THB": (Decimal("20"), Decimal("150000"))}}: other limits than the providers' usual ones.
PAYMENT_LIMITS: dict[str, dict[str, tuple[Decimal, Decimal]]] = env.limits("PAYMENT_LIMITS")
# Hours after a failure at which the payer gets a new checkout; as many retries as there are numbers.
PAYMENT_RETRY_HOURS: list[int] = env.hours("PAYMENT_RETRY_HOURS", default=[24, 48, 96])

if DEBUG:
    PAYMENT_WEBHOOK_SECRET = PAYMENT_WEBHOOK_SECRET or "insecure-development-webhook-secret"
