"""Reading environment variables: what cannot be used is refused by the variable's name, never with a traceback."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from email.utils import parseaddr
from functools import wraps
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

from core.money import to_minor
from core.numerals import written
from usage import clusters
from usage.sbatch.partitions import Partition, read_partitions

TRUE = ("1", "true", "on", "ok", "y", "yes")
FALSE = ("0", "false", "off", "n", "no", "")
NO_PLACES = ("Factory", "localtime", "posixrules")  # names of zones of which each machine makes what it likes
DATABASE_SCHEMES = ("sqlite", "postgres", "postgresql", "psql", "pgsql")


class _Variables(FileAwareMapping):
    """Editors end a file with a line break, some begin it with a mark: no key, password or token has them."""

    MOST = 65_536  # characters; a device that never ends is no secret

    def __getitem__(self, key: str) -> str:
        path = self.env.get(f"{key}_FILE")
        if path and key not in self.files_cache:
            with open(path, encoding="utf-8") as file:
                text = file.read(self.MOST + 1)
            if len(text) > self.MOST:
                raise OSError(errno.EFBIG, f"it holds more than {self.MOST} characters")
            self.files_cache[key] = text
        return str(super().__getitem__(key)).removeprefix("\ufeff").rstrip("\r\n")


FAR = 1_000_000_000  # so many seconds or minutes from now are still in the calendar; of days, a century
HOURS_MOST = 24 * 365
# As in accounts.roles.GROUPS, which needs the apps to be there; a test compares the two.
GROUP_NAMES = {
    "admin": "Admin", "finance": "Finance", "rates-editor": "Rates editor", "operator": "Operator",
    "support": "Support", "auditor": "Auditor",
}  # fmt: skip
DAYS_MOST = 365
Reader = Callable[..., Any]


def _noted(read: Reader) -> Reader:
    """A value that cannot be used is kept for the message, and the default stands in until all has been read."""

    @wraps(read)
    def reading(self: Environment, var: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return read(self, var, *args, **kwargs)
        except ImproperlyConfigured as error:
            self.refused.append(str(error))
            return read(self, f"{var}{UNSET}", *args, **kwargs)

    return reading


UNSET = "__refused"  # no variable ends so


class Environment(environ.FileAwareEnv):
    """Refusals are kept in ``refused`` until ``refuse_to_start`` raises them together: exit 78 of manage.py.

    Messages hold the value only where it cannot be a secret.
    """

    ENVIRON = _Variables()

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.hint = ""  # why so much may be missing
        self.asked: set[str] = set()  # names that the settings read

    def get_value(self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, **kwargs: Any) -> Any:
        self.asked.add(var)
        try:
            value = super().get_value(var, cast=STRICT.get(cast, cast), default=default, **kwargs)
        except OSError as error:
            why = f"the file of {var}_FILE cannot be read ({error.strerror or error})"
            raise ImproperlyConfigured(f"{var}: {why}.") from error
        except UnicodeDecodeError as error:
            raise ImproperlyConfigured(f"{var}: the file of {var}_FILE is not UTF-8 text.") from error
        except ValueError as error:
            kind = {int: "a whole number", bool: "1 or 0"}.get(cast, "a value of another form")
            raise ImproperlyConfigured(f"{var}={self.ENVIRON.get(var)!r}: {kind} is wanted.") from error
        # "a, b" is two things, neither of which begins with a blank.
        return [text for text in map(str.strip, value) if text] if cast is list else value

    def whole(self, var: str, *, default: int, least: int, most: int = FAR) -> int:
        """A whole number that is not below ``least``, nor above ``most``."""
        number: int = self.get_value(var, cast=int, default=default)
        if not least <= number <= most:
            wanted = f"{least} or more" if number < least and most == FAR else f"{least} to {most}"
            raise ImproperlyConfigured(f"{var}={number}: {wanted} is wanted.")
        return number

    def switch(self, var: str, *, default: bool) -> bool:
        """1 or 0; empty means the default."""
        if not self.get_value(var, cast=str, default="").strip():
            return default
        return bool(self.get_value(var, cast=bool, default=default))

    def percent(self, var: str, *, default: str) -> Decimal:
        """A rate in percent, 0 to 100, with at most two decimal places."""
        text: str = self.get_value(var, cast=str, default=default).strip()
        try:
            number = Decimal(written(text))
            whole = number * 100
        except (ValueError, InvalidOperation):
            number = whole = Decimal("NaN")
        if not (number.is_finite() and 0 <= number <= 100 and whole == whole.to_integral_value()):  # noqa: PLR2004
            raise ImproperlyConfigured(f"{var}={text!r}: a percentage such as 7 or 7.25 is wanted.")
        return number

    def amount(self, var: str, *, default: str) -> Decimal | None:
        """A sum of money, zero or more, with at most two decimal places; None when it is empty."""
        text: str = self.get_value(var, cast=str, default=default).strip()
        if not text:
            return None
        try:
            number = Decimal(written(text))
            whole = number * 100
        except (ValueError, InvalidOperation):
            number = whole = Decimal("NaN")
        if not (number.is_finite() and number >= 0 and whole == whole.to_integral_value()):
            raise ImproperlyConfigured(f"{var}={text!r}: an amount such as 50000 or 49999.50 is wanted.")
        return number

    def choice(self, var: str, *, default: str, among: tuple[str, ...]) -> str:
        """One of a few words, in capitals or not."""
        word: str = self.get_value(var, cast=str, default=default)
        for known in among:
            if known.lower() == word.strip().lower():
                return known
        raise ImproperlyConfigured(f"{var}={word!r}: one of {', '.join(among)} is wanted.")

    def text(self, var: str, *, default: str, most: int) -> str:
        """Printable text that its column can hold."""
        text: str = self.get_value(var, cast=str, default=default).strip()
        if len(text) > most or not text.isprintable():
            raise ImproperlyConfigured(f"{var}={text[:60]!r}: at most {most} printable characters are wanted.")
        return text

    def names(self, var: str, *, default: list[str], among: tuple[str, ...] = ()) -> list[str]:
        """Words in small letters, comma-separated, each once; of those in ``among`` where that is given."""
        words = [word.strip().lower() for word in self.get_value(var, cast=list, default=default) if word.strip()]
        for word in words:
            if among and word not in among:
                raise ImproperlyConfigured(f"{var}: {word!r} is not known; of {', '.join(among)} are wanted.")
        return list(dict.fromkeys(words))

    def group_roles(self, var: str) -> dict[str, str]:
        """``theirs:Ours`` pairs, comma-separated; ours as in accounts/roles.py, in small letters with hyphens."""
        found = {}
        for pair in self.list(var, default=[]):
            theirs, _colon, ours = pair.rpartition(":")
            name = GROUP_NAMES.get(ours.strip().lower())
            if not theirs.strip() or name is None:
                raise ImproperlyConfigured(f"{var}: {pair!r} is none of <their group>:<{'|'.join(GROUP_NAMES)}>.")
            found[theirs.strip()] = name
        return found

    def hours(self, var: str, *, default: list[int]) -> list[int]:
        """Whole numbers of hours, comma-separated; empty for none."""
        texts = [text.strip() for text in self.get_value(var, cast=list, default=[str(n) for n in default])]
        numbers = [int(text) for text in texts if text.isascii() and text.isdigit() and int(text) <= HOURS_MOST]
        if len(numbers) != len([text for text in texts if text]) or 0 in numbers:
            raise ImproperlyConfigured(f"{var}={','.join(texts)}: hours such as 24,48,96 are wanted.")
        return numbers

    def days(self, var: str, *, default: list[int]) -> list[int]:
        """Whole numbers of days, each larger than the one before, comma-separated; empty for none."""
        texts = [text.strip() for text in self.get_value(var, cast=list, default=[str(n) for n in default])]
        texts = [text for text in texts if text]
        numbers = [int(text) for text in texts if text.isascii() and text.isdigit() and int(text) <= DAYS_MOST]
        if len(numbers) != len(texts) or 0 in numbers or sorted(set(numbers)) != numbers:
            raise ImproperlyConfigured(f"{var}={','.join(texts)}: rising days such as 1,7,14 are wanted.")
        return numbers

    def limits(self, var: str) -> dict[str, dict[str, tuple[Decimal, Decimal]]]:
        """``provider[.method]:CURRENCY:least:most``, comma-separated."""
        found: dict[str, dict[str, tuple[Decimal, Decimal]]] = {}
        for text in self.get_value(var, cast=list, default=[]):
            if not text.strip():
                continue
            try:
                name, currency, least, most = (part.strip() for part in text.split(":"))
                bounds = (Decimal(written(least)), Decimal(written(most)))
                good = all(bound.is_finite() for bound in bounds) and 0 < bounds[0] <= bounds[1]
                good = good and all(to_minor(bound, currency.upper()) for bound in bounds)
            except (ValueError, InvalidOperation):
                good = False
            if not good:
                raise ImproperlyConfigured(
                    f"{var}: {text!r} is not like omise.promptpay:THB:20:150000, in whole coins."
                )
            found.setdefault(name.lower(), {})[currency.upper()] = bounds
        return found

    def networks(self, var: str) -> list[IPv4Network | IPv6Network]:
        """Networks such as 10.20.0.0/16, comma-separated."""
        texts = [text.strip() for text in self.get_value(var, cast=list, default=[]) if text.strip()]
        try:
            return [ip_network(text) for text in texts]
        except ValueError as error:
            raise ImproperlyConfigured(f"{var}: {error}; networks such as 10.20.0.0/16 are wanted.") from error

    def web_address(self, var: str, *, default: str) -> str:
        """An address that can be taken apart, without the slash at its end. No message repeats it."""
        address: str = self.get_value(var, cast=str, default=default).strip().rstrip("/")
        try:
            _ = urlsplit(address).port
        except ValueError:
            raise ImproperlyConfigured(f"{var}: an address such as https://billing.example.ac.th is wanted.") from None
        return address

    def service(self, var: str, *, default: str) -> str:
        """The address of a server that we ask over HTTP, as it is written; empty for none. No message repeats it."""
        address: str = self.get_value(var, cast=str, default="").strip() or default
        try:
            parts = urlsplit(address)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if address and not good:
            raise ImproperlyConfigured(f"{var}: an address that begins with https:// or http:// is wanted.")
        return address

    def cluster(self, var: str, *, default: str) -> str:
        """The name of a Slurm cluster, in small letters, as Slurm keeps it."""
        name: str = self.get_value(var, cast=str, default=default).strip().lower()
        if name and not clusters.NAME.fullmatch(name):
            raise ImproperlyConfigured(f"{var}: {name[:60]!r} is not the name of a Slurm cluster.")
        return name

    def zone(self, var: str, *, default: str) -> str:
        """The name of a time zone."""
        name: str = self.get_value(var, cast=str, default=default)
        try:
            if name in NO_PLACES or name.startswith(("posix/", "right/")):
                raise ValueError(name)
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ImproperlyConfigured(f"{var}={name!r}: a time zone such as Asia/Bangkok is wanted.") from error
        return name

    def database(self, var: str, *, default: str) -> dict[str, Any]:
        """Django's form of a database address. The address holds a password: no message repeats it."""
        address: str = self.get_value(var, cast=str, default=default)
        wanted = "sqlite:////path/file.sqlite3 or postgres://user:password@host:5432/name is wanted"
        scheme, colon, _rest = address.partition("://")
        if not colon or scheme not in DATABASE_SCHEMES:
            raise ImproperlyConfigured(f"{var} is not the address of a database that we know: {wanted}.")
        try:
            found = dict(self.db_url_config(address))
        except (ValueError, KeyError, ImproperlyConfigured):
            raise ImproperlyConfigured(f"{var} cannot be read: {wanted}.") from None
        _take_from_query(var, found)
        seconds = {"conn_max_age": found.get("CONN_MAX_AGE"), **found.get("OPTIONS", {})}
        for name in ("conn_max_age", "connect_timeout"):
            if not re.fullmatch(r"[0-9]{1,9}", str(seconds.get(name) or 0)):
                raise ImproperlyConfigured(f"{var}: {name} is a whole number of seconds.")
        return found

    def mail(self, var: str, *, default: str, must_send: bool) -> dict[str, Any]:
        """All of Django's settings that a mail server's address says: ``EMAIL_BACKEND``, ``EMAIL_HOST``, ...

        The address holds a password: no message repeats it. With ``must_send`` a server is named, or nothing.
        """
        given: str = self.get_value(var, cast=str, default="").strip()
        address = given or default
        wanted = "smtp+tls://user:password@host:587, smtp+ssl://user:password@host:465 or smtp://host:25 is wanted"
        scheme, colon, _rest = address.partition("://")
        if not colon or scheme not in self.EMAIL_SCHEMES:
            raise ImproperlyConfigured(f"{var} is not the address of a mail server that we know: {wanted}.")
        try:
            found = dict(self.email_url_config(address))
        except (ValueError, KeyError):
            raise ImproperlyConfigured(f"{var} cannot be read: {wanted}.") from None
        if must_send and given and not scheme.startswith("smtp"):
            words = f"{scheme} sends no e-mail and is for DEBUG=1; {wanted}, or nothing: e-mails wait then"
            raise ImproperlyConfigured(f"{var}: {words}.")
        if scheme.startswith("smtp") and not found.get("EMAIL_HOST"):
            raise ImproperlyConfigured(f"{var} names no host: {wanted}.")
        usual = {"EMAIL_PORT": 25, "EMAIL_USE_TLS": False, "EMAIL_USE_SSL": False}
        return {name: value or usual.get(name, "") for name, value in (usual | found).items()}

    def sender(self, var: str, *, default: str) -> str:
        """An address that e-mails come from, with a name before it or not."""
        text: str = self.get_value(var, cast=str, default="").strip() or default
        _name, address = parseaddr(text)
        if not text.isprintable() or "@" not in address.strip("@"):
            raise ImproperlyConfigured(f"{var}={text[:60]!r}: an address such as Billing <billing@host> is wanted.")
        return text

    def clusters(self, var: str) -> list[str]:
        """Names of Slurm clusters, comma-separated, each with variables of its own."""
        names = [name.strip().lower() for name in self.get_value(var, cast=list, default=[]) if name.strip()]
        for name in names:
            if not clusters.NAME.fullmatch(name):
                raise ImproperlyConfigured(f"{var}: {name!r} is not the name of a Slurm cluster.")
        if len({clusters.suffix(name) for name in names}) < len(names):
            raise ImproperlyConfigured(f"{var}={','.join(names)}: two of these would read the same variables.")
        return names

    def partitions(self, var: str) -> dict[str, Partition]:
        """What the site says about its Slurm partitions, as JSON text."""
        try:
            return read_partitions(self.get_value(var, cast=str, default=""))
        except ValueError as error:
            raise ImproperlyConfigured(f"{var}: {error}.") from None


