"""Payments, refunds and the two SQL views as tables; ``EXPORTS`` in the settings names them."""

from payments.exports.rows import PAYMENTS, REFUNDS
from payments.exports.views import HEALTH_VIEW, PAID_VIEW

__all__ = ["HEALTH_VIEW", "PAID_VIEW", "PAYMENTS", "REFUNDS"]
