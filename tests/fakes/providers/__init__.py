"""Stand-ins for Stripe, Omise and Razorpay that speak their real formats on loopback; no money moves.

Knows nothing of our product: ``python -m tests.fakes.providers`` runs it alone.
"""

from .fake import Event
from .world import Providers

__all__ = ["Event", "Providers"]