for _name in (
    "str", "bool", "int", "list", "whole", "switch", "percent", "amount", "choice", "text", "names",
    "group_roles", "hours", "days", "limits", "networks", "web_address", "service", "cluster", "zone", "database",
    "mail", "sender", "clusters", "partitions",
):  # fmt: skip
    setattr(Environment, _name, _noted(getattr(Environment, _name)))


def refuse_to_start(wrong: list[str], *, debug: bool, hint: str = "") -> None:
    """Everything that could not be used, and what is not safe, in one message. Raises ``ImproperlyConfigured``."""
    if wrong:
        words = f"Refusing to start with DEBUG {'on' if debug else 'off'}. Mend these environment variables:"
        raise ImproperlyConfigured("\n  ".join((words, *dict.fromkeys(wrong))) + (f"\n{hint}" if hint else ""))


def of_each_cluster(env: Environment, names: list[str]) -> dict[str, dict[str, str]]:
    """What is set for one cluster alone (``SLURMRESTD_URL__c1``, or ``SLURMRESTD_TOKEN__c1_FILE``)."""
    return {
        name: {each: env.str(clusters.variable(each, name), default="") for each in clusters.SETTINGS} for name in names
    }


IN_QUERY = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}


def _take_from_query(var: str, database: dict[str, Any]) -> None:
    """What libpq lets one write after ``?`` as well counts as if it stood in its place, for us and for Django."""
    options = database.get("OPTIONS", {})
    for name in IN_QUERY.keys() & options.keys():
        value = str(options.pop(name))
        if str(database.get(IN_QUERY[name]) or value) != value:
            raise ImproperlyConfigured(f"{var}: {name} stands in it twice, and differs; write it once.")
        database[IN_QUERY[name]] = value


def _switch(text: str) -> bool:
    word = text.strip().lower()
    if word not in TRUE + FALSE:
        raise ValueError(text)
    return word in TRUE


def _whole(text: str) -> int:
    return int(written(text))


STRICT: dict[Any, Callable[[str], Any]] = {bool: _switch, int: _whole}
