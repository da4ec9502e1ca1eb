"""Print libpq's variables for the postgres:// address on standard input: it is in no list of processes."""

import shlex
import sys
from urllib.parse import parse_qsl, unquote, urlsplit

parts = urlsplit(sys.stdin.read().strip())
folder, _slash, name = unquote(parts.path).lstrip("/").rpartition("/")
found = {
    "PGHOST": parts.hostname or ("/" + folder if folder else ""),
    "PGPORT": str(parts.port or ""),
    "PGUSER": unquote(parts.username or ""),
    "PGPASSWORD": unquote(parts.password or ""),
    "PGDATABASE": name,
}
# What the site's own connections are told behind the "?" holds for these programs, too: TLS above all.
named = {
    "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
    "options": "PGOPTIONS", "connect_timeout": "PGCONNECT_TIMEOUT",
    "channel_binding": "PGCHANNELBINDING",
}  # fmt: skip
found |= {named[key]: value for key, value in parse_qsl(parts.query) if key in named}
print("\n".join(f"export {key}={shlex.quote(value)}" for key, value in found.items() if value))  # noqa: T201
