"""``make demo``: the main job from end to end on a throw-away database, without a browser.

Import the sample, price it, create receipts, pay one through the dummy provider's
signed webhook (sent to the real webhook address), verify books and audit chain.
Prints one summary; any step that fails ends it with exit 1.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path
from typing import Any


def _say(step: str, text: str) -> None:
    sys.stdout.write(f"{step:<10} {text}\n")


def _command(name: str, *arguments: str) -> dict[str, Any]:
    from django.core.management import call_command

    out = StringIO()
    call_command(name, *arguments, "--format", "json", stdout=out)
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def _pay(receipt_id: int) -> str:
    """Open a checkout, then do what the provider does: send the signed event to our webhook address."""
    from django.test import Client

    from billing.models import Receipt
    from core.context import Actor
    from payments.providers.dummy.provider import signed_event
    from payments.services.checkout import start_payment

    receipt = Receipt.objects.get(pk=receipt_id)
    payment = start_payment(actor=Actor(receipt.username), receipt=receipt)
    body, headers = signed_event(payment, "payment.succeeded", event_id="evt_demo", timestamp=int(time.time()))
    answers = [
        Client().post("/payments/webhooks/dummy/", body, content_type="application/json", headers=headers).json()
        for _ in range(2)
    ]
    receipt.refresh_from_db()
    if receipt.status != "paid" or [answer["status"] for answer in answers] != ["processed", "duplicate"]:
        raise SystemExit(f"the payment did not settle once: {answers}, receipt {receipt.status}")
    paid = f"{receipt.total:,.2f} {receipt.currency}"
    return f"receipt {receipt} of {receipt.username}: {paid} paid; the provider's repeat changed nothing"


def run() -> None:
    from django.core.management import call_command

    from accounts.services.users import create_demo_users
    from core.context import SYSTEM
    from hpcbilling import seeding

    call_command("migrate", "-v0")
    create_demo_users(actor=SYSTEM)
    seeding.make_tier_rules()
    usage = seeding.import_sample()
    _say("import", f"{usage.rows_read} rows from {usage.source}: {usage.imported} jobs, {usage.pending} not ended")
    made = _command("create_receipts", "--all")
    totals: dict[str, Any] = {}
    for row in made["receipts"]:
        totals[row["tier"]] = totals.get(row["tier"], 0) + 1
    _say("receipts", f"{len(made['receipts'])} made ({', '.join(f'{n} {tier}' for tier, n in totals.items())}),"
         f" left out: {made['skipped']}")  # fmt: skip
    _say("payment", _pay(made["receipts"][0]["id"]))
    books = _command("check_books")
    _say("books", f"{len(books['checked'])} invariants hold")
    audit = _command("verify_audit")
    _say("audit", f"{audit['rows']} rows, chain intact, head {audit['head'][:16]}…")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="hpcbilling-demo-") as folder:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="hpcbilling.settings", DEBUG="1", READ_DOT_ENV="0", LOG_LEVEL="ERROR",
            DATABASE_URL=f"sqlite:///{Path(folder) / 'demo.sqlite3'}", ALLOWED_HOSTS="testserver",
        )  # fmt: skip
        import django

        django.setup()
        started = time.monotonic()
        run()
        _say("done", f"in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
