"""``/formula``, and billing's part of ``/api/v1/``: jobs with their costs, receipts, rates, quotes."""
