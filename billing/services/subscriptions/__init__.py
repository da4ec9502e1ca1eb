"""Fees of subscriptions: once for each period, and what a change or an end costs."""
