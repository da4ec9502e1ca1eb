"""Print where the site's data lie, as assignments for a shell; read like the settings (variables, NAME_FILE, .env).

A database that is named in the environment goes before one that .env names.
"""

import os
import shlex
import sys
from pathlib import Path

DATABASES = ("DATABASE_DIRECT_URL", "DATABASE_URL")  # past a pooler, where there is one
named = [name for name in DATABASES if os.environ.get(name) or os.environ.get(f"{name}_FILE")]

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from hpcbilling.configuration.base import BASE_DIR, env  # noqa: E402 - which reads .env

addresses = [env.str(name, default="") for name in named or DATABASES]
found = {
    "url": next(filter(None, addresses), f"sqlite:///{BASE_DIR / 'hpcbilling.sqlite3'}"),
    "heads": env.str("AUDIT_HEADS_FILE", default=""),
}
if env.refused:
    sys.exit("\n".join(env.refused))
print("\n".join(f"{name}={shlex.quote(value)}" for name, value in found.items()))  # noqa: T201
