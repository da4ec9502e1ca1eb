"""Razorpay: an order for each attempt, its hosted checkout, and capture when the money is wanted."""

NEEDS = ("RAZORPAY_KEY_ID", "RAZORPAY_KEY_SECRET", "RAZORPAY_WEBHOOK_SECRET")
