"""Razorpay: orders, payments, captures, refunds, disputes."""

from .provider import Razorpay

__all__ = ["Razorpay"]
