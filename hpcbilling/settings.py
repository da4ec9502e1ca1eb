"""All settings of the project, read from the environment.

Every variable is listed in ``.env.example`` (a test compares the two). A secret
may also be given as ``NAME_FILE``, the path of a file that holds it. Production
(``DEBUG`` off) refuses to start when something a demo may leave open is unset
or not safe (``hpcbilling.unsafe``), with every name in one message.
"""

import sys
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from csp.constants import NONCE, NONE, SELF
from django.utils.translation import gettext_lazy as _

from core.logs import logging_to_console
from hpcbilling.configuration.base import BASE_DIR, DEBUG, env
from hpcbilling.configuration.billing import *  # noqa: F403 - every name is a setting
from hpcbilling.configuration.payments import *  # noqa: F403
from hpcbilling.environment import refuse_to_start
from hpcbilling.single_sign_on import SECOND_FACTOR_ROLES, check_single_sign_on, origin_of
from hpcbilling.unsafe import refusals

# --- secrets and hosts -------------------------------------------------------
SECRET_KEY: str = env.str("SECRET_KEY", default="")
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SITE_BASE_URL: str = env.web_address("SITE_BASE_URL", default="")
# How many reverse proxies of ours append to X-Forwarded-For; 0 trusts only the socket.
TRUSTED_PROXY_COUNT: int = env.whole("TRUSTED_PROXY_COUNT", default=0, least=0)
if DEBUG:
    SECRET_KEY = SECRET_KEY or "insecure-development-key-never-used-when-debug-is-off"
    ALLOWED_HOSTS = ALLOWED_HOSTS or ["localhost", "127.0.0.1", "[::1]"]
    SITE_BASE_URL = SITE_BASE_URL or f"http://127.0.0.1:{env.int('PORT', default=8000)}"

# --- proof of the audit log: see docs/audit.md --------------------------------
AUDIT_SIGNING_KEY: str = env.str("AUDIT_SIGNING_KEY", default="")
AUDIT_PUBLIC_KEYS: list[str] = env.list("AUDIT_PUBLIC_KEYS", default=[])
AUDIT_HEADS_FILE: str = env.str("AUDIT_HEADS_FILE", default="")
# Rows older than this may be archived by prune; 0: none ever.
AUDIT_RETENTION_DAYS: int = env.whole("AUDIT_RETENTION_DAYS", default=0, least=0, most=36_500)
AUDIT_ARCHIVE_FOLDER: str = env.str("AUDIT_ARCHIVE_FOLDER", default="")

# --- applications ------------------------------------------------------------
INSTALLED_APPS = [
    "hpcbilling.apps.FinanceAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_prometheus",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "axes",
    "core",
    "audit",
    "accounts",
    "subscriptions",
    "usage",
    "billing",
    "payments",
    "hpcbilling.apps.HpcBillingConfig",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "hpcbilling.headers.SecureHeadersMiddleware",
    "hpcbilling.middleware.RequestContextMiddleware",
    "hpcbilling.problems.ApiProblemsMiddleware",
    "hpcbilling.middleware.HeadersMiddleware",
    "hpcbilling.middleware.ProgramsOverTlsMiddleware",
    "hpcbilling.express.SingleEventsMiddleware",
    "hpcbilling.middleware.NoStoreMiddleware",
    "hpcbilling.middleware.RefuseNulMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "hpcbilling.middleware.ProbesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "hpcbilling.middleware.SlashMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.sign_in.sessions.SessionLimitsMiddleware",
    "accounts.sign_in.second_factor.SecondFactorMiddleware",
    "hpcbilling.middleware.PersonLimitMiddleware",
    "accounts.view_as.ViewAsMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "axes.middleware.AxesMiddleware",
    *(["hpcbilling.problems.OwnNotFoundMiddleware"] if DEBUG else []),
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "hpcbilling.urls"
WSGI_APPLICATION = "hpcbilling.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "hpcbilling.context.site",
            ],
        },
    }
]

# --- database ----------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.database("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'hpcbilling.sqlite3'}")
}
# A pooler that gives a server to each transaction stands before the database; commands may go past it.
DATABASE_POOLED: bool = env.bool("DATABASE_POOLED", default=False)
DATABASE_DIRECT_URL: str = env.str("DATABASE_DIRECT_URL", default="")
DATABASE_OF_THE_SITE: dict[str, Any] = DATABASES["default"].copy()  # what the web server asks; ``doctor`` tries it, too
if DATABASE_DIRECT_URL and Path(sys.argv[0]).name == "manage.py":
    DATABASES["default"] = env.database("DATABASE_DIRECT_URL", default="sqlite:///unusable.sqlite3")
    DATABASE_POOLED = False
