"""Amounts in other currencies. ``(rates in force, amount, from, to, rate of the document, result, why)``."""

from __future__ import annotations

CONVERSIONS = [
    ("USD/THB 36", "19.99", "USD", "THB", "36", "719.64", "the pair's own rate"),
    ("USD/THB 36", "100", "THB", "USD", "0.027777777778", "2.78", "the other way round: 1 / 36, to 12 places"),
    ("EUR/USD 1.0812, EUR/THB 37.842", "19.99", "USD", "THB", "35", "699.65", "through the euro: 37.842 / 1.0812 = 35"),
    ("USD/THB 36, EUR/USD 1.0812, EUR/THB 37.842", "19.99", "USD", "THB", "36", "719.64", "its own rate comes first"),
    ("USD/THB 36, THB/JPY 4", "10", "USD", "JPY", "144", "1440", "through the site's currency before the euro"),
    ("USD/JPY 151.35", "10.01", "USD", "JPY", "151.35", "1515", "1,515.0135: no places"),
    ("USD/JPY 150", "0.01", "USD", "JPY", "150", "2", "1.5: half up"),
    ("USD/JPY 150", "-0.01", "USD", "JPY", "150", "-2", "a credit rounds as far as a charge"),
    ("USD/KWD 0.30685", "10", "USD", "KWD", "0.30685", "3.069", "3.0685: three places, half up"),
    ("EUR/JPY 162, EUR/KWD 0.333", "10000", "JPY", "KWD", "0.002055555556", "20.556", "0.333 / 162, then 20.55555556"),
    ("KWD/JPY 490.5", "1.001", "KWD", "JPY", "490.5", "491", "490.9905"),
    ("KWD/JPY 490.5", "0.001", "KWD", "JPY", "490.5", "0", "0.4905: less than a yen"),
    ("EUR/THB 37.842", "0.01", "EUR", "THB", "37.842", "0.38", "0.37842"),
    ("", "12.345", "KWD", "KWD", "1", "12.345", "the same currency needs no rate"),
    ("EUR/THB 37.842", "1", "USD", "THB", None, None, "no way there: an error, never 1"),
    ("USD/THB 36", "1", "USD", "JPY", None, None, "one leg is missing"),
]
