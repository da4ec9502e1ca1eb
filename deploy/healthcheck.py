"""Ask this container's own /healthz; exit 0 when it answers. The Dockerfile's HEALTHCHECK."""

import os
import sys
import urllib.request

host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".*") or "localhost"
address = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/healthz"
try:
    with urllib.request.urlopen(urllib.request.Request(address, headers={"Host": host}), timeout=4) as answer:
        sys.exit(0 if answer.status == 200 else 1)  # noqa: PLR2004
except OSError as error:
    sys.exit(f"{address}: {error}")
