"""Settings with which the start is refused: each is named, all at once.

Refused is what lets a stranger in, gives secrets away or takes money that is none. What merely deserves a look is a
warning of ``manage.py check --deploy`` (``hpcbilling.checks``) or of ``manage.py doctor``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from hpcbilling import folders

SECRET_KEY_LENGTH = 50
SECRET_KEY_LETTERS = 10  # different ones
PLACES = 100  # of a key that are looked at for repetitions: longer ones of random text have some
METRICS_TOKEN_LENGTH = 16
ADMIN_PASSWORD_LENGTH = 10
WEBHOOK_SECRET_LENGTH = 16
SECRET_LETTERS = 6  # different ones, of what is shorter than a SECRET_KEY
MOST_FAILS = 20
TOLERANCE_SECONDS = 3600  # a message that somebody recorded can be sent again for so long
WIDEST = {4: 8, 6: 7}  # by version: 10.0.0.0/8 and fc00::/7 are the widest that anybody has for themselves
LINK_LOCAL = {4: IPv4Network("169.254.0.0/16"), 6: IPv6Network("fe80::/10")}
CARRIED = tuple(map(IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96", "2002::/16")))  # all of IPv4, written as IPv6
WEBHOOK_SECRETS = tuple(
    f"{provider}_WEBHOOK_SECRET{age}" for provider in ("STRIPE", "OMISE", "RAZORPAY") for age in ("", "_OLD")
)
INSECURE = ("insecure-", "django-insecure-")
# What examples write where a secret belongs; random text holds none of it.
WORDS_OF_SAMPLES = re.compile(
    r"(change|replace|edit|your|insert|put)[-_ ]?(me|this|it|in|your|secret|key|token|here|password)[-_ .!]?"
    r"|placeholder|example|secret[-_ ]?key",
    re.IGNORECASE,
)
# Passwords that stand in examples of ours or of others, or that everybody tries first.
SAMPLES = frozenset({
    "admin", "admin123", "administrator", "adminpassword", "billing", "change-me", "change_me", "change-this",
    "changeit", "changeme", "changethis", "correct-horse-battery", "correct-horse-battery-staple", "default",
    "demo", "example", "hpc-demo", "hpcbilling", "letmein", "pass", "passw0rd", "password", "password1",
    "password123", "postgres", "postgresql", "qwerty", "qwerty123", "replace-me", "root", "sample", "secret",
    "secretpassword", "test", "your-password", "yourpassword", "123456", "12345678", "123456789", "1234567890",
})  # fmt: skip
COUNTRY = 2  # letters of the name of one
# Second names under which a country gives out others (.ac.th, .co.uk).
SHARED = frozenset({"ac", "co", "com", "edu", "go", "gov", "in", "mi", "net", "or", "org"})
# The providers' own addresses; others are for tests and demonstrations.
OFFICIAL = {
    "STRIPE_API_URL": "https://api.stripe.com",
    "OMISE_API_URL": "https://api.omise.co",
    "RAZORPAY_API_URL": "https://api.razorpay.com",
}
# How each key begins that may move money; a publishable one (pk_, pkey_) is another thing. What is no test key is for
# real money: Omise's live ones have no word of their own.
KEYS = {
    "STRIPE_SECRET_KEY": ("sk_", "rk_"),
    "RAZORPAY_KEY_ID": ("rzp_",),
    "OMISE_SECRET_KEY": ("skey_",),
}
TEST_KEYS = {
    "STRIPE_SECRET_KEY": ("sk_test_", "rk_test_"),
    "RAZORPAY_KEY_ID": ("rzp_test_",),
    "OMISE_SECRET_KEY": ("skey_test_",),
}
Settings = Mapping[str, Any]


def refusals(found: Settings) -> list[str]:
    """``NAME: what to do`` of each setting that is not safe. Holds no secret."""
    return [*(_with_debug(found) if found["DEBUG"] else _in_production(found)), *folders.refusals(found)]


def is_sample(password: str) -> bool:
    return password.strip().strip("<>{}[]").casefold() in SAMPLES


def is_here(host: str) -> bool:
    """Loopback, or a socket's folder: nobody else's machine. Of several, separated by commas, each one."""
    if "," in host:
        return all(map(is_here, host.split(",")))
    if not host or host.startswith(("/", "%2f", "%2F")) or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "testserver"  # what Django's test client calls itself


def _with_debug(found: Settings) -> Iterator[str]:
    """DEBUG shows settings and statements to whoever makes an error happen: not where real people and money are."""
    signs = []
    address = urlsplit(found["SITE_BASE_URL"])
    if address.scheme == "https" and not is_here(address.hostname or ""):
        signs.append("SITE_BASE_URL is a public https address")
    if not is_here(_database_host(found)):
        signs.append("DATABASE_URL is on another machine")
    if any("*" in host for host in found["ALLOWED_HOSTS"]):
        signs.append("ALLOWED_HOSTS allows every name")
    signs += [
        f"{name} is a key for real money"
        for name, starts in KEYS.items()
        if found[name].startswith(starts) and not found[name].startswith(TEST_KEYS[name])
    ]
    if signs:
        yield f"DEBUG: is on, and this looks like production ({'; '.join(signs)}); set DEBUG=0"


def _in_production(found: Settings) -> Iterator[str]:
    yield from _keys(found)
    yield from _addresses(found)
    yield from _database(found)
    yield from _passwords(found)
    yield from _payments(found)
    yield from _payment_keys(found)
    yield from _messages(found)
    yield from _metrics(found)
    if found["AUTH_THROTTLE_MAX_FAILS"] > MOST_FAILS:
        yield f"AUTH_THROTTLE_MAX_FAILS: set {MOST_FAILS} or fewer; so often may somebody guess before the pause"


def _keys(found: Settings) -> Iterator[str]:
    key = found["SECRET_KEY"]
    if is_weak(key):
        words = f"set a random text of {SECRET_KEY_LENGTH} characters or more"
        yield f"SECRET_KEY: {words}" + (" (this one is for development, or says little)" if key else "")
    if any(is_weak(old) for old in found["SECRET_KEY_FALLBACKS"]):
        yield "SECRET_KEY_FALLBACKS: a former key is short or for development; whoever guesses it can sign, too"


def is_weak(key: str) -> bool:
    """Short, of few letters, for development, out of an example, or a few letters over and over."""
    too_plain = len(key) < SECRET_KEY_LENGTH or len(set(key)) < SECRET_KEY_LETTERS
    return too_plain or key.startswith(INSECURE) or _says_little(key, in_order=0.5)


def is_plain(secret: str) -> bool:
    """As weak keys are, whatever its length; of sixteen random letters more may happen to follow in their order."""
    return len(set(secret)) < SECRET_LETTERS or is_sample(secret) or _says_little(secret, in_order=0.75)


def _says_little(key: str, *, in_order: float) -> bool:
    """Out of an example; or three letters in a row come again and again, or letters follow in their order."""
    looked_at = key[:PLACES]
    triples = {looked_at[n : n + 3] for n in range(len(looked_at) - 2)}
    steps = [abs(ord(one) - ord(next_)) for one, next_ in pairwise(looked_at)]
    is_repeated = len(triples) * 3 < (len(looked_at) - 2) * 2
    return bool(WORDS_OF_SAMPLES.search(key)) or is_repeated or sum(step <= 1 for step in steps) > in_order * len(steps)


def _addresses(found: Settings) -> Iterator[str]:
    hosts = found["ALLOWED_HOSTS"]
    if not hosts:
        yield "ALLOWED_HOSTS: set the host names that this site answers to"
    elif any("*" in host or is_wide(host.strip()) for host in hosts):
        yield "ALLOWED_HOSTS: set the site's own names; * or .ac.th lets anybody choose where links in e-mails lead"
    address = found["SITE_BASE_URL"]
    parts = urlsplit(address)
    if not address:
        yield "SITE_BASE_URL: set the public address, such as https://billing.example.ac.th"
    elif parts.scheme != "https" or not parts.hostname:
        yield "SITE_BASE_URL: must begin with https://; passwords and cookies travel to it"
    elif "@" in parts.netloc or parts.path or "?" in address or "#" in address:
        yield "SITE_BASE_URL: write https:// and the host alone, without a user, path or query; links begin with it"
    for origin in found["CSRF_TRUSTED_ORIGINS"]:
        if not origin.startswith("https://") or "*" in origin:
            yield "CSRF_TRUSTED_ORIGINS: name https:// origins one by one, without *"
            break


def is_wide(host: str) -> bool:
    """With a dot before it, it stands for every name below: of a country, or of its universities."""
    first, *rest = host.strip(".").split(".")
    is_countrys = len(rest) == 1 and len(rest[0]) == COUNTRY and first in SHARED
    return host.startswith(".") and (not rest or is_countrys)


def _database(found: Settings) -> Iterator[str]:
    database = found["DATABASES"]["default"]
    name = str(database["NAME"])
    if database["ENGINE"].endswith("sqlite3") and (
        name == ":memory:" or ("memory" in name and name.startswith("file:"))
    ):
        yield "DATABASE_URL: a database in memory is lost with its process; name a file, or a PostgreSQL"


def _passwords(found: Settings) -> Iterator[str]:
    database = found["DATABASES"]["default"]
    password, user = str(database.get("PASSWORD") or ""), str(database.get("USER") or "")
    if password and (is_sample(password) or password == user):
        yield "DATABASE_URL: its password is a sample or the user's name; make one of your own (POSTGRES_PASSWORD)"
    elif not password and not is_here(_database_host(found)):
        yield "DATABASE_URL: a database on another machine needs a password"
    first = found["ADMIN_PASSWORD"]
    if first and (is_sample(first) or len(first) < ADMIN_PASSWORD_LENGTH):
        yield f"ADMIN_PASSWORD: is a sample, or shorter than {ADMIN_PASSWORD_LENGTH} characters"
    if is_sample(str(found.get("EMAIL_HOST_PASSWORD") or "")):
        yield "EMAIL_URL: its password is a sample"
    if found["SEED_DEMO_USERS"]:
        yield "SEED_DEMO_USERS: is for DEBUG=1 only; everybody knows the passwords of the demo users"


def _payments(found: Settings) -> Iterator[str]:
    names = found["PAYMENT_PROVIDER_NAMES"]
    if "dummy" in names:
        yield "PAYMENT_PROVIDER: dummy is for DEBUG=1 only; name a real provider or leave it empty"
    for name in names:
        for needed in found["PAYMENT_PROVIDER_NEEDS"].get(name, ()):
            value = str(found[needed]).strip()
            if not value:
                yield f"{needed}: PAYMENT_PROVIDER names {name}, which needs it"
            elif "SECRET" in needed and needed not in (*KEYS, *WEBHOOK_SECRETS) and is_sample(value):
                yield f"{needed}: is a sample; take what the provider's pages show"
    for name, address in OFFICIAL.items():
        if found[name].rstrip("/") != address:
            yield f"{name}: leave it out; keys and money go to this address, which is not the provider's own"


def _payment_keys(found: Settings) -> Iterator[str]:
    for name, starts in KEYS.items():
        if (value := str(found[name]).strip()) and not value.startswith(starts):
            yield f"{name}: the provider's key begins with {' or '.join(starts)}; this is another one, or none"


def _messages(found: Settings) -> Iterator[str]:
    """What comes in from providers, and goes out to addresses of customers."""
    for name in WEBHOOK_SECRETS:
        given = str(found[name]).strip()
        secret = given.removeprefix("whsec_")
        if given and (len(secret) < WEBHOOK_SECRET_LENGTH or is_plain(secret)):
            words = f"set {WEBHOOK_SECRET_LENGTH} random characters or more, here and at the provider"
            yield f"{name}: {words}; whoever guesses it can say that a bill was paid"
        elif given and name.startswith("OMISE_") and not _is_base64(given):
            yield f"{name}: copy it from Omise's dashboard as it is; this is no base64, and no message would pass"
    if found["PAYMENT_WEBHOOK_TOLERANCE_SEC"] > TOLERANCE_SECONDS:
        words = f"set {TOLERANCE_SECONDS} seconds or fewer"
        yield f"PAYMENT_WEBHOOK_TOLERANCE_SEC: {words}; so long can a recorded message be sent again"
    if any(network.overlaps(LINK_LOCAL[network.version]) for network in found["WEBHOOK_ALLOWED_NETWORKS"]):
        yield "WEBHOOK_ALLOWED_NETWORKS: leave out link-local addresses; there a cloud gives its keys to whoever asks"
    elif any(map(_is_everybody, found["WEBHOOK_ALLOWED_NETWORKS"])):
        yield "WEBHOOK_ALLOWED_NETWORKS: name your own networks; one of these is every machine there is, or nearly"


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


def _is_everybody(network: IPv4Network | IPv6Network) -> bool:
    """Or nearly. What carries IPv4 within IPv6 is as wide as what it carries."""
    for carrier in CARRIED:
        if isinstance(network, IPv6Network) and network.overlaps(carrier):
            return network.prefixlen - carrier.prefixlen < WIDEST[4]
    return network.prefixlen < WIDEST[network.version]


def _metrics(found: Settings) -> Iterator[str]:
    token = found["METRICS_TOKEN"]
    if found["METRICS_ENABLED"] and (len(token) < METRICS_TOKEN_LENGTH or is_plain(token)):
        words = f"set {METRICS_TOKEN_LENGTH} random characters or more, or METRICS_ENABLED=0"
        yield f"METRICS_TOKEN: {words}" + (
            " (this one is short, or out of an example, or says little)" if token else ""
        )


def host_of(database: Mapping[str, Any]) -> str:
    """The machine, or several with commas, that a database of Django's settings is on; empty for this one."""
    if database["ENGINE"].endswith("sqlite3"):
        return ""
    both = (database.get("HOST"), (database.get("OPTIONS") or {}).get("hostaddr"))
    return ",".join(str(host) for host in both if host)


def _database_host(found: Settings) -> str:
    return host_of(found["DATABASES"]["default"])
