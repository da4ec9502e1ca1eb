"""What every group of settings begins with: the project's folder, its variables, and whether this is development."""

from pathlib import Path

from hpcbilling.environment import Environment

BASE_DIR = Path(__file__).resolve().parents[2]
env = Environment()
if env.bool("READ_DOT_ENV", default=True) and (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")

DEBUG: bool = env.bool("DEBUG", default=False)
