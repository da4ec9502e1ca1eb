"""Where usage comes from, what it costs, and what documents say."""

from decimal import Decimal
from pathlib import Path

from hpcbilling.configuration.base import DEBUG, env
from hpcbilling.environment import of_each_cluster
from usage.sbatch.partitions import Partition

USAGE_SOURCES: dict[str, str] = {
    "slurmrestd": "usage.sources.slurmrestd.SlurmrestdSource",
    "sacct": "usage.sources.sacct.SacctSource",
    "csv": "usage.sources.csvfile.CsvSource",
}
# Who knows stretches of time whose usage stands: functions that give windows, asked in the transaction that writes.
USAGE_FROZEN: dict[str, str] = {"months": "billing.services.months.hold_closed_windows"}
# Where metered events are kept, and what is taken in.
EVENT_STORES: dict[str, str] = {"database": "usage.events.database.database_events"}
EVENT_STORE: str = env.choice("EVENT_STORE", default="database", among=tuple(EVENT_STORES))
EVENTS_MAX_ITEMS: int = env.whole("EVENTS_MAX_ITEMS", default=1000, least=1)
EVENTS_MAX_BODY_BYTES: int = env.whole("EVENTS_MAX_BODY_BYTES", default=8 << 20, least=1 << 16)
# One limit for what a body may hold, packed or not; files that people upload are another matter.
DATA_UPLOAD_MAX_MEMORY_SIZE = EVENTS_MAX_BODY_BYTES
EVENTS_MAX_METADATA_BYTES: int = env.whole("EVENTS_MAX_METADATA_BYTES", default=8192, least=256)
EVENTS_MAX_AGE_DAYS: int = env.whole("EVENTS_MAX_AGE_DAYS", default=35, least=1, most=36_500)
EVENTS_MAX_AHEAD_SECONDS: int = env.whole("EVENTS_MAX_AHEAD_SECONDS", default=300, least=0)
EVENTS_LATE_AFTER_MINUTES: int = env.whole("EVENTS_LATE_AFTER_MINUTES", default=60, least=1)
# How long quota stays set aside for a call that nobody reports.
QUOTA_HOLD_SECONDS: int = env.whole("QUOTA_HOLD_SECONDS", default=600, least=1)
# Who measures what a rule of each kind watches.
ALERT_EVALUATORS: dict[str, str] = {
    "usage_threshold": "usage.alerts.thresholds.usage_threshold",
    "usage_spike": "usage.alerts.spikes.usage_spike",
    "unusual_pattern": "usage.alerts.patterns.unusual_pattern",
    "cost_threshold": "billing.alerts.cost_threshold",
}
FALLBACK_CSV: str = env.str("FALLBACK_CSV", default="")
SLURM_CLUSTER: str = env.cluster("SLURM_CLUSTER", default="cluster")
SLURM_CONF: str = env.str("SLURM_CONF", default="")
SLURM_JWT: str = env.str("SLURM_JWT", default="")
SLURMRESTD_URL: str = env.str("SLURMRESTD_URL", default="").rstrip("/")
SLURMRESTD_TOKEN: str = env.str("SLURMRESTD_TOKEN", default="")
SLURMRESTD_USER: str = env.str("SLURMRESTD_USER", default="")
SLURMRESTD_API_VERSION: str = env.str("SLURMRESTD_API_VERSION", default="")
SLURMRESTD_TLS_VERIFY: str = env.str("SLURMRESTD_TLS_VERIFY", default="true")
# A job longer than this is shown to finance before it is billed.
USAGE_RUNAWAY_DAYS: int = env.whole("USAGE_RUNAWAY_DAYS", default=60, least=1, most=36_500)
SLURMRESTD_TIMEOUT: int = env.whole("SLURMRESTD_TIMEOUT", default=60, least=1)
SLURMRESTD_MAX_BYTES: int = env.whole("SLURMRESTD_MAX_BYTES", default=64 << 20, least=1 << 20)
SACCT_TIMEOUT: int = env.whole("SACCT_TIMEOUT", default=120, least=1)
USAGE_OVERLAP_DAYS: int = env.whole("USAGE_OVERLAP_DAYS", default=2, least=0, most=36_500)
# Clusters that are imported one by one, and what is set for one of them alone (NAME__<cluster>).
SLURM_CLUSTERS: list[str] = env.clusters("SLURM_CLUSTERS")
SLURM_PER_CLUSTER: dict[str, dict[str, str]] = of_each_cluster(env, [SLURM_CLUSTER, *SLURM_CLUSTERS])
# Defaults and node sizes of the partitions, for the quotes of the playground.
SLURM_PARTITIONS: dict[str, Partition] = env.partitions("SLURM_PARTITIONS")
# Jobs that ended in these Slurm states are kept and shown, never charged.
BILLING_FREE_STATES: list[str] = [
    state.upper() for state in env.list("BILLING_FREE_STATES", default=["BOOT_FAIL", "NODE_FAIL"])
]
# Which moment's rates price a job: that of the receipt, or the end of the job. Recorded on each receipt.
BILLING_PRICE_AT: str = env.choice("BILLING_PRICE_AT", default="receipt", among=("receipt", "job_end"))
# How a part of a plan's period is charged or given back: not at all, by local days, by seconds (billing.cycles).
BILLING_PRORATION: str = env.choice("BILLING_PRORATION", default="day", among=("none", "day", "second"))
# Checks of documents at /verify/ from one address.
VERIFY_MAX_PER_MINUTE: int = env.whole("VERIFY_MAX_PER_MINUTE", default=60, least=1)
# Pages and calls of the API that one person, or one project by its keys, may ask for; 0: as many as they like.
REQUESTS_PER_MINUTE: int = env.whole("REQUESTS_PER_MINUTE", default=600, least=0)
# Above this sum of the site's currency, marking as paid, accepting and refunding need two people; empty: one is enough.
FOUR_EYES_ABOVE: Decimal | None = env.amount("FOUR_EYES_ABOVE", default="")
# Who knows what of an organisation cannot change any more: functions that give names of its fields.
ORGANISATION_FIXED: dict[str, str] = {
    "bills": "billing.organisations.fixed_fields",
    "usage": "usage.organisations.fixed_fields",
}
# Whether anything was counted or billed for an organisation: then it is bound to no test clock any more.
ORGANISATION_PASTS: dict[str, str] = {
    "bills": "billing.organisations.has_past",
    "subscriptions": "subscriptions.holders.has_past",
    "usage": "usage.organisations.has_past",
}
# Whether organisations may be bound to test clocks; in production only where it says so.
TEST_CLOCKS: bool = env.bool("TEST_CLOCKS", default=DEBUG)
# What follows when a subscription starts, rests, goes on or ends.
SUBSCRIPTION_HOOKS: dict[str, str] = {
    "start": "billing.services.subscriptions.fees.on_start",
    "suspend": "billing.services.subscriptions.fees.on_suspend",
    "resume": "billing.services.subscriptions.fees.on_resume",
    "cancel": "billing.services.subscriptions.fees.on_cancel",
    "end": "billing.services.subscriptions.fees.on_end",
}
# What time does by itself to organisations with a test clock, in this order at each instant (core.clock.Step).
CLOCK_STEPS: dict[str, str] = {
    "renewals": "billing.clock_steps.RENEWALS",
    "quotas": "usage.clock_steps.QUOTAS",
    "invoices": "billing.clock_steps.INVOICES",
    "reminders": "billing.clock_steps.REMINDERS",
    "alerts": "usage.clock_steps.ALERTS",
}
# What else the page of a subscription shows: functions of the request and the subscription that give template values.
SUBSCRIPTION_PANELS: dict[str, str] = {"quota": "usage.quota_panel.panel", "fees": "billing.views.subscriptions.panel"}
APPROVAL_ACTS: dict[str, str] = {
    "mark_paid": "billing.approvals.MARK_PAID",
    "refund": "payments.approvals.REFUND",
    "accept_payment": "payments.approvals.ACCEPT",
    "accept_transfer": "payments.approvals.ACCEPT_TRANSFER",
    "match_line": "payments.approvals.MATCH_LINE",
    "pay_invoice": "billing.approvals.PAY_INVOICE",
    "reverse_payment": "billing.approvals.REVERSE_PAYMENT",
    "write_off": "billing.approvals.WRITE_OFF",
    "credit_invoice": "billing.approvals.CREDIT_INVOICE",
}
# What makes entries of the journal, in the order in which it is posted.
JOURNAL_SOURCES: dict[str, str] = {
    "receipts": "billing.ledger.of_receipts.ISSUED",
    "voided_receipts": "billing.ledger.of_receipts.VOIDED",
    "invoices": "billing.ledger.of_invoices.INVOICES",
    "credit_notes": "billing.ledger.of_invoices.CREDIT_NOTES",
    "earned_fees": "billing.ledger.of_fees.EARNED",
    "fees_taken_back": "billing.ledger.of_fees.TAKEN_BACK",
    "invoice_payments": "billing.ledger.of_money.PAYMENTS",
    "invoice_returns": "billing.ledger.of_money.RETURNS",
    "balances": "billing.ledger.of_money.BALANCES",
    "write_offs": "billing.ledger.of_money.WRITE_OFFS",
    "receipts_by_hand": "payments.ledger.BY_HAND",
    "payments": "payments.ledger.MONEY",
    "refunds": "payments.ledger.REFUNDED",
    "disputes": "payments.ledger.DISPUTED",
}
WORK_KINDS: dict[str, str] = {
    "import_file": "usage.work.IMPORT_FILE",
    "receipt_preview": "billing.work.receipts.RECEIPT_PREVIEW",
    "receipt_run": "billing.work.receipts.RECEIPT_RUN",
    "receipt_pdf": "billing.work.pdf.RECEIPT_PDF",
    "export": "hpcbilling.work.EXPORT",
    "advance_clock": "accounts.clock_work.ADVANCE",
}
# Where sync_models reads AI models and their prices from; empty: nowhere.
LITELLM_URL: str = env.service("LITELLM_URL", default="").rstrip("/")
LITELLM_API_KEY: str = env.str("LITELLM_API_KEY", default="")
# Who reads documents of exchange rates, and where import_exchange_rates asks for one every day; empty: nowhere.
EXCHANGE_FEEDS: dict[str, str] = {"ecb": "billing.feeds.ecb.read"}
EXCHANGE_RATES_URL: str = env.service("EXCHANGE_RATES_URL", default="")
EXCHANGE_RATES_FEED: str = env.choice("EXCHANGE_RATES_FEED", default="ecb", among=tuple(EXCHANGE_FEEDS))
BILLING_RECEIPT_PREFIX: str = env.text("BILLING_RECEIPT_PREFIX", default="RC", most=20)
BILLING_INVOICE_PREFIX: str = env.text("BILLING_INVOICE_PREFIX", default="INV", most=20)
BILLING_CREDIT_NOTE_PREFIX: str = env.text("BILLING_CREDIT_NOTE_PREFIX", default="CN", most=20)
_prefixes = [BILLING_RECEIPT_PREFIX.lower(), BILLING_INVOICE_PREFIX.lower(), BILLING_CREDIT_NOTE_PREFIX.lower()]
if len(set(_prefixes)) < len(_prefixes):
    env.refused.append(
        "BILLING_RECEIPT_PREFIX, BILLING_INVOICE_PREFIX, BILLING_CREDIT_NOTE_PREFIX: two of them are the same, so two"
        " documents would have one number. Give each its own."
    )
