"""``python -m tests.fakes.providers [--port 8100] [--webhooks URL] [--seed 1]``"""

from __future__ import annotations

import argparse
import sys
import time
from threading import Event

from . import Providers


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.providers", description=__doc__)
    parser.add_argument("--port", type=int, default=8100, help="Stripe's; Omise and Razorpay take the next two")
    parser.add_argument("--webhooks", default="", help="address before the provider's name, e.g. http://.../webhooks/")
    parser.add_argument("--seed", type=int, default=1, help="of the secrets and of the pump's dice")
    asked = parser.parse_args()
    # What a program stored under names of yesterday must not meet them again today.
    with Providers(seed=asked.seed, port=asked.port, run=str(time.time_ns())) as fakes:
        if asked.webhooks:
            fakes.pump.to(asked.webhooks)
        sys.stdout.write("Local stand-ins for payment providers; no money moves.\n\n")
        for name, value in settings(fakes).items():
            sys.stdout.write(f"{name}={value}\n")
        sys.stdout.write(f"\nWhat exists, and buttons: {fakes.stripe.url}/\n")
        sys.stdout.flush()
        try:
            Event().wait()
        except KeyboardInterrupt:
            sys.stdout.write("\n")


def settings(fakes: Providers) -> dict[str, str]:
    """Addresses and secrets a program needs to talk to the servers, by name."""
    return {
        "STRIPE_API_URL": fakes.stripe.url,
        "STRIPE_SECRET_KEY": fakes.stripe.secret_key,
        "STRIPE_WEBHOOK_SECRET": fakes.stripe.webhook_secret,
        "OMISE_API_URL": fakes.omise.url,
        "OMISE_SECRET_KEY": fakes.omise.secret_key,
        "OMISE_WEBHOOK_SECRET": fakes.omise.webhook_secret,
        "RAZORPAY_API_URL": fakes.razorpay.url,
        "RAZORPAY_KEY_ID": fakes.razorpay.key_id,
        "RAZORPAY_KEY_SECRET": fakes.razorpay.key_secret,
        "RAZORPAY_WEBHOOK_SECRET": fakes.razorpay.webhook_secret,
    }


if __name__ == "__main__":
    main()