_db = DATABASES["default"]
_db["ATOMIC_REQUESTS"] = False
if _db["ENGINE"] == "django.db.backends.sqlite3":
    # One writer at a time, readers never wait; a writer takes its lock when the transaction begins.
    _db["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 60,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    _db.setdefault("CONN_MAX_AGE", 60)
    _db["CONN_HEALTH_CHECKS"] = True
    _db.setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
    # Statements that say so themselves (core.database.prepared) are prepared, no others; with None the driver
    # prepares nothing.
    _db["OPTIONS"].setdefault("prepare_threshold", 1_000_000)
    # Nothing of ours may outlive a transaction then: no cursor on the server, no statement prepared there.
    _db["DISABLE_SERVER_SIDE_CURSORS"] = DATABASE_POOLED
    if DATABASE_POOLED:
        _db["OPTIONS"]["prepare_threshold"] = None
# In the process itself; holds the counters of core.api.throttle and nothing that must last.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 10_000}},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people ------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
PASSWORD_RESET_TIMEOUT = 3600  # seconds that the link of a forgotten password works
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["username"]},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "accounts.sign_in.passwords.SiteWordsValidator"},
    {"NAME": "accounts.sign_in.breaches.BreachedPasswordValidator"},
]
BREACHED_PASSWORDS_FILE: str = env.str("BREACHED_PASSWORDS_FILE", default="")
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "accounts:login"
ADMIN_PASSWORD: str = env.str("ADMIN_PASSWORD", default="")
SEED_DEMO_USERS: bool = env.bool("SEED_DEMO_USERS", default=DEBUG)
_DEMO_CAST = (
    "alice:user bob:user carol:user dave:user som.chai:user opr:user finance:finance auditor:auditor admin:admin"
    " support:support rates:rates-editor operator:operator"
)
DEMO_USERS: list[str] = env.list(
    "DEMO_USERS", default=[entry.replace(":", ":hpc-demo:") for entry in _DEMO_CAST.split()] if DEBUG else []
)
DEFAULT_TIER = "private"
# Networks that webhook messages may go to although they are not on the public internet, on any port.
WEBHOOK_ALLOWED_NETWORKS: list[IPv4Network | IPv6Network] = env.networks("WEBHOOK_ALLOWED_NETWORKS")
WEBHOOK_HTTP_ALLOWED: bool = DEBUG

AUTH_THROTTLE_MAX_FAILS: int = env.whole("AUTH_THROTTLE_MAX_FAILS", default=5, least=1)
AUTH_THROTTLE_WINDOW_SEC: int = env.whole("AUTH_THROTTLE_WINDOW_SEC", default=900, least=1)
AUTH_THROTTLE_LOCK_SEC: int = env.whole("AUTH_THROTTLE_LOCK_SEC", default=900, least=1)
# How many attempts on one name from networks it never came from, and from one network, pass at once in a window; after
# that one each DELAY seconds, and the pause doubles.
AUTH_THROTTLE_NAME_ATTEMPTS: int = env.whole("AUTH_THROTTLE_NAME_ATTEMPTS", default=10, least=1)
AUTH_THROTTLE_NETWORK_ATTEMPTS: int = env.whole("AUTH_THROTTLE_NETWORK_ATTEMPTS", default=20, least=1)
AUTH_THROTTLE_DELAY_SEC: int = env.whole("AUTH_THROTTLE_DELAY_SEC", default=10, least=1, most=900)
# axes decides when to ask and what to answer; our handler keeps the counters (accounts/sign_in/throttle.py).
AXES_HANDLER = "accounts.sign_in.throttle.ThrottleHandler"
AXES_CLIENT_IP_CALLABLE = "core.context.client_ip"
AXES_FAILURE_LIMIT = AUTH_THROTTLE_MAX_FAILS
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "accounts.sign_in.throttle.locked_response"
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False

