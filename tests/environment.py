"""Environment of the suite, loaded before settings: nothing of the developer's own shell or .env leaks in."""

import os
from importlib.util import find_spec

_KEEP = {"DATABASE_URL", "SLURM_CONF", "SLURMRESTD_URL", "SLURMRESTD_TOKEN", "SLURMRESTD_USER"}
for _name in (
    "SECRET_KEY", "ALLOWED_HOSTS", "SITE_BASE_URL", "PAYMENT_PROVIDER", "PAYMENT_WEBHOOK_SECRET", "FALLBACK_CSV",
    "ADMIN_PASSWORD", "DEMO_USERS", "METRICS_TOKEN", "TIME_ZONE", "LANGUAGE_CODE", "SLURM_CLUSTER",
    "BILLING_FREE_STATES", "PAYMENT_CURRENCY", "TRUSTED_PROXY_COUNT", "SLURM_CLUSTERS", "USAGE_OVERLAP_DAYS",
    "EMAIL_URL", "DEFAULT_FROM_EMAIL", "PDF_FONT", "PDF_FONT_BOLD", "USAGE_RUNAWAY_DAYS", "SLURMRESTD_MAX_BYTES", "SACCT_TIMEOUT",
    "WEBHOOK_ALLOWED_NETWORKS", "MFA_REQUIRED_ROLES", "BREACHED_PASSWORDS_FILE", *(name for name in os.environ if name.startswith("OIDC_")), *(name for name in os.environ if "__" in name and name.startswith(("SLURM", "FALLBACK_CSV"))),
):  # fmt: skip
    os.environ.pop(_name, None)
os.environ.update(
    {
        "DEBUG": "1",
        "SECRET_KEY": "only-for-tests-" + "x" * 40,
        "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
        "SITE_BASE_URL": "http://testserver",
        "PAYMENT_WEBHOOK_SECRET": "webhook-secret-of-the-test-suite",
        "LOG_LEVEL": "ERROR",
        "READ_DOT_ENV": "0",
        "REQUESTS_PER_MINUTE": "0",  # the tests of the limit set their own
    }
)
# Playwright's sync API runs an event loop in this thread; our ORM calls beside it are still synchronous.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
if find_spec("allauth"):  # single sign-on, with a provider that tests/accounts/sso runs on this machine
    os.environ.update({
        "OIDC_ISSUER": "http://127.0.0.1:18091/realm", "OIDC_CLIENT_ID": "hpcbilling", "OIDC_NAME": "Campus",
        "OIDC_CLIENT_SECRET": "client-secret-of-the-test-suite",
    })  # fmt: skip
