"""Razorpay: an order for each attempt, its hosted checkout, and capture when the money is wanted."""
