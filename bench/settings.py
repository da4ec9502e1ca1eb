"""The settings of production, with the addresses of local providers that production itself refuses."""

from __future__ import annotations

import os

from bench.site import PREFIX
from hpcbilling.settings import *  # noqa: F403 - every name is a setting

globals().update({name.removeprefix(PREFIX): value for name, value in os.environ.items() if name.startswith(PREFIX)})