# Days from the issue of an invoice to the day on which it is due.
BILLING_INVOICE_DAYS: int = env.whole("BILLING_INVOICE_DAYS", default=30, least=0, most=365)
# Whether payers may pay an invoice in parts of their choice.
BILLING_PARTIAL_PAYMENTS: bool = env.bool("BILLING_PARTIAL_PAYMENTS", default=True)
# Reminders of unpaid invoices: days before the due day (0: none), days after it, then once a week.
DUNNING_REMIND_BEFORE_DAYS: int = env.whole("DUNNING_REMIND_BEFORE_DAYS", default=3, least=0, most=60)
DUNNING_REMIND_AFTER_DAYS: list[int] = env.days("DUNNING_REMIND_AFTER_DAYS", default=[1, 7, 14, 21, 30])
# Days after the due day from which an organisation's subscriptions are past due, and from which they rest (0: never).
DUNNING_PAST_DUE_DAYS: int = env.whole("DUNNING_PAST_DUE_DAYS", default=7, least=0, most=365)
DUNNING_SUSPEND_DAYS: int = env.whole("DUNNING_SUSPEND_DAYS", default=30, least=0, most=730)
if 0 < DUNNING_SUSPEND_DAYS < max(DUNNING_PAST_DUE_DAYS, 1):
    env.refused.append(
        f"DUNNING_SUSPEND_DAYS={DUNNING_SUSPEND_DAYS}: 0, or DUNNING_PAST_DUE_DAYS ({DUNNING_PAST_DUE_DAYS}) or more is"
        " wanted."
    )