# --- second factor and single sign-on (docs/sso.md) ---------------------------
# Roles that get no further than the page of the second factor without one.
MFA_REQUIRED_ROLES: list[str] = env.names("MFA_REQUIRED_ROLES", default=[], among=SECOND_FACTOR_ROLES)
OIDC_ISSUER: str = env.str("OIDC_ISSUER", default="").strip()
OIDC_ENABLED: bool = bool(OIDC_ISSUER)
OIDC_NAME: str = env.text("OIDC_NAME", default="SSO", most=40)
OIDC_CLIENT_ID: str = env.str("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET: str = env.str("OIDC_CLIENT_SECRET", default="")
OIDC_SCOPES: list[str] = env.names("OIDC_SCOPES", default=["openid", "profile", "email"])
OIDC_USERNAME_CLAIM: str = env.str("OIDC_USERNAME_CLAIM", default="preferred_username")
OIDC_GROUPS_CLAIM: str = env.str("OIDC_GROUPS_CLAIM", default="groups")
# {"hpc-billing-finance": "Finance"}: their groups that give groups of ours; all others give nothing.
OIDC_GROUP_ROLES: dict[str, str] = env.group_roles("OIDC_GROUP_ROLES")
OIDC_CREATE_USERS: bool = env.bool("OIDC_CREATE_USERS", default=True)
OIDC_LINK_USERS: bool = env.bool("OIDC_LINK_USERS", default=False)
# Words of the claim ``amr`` that count as a second factor, such as mfa or otp; empty: none does.
OIDC_SECOND_FACTOR_AMR: list[str] = env.names("OIDC_SECOND_FACTOR_AMR", default=[])
OIDC_HTTP_ALLOWED: bool = DEBUG
if OIDC_ENABLED:
    env.refused += check_single_sign_on(OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, http_allowed=OIDC_HTTP_ALLOWED)
    INSTALLED_APPS[-1:-1] = [
        "allauth", "allauth.account", "allauth.socialaccount", "allauth.socialaccount.providers.openid_connect",
    ]  # fmt: skip
    MIDDLEWARE.insert(
        MIDDLEWARE.index("axes.middleware.AxesMiddleware"), "allauth.account.middleware.AccountMiddleware"
    )
    ACCOUNT_USER_MODEL_EMAIL_FIELD = None
    ACCOUNT_USER_MODEL_USERNAME_FIELD = "username"
    ACCOUNT_EMAIL_VERIFICATION = "none"
    ACCOUNT_LOGIN_METHODS = {"username"}
    ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
    SOCIALACCOUNT_ADAPTER = "accounts.sso.provider.SocialAdapter"
    SOCIALACCOUNT_STORE_TOKENS = False
    SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
    SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "OAUTH_PKCE_ENABLED": True,
            "APPS": [
                {
                    "provider_id": "oidc", "name": OIDC_NAME, "client_id": OIDC_CLIENT_ID, "secret": OIDC_CLIENT_SECRET,
                    "settings": {"server_url": OIDC_ISSUER, "scope": OIDC_SCOPES, "oauth_pkce_enabled": True},
                }
            ],
        }
    }  # fmt: skip

# --- e-mail: queued in the database, sent by send_emails ----------------------
# EMAIL_BACKEND, EMAIL_HOST and the rest
globals().update(env.mail("EMAIL_URL", default="consolemail://", must_send=not DEBUG))
EMAIL_TIMEOUT = 20  # seconds a step: all steps together stay below the lease of accounts.services.outbox
DEFAULT_FROM_EMAIL: str = env.sender("DEFAULT_FROM_EMAIL", default=f"noreply@{urlsplit(SITE_BASE_URL).hostname}")

# --- exports: the tables that finance may take away, in the order of the page ---
REPORTS: dict[str, str] = {
    "revenue": "billing.reports.revenue.REVENUE_REPORT",
    "recurring": "billing.reports.recurring.RECURRING_REPORT",
    "ageing": "billing.reports.ageing.AGEING_REPORT",
    "deferred": "billing.reports.deferred.DEFERRED_REPORT",
    "tax": "billing.reports.tax.TAX_REPORT",
    "tax_return": "billing.reports.tax.TAX_SUMMARY",
    "uninvoiced": "billing.reports.uninvoiced.UNINVOICED_REPORT",
}
EXPORTS: dict[str, str] = {
    "receipts": "billing.exports.RECEIPTS",
    "paid_receipts": "billing.exports.PAID",
    "pending_receipts": "billing.exports.PENDING",
    "void_receipts": "billing.exports.VOID",
    "receipt_items": "billing.exports.ITEMS",
    "usage": "billing.exports.USAGE",
    "focus_1_2": "billing.exports.FOCUS",
    "payments": "payments.exports.PAYMENTS",
    "refunds": "payments.exports.REFUNDS",
    "paid_receipts_v": "payments.exports.PAID_VIEW",
    "payment_health_v": "payments.exports.HEALTH_VIEW",
    "audit_log": "audit.exports.AUDIT_LOG",
}

