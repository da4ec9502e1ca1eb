from __future__ import annotations

import argparse
import os
import sys


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.documents")
    parser.add_argument("--update", action="store_true", help="write what has changed")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hpcbilling.settings")
    os.environ.setdefault("DEBUG", "1")
    import django

    django.setup()
    from tests import documents

    if options.update:
        sys.stdout.write(f"{documents.update()} pages of docs/reference changed\n")
        return 0
    for path in documents.stale():
        sys.stderr.write(f"{path} does not say what the code says; run: python -m tests.documents --update\n")
    return bool(documents.stale())


if __name__ == "__main__":
    sys.exit(main())