FISCAL_YEAR_START_MONTH: int = env.whole("FISCAL_YEAR_START_MONTH", default=10, least=1, most=12)
BILLING_TAX_ENABLED: bool = env.bool("BILLING_TAX_ENABLED", default=False)
BILLING_TAX_LABEL: str = env.text("BILLING_TAX_LABEL", default="VAT", most=30)
BILLING_TAX_RATE: Decimal = env.percent("BILLING_TAX_RATE", default="7")
BILLING_TAX_INCLUSIVE: bool = env.bool("BILLING_TAX_INCLUSIVE", default=False)
ORG_NAME: str = env.str("ORG_NAME", default="HPC Billing")
ORG_ADDRESS: str = env.str("ORG_ADDRESS", default="")
ORG_TAX_ID: str = env.str("ORG_TAX_ID", default="")
ORG_EMAIL: str = env.str("ORG_EMAIL", default="")
# Typefaces of PDF documents; empty: a Thai one is looked for in the usual folders.
PDF_FONT: str = env.str("PDF_FONT", default="")
PDF_FONT_BOLD: str = env.str("PDF_FONT_BOLD", default="")
PDF_FONT_FOLDERS: list[str] = [
    "/usr/share/fonts", "/usr/local/share/fonts", str(Path.home() / ".local/share/fonts"), str(Path.home() / ".fonts"),
    "/Library/Fonts", "/System/Library/Fonts", "C:/Windows/Fonts",
]  # fmt: skip