# --- language and time -------------------------------------------------------
LANGUAGE_CODE: str = env.choice("LANGUAGE_CODE", default="en", among=("en", "th"))
LANGUAGES = [("en", _("English")), ("th", _("Thai"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE: str = env.zone("TIME_ZONE", default="Asia/Bangkok")
USE_I18N = True
FORMAT_MODULE_PATH = ["hpcbilling.formats"]
USE_TZ = True

# --- static files ------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / env.str("STATIC_ROOT", default="staticfiles")
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- security headers --------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        # A form that leads to the identity provider is followed there by a redirect, which browsers check, too.
        "form-action": [SELF, *([origin_of(OIDC_ISSUER)] if OIDC_ENABLED else [])],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_ENGINE = "accounts.sign_in.sessions"
SESSION_COOKIE_NAME = "sessionid" if DEBUG else "__Host-sessionid"  # browsers take it from this host over TLS alone
SESSION_COOKIE_HTTPONLY = True
SESSION_IDLE_SEC: int = env.whole("SESSION_IDLE_SEC", default=28_800, least=60)
SESSION_MAX_SEC: int = env.whole("SESSION_MAX_SEC", default=604_800, least=60)
SESSION_COOKIE_AGE = SESSION_IDLE_SEC
STEP_UP_SEC: int = env.whole("STEP_UP_SEC", default=900, least=1)
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "csrftoken" if DEBUG else "__Host-csrftoken"
LANGUAGE_COOKIE_NAME = "django_language" if DEBUG else "__Host-language"
LANGUAGE_COOKIE_SECURE, LANGUAGE_COOKIE_HTTPONLY = not DEBUG, True
LANGUAGE_COOKIE_SAMESITE: Literal["Lax"] = "Lax"
CSRF_FAILURE_VIEW = "hpcbilling.problems.csrf_failure"
DEFAULT_EXCEPTION_REPORTER = "hpcbilling.reporter.OwnBadRequests"
SECURE_SSL_REDIRECT: bool = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS: int = env.whole("SECURE_HSTS_SECONDS", default=0 if DEBUG else 31_536_000, least=0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_HSTS_SECONDS > 0
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- API ---------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api_auth.ApiKeyAuthentication",
        "core.api.sessions.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated", "accounts.api_auth.KeyScope"],
    "DEFAULT_THROTTLE_CLASSES": ["core.api.throttle.PersonThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.api.parsers.StrictJSONParser"],
    "URL_FORMAT_OVERRIDE": None,  # ``format`` is a parameter of the description alone
    "EXCEPTION_HANDLER": "core.api.problems.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "hpcbilling",
    "DESCRIPTION": (
        "Usage, receipts, rates and quotes. Money and hours are decimal text, the currency beside."
        " Every error is RFC 9457 problem JSON, also 406 (`Accept` without JSON), 413 (too large a body) and 500."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "hpcbilling.api.with_refusals"],
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "InvoiceStatusEnum": ["draft", "finalized", "paid", "refunded", "canceled"],
        "InvoiceLineKindEnum": "billing.models.LineKind",
        "ChargeKindEnum": "billing.models.ChargeKind",
        "TemplateKindEnum": "billing.models.TemplateKind",
        "ReceiptStatusEnum": "billing.models.ReceiptStatus",
        "JobStatusEnum": "billing.selectors.jobs.usage.STATUSES",
        "CpuBasisEnum": "billing.models.CpuBasis",
        "BillingCycleEnum": "subscriptions.models.BillingCycle",
        "BillingModeEnum": "accounts.models.BillingMode",
        "MemberRoleEnum": "accounts.models.MemberRole",
        "SubscriptionStatusEnum": "subscriptions.models.SubscriptionStatus",
        "DeliveryStatusEnum": ["pending", "sent", "failed"],
        "AlertPeriodEnum": ["hour", "day", "week", "month"],
    },
}

# --- observability -----------------------------------------------------------
METRICS_TOKEN: str = env.str("METRICS_TOKEN", default="")
METRICS_ENABLED: bool = env.switch("METRICS_ENABLED", default=DEBUG or bool(METRICS_TOKEN))
LOG_FORMAT: str = env.choice("LOG_FORMAT", default="text" if DEBUG else "json", among=("json", "text"))
LOG_LEVEL: str = env.choice("LOG_LEVEL", default="INFO", among=("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = logging_to_console(LOG_FORMAT, LOG_LEVEL)
PROMETHEUS_EXPORT_MIGRATIONS = False

# --- the start is refused with all that is wrong in one message ----------------
refuse_to_start([*env.refused, *refusals(globals())], debug=DEBUG, hint=env.hint)
