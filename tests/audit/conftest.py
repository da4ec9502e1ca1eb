from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.audit.worlds import Signed


@pytest.fixture
def signed(tmp_path: Path, settings: Any) -> Signed:
    return Signed(tmp_path, settings)
