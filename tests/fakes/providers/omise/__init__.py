"""Omise (Opn): PromptPay charges with a QR, payment links for cards, refunds, disputes."""

from .provider import Omise

__all__ = ["Omise"]
