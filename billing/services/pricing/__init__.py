"""Prices, discounts, taxes and rates of exchange: add them, end them."""
