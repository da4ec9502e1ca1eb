"""What every group of settings begins with: the project's folder, its variables, and whether this is development."""

import os
from pathlib import Path

from hpcbilling.environment import Environment

BASE_DIR = Path(__file__).resolve().parents[2]
env = Environment()
_dot_env = BASE_DIR / ".env"
if env.bool("READ_DOT_ENV", default=True) and _dot_env.is_file():
    env.read_env(_dot_env)
    if not os.access(_dot_env, os.R_OK):  # said only where the start is refused: units bring the variables
        env.hint = f"{_dot_env} cannot be read by this user: type commands as the site's user (docs/operations.md)."

DEBUG: bool = env.bool("DEBUG", default=False)
