"""What every group of settings begins with: the project's folder, its variables, and whether this is development."""

from pathlib import Path

from hpcbilling.dot_env import read_dot_env
from hpcbilling.environment import Environment

BASE_DIR = Path(__file__).resolve().parents[2]
env = Environment()
_dot_env = BASE_DIR / ".env"
if env.bool("READ_DOT_ENV", default=True) and _dot_env.is_file():
    read_dot_env(env, _dot_env)

DEBUG: bool = env.bool("DEBUG", default=False)
