"""Examples that others publish, with their figures; where ours differ, the amount is ours and ``why`` says theirs.

``CHARGES``: ``(whose, model, price, quantity, amount, why)``, prices as in ``charges``.
``MINIMUMS``: ``(whose, model, price, minimum, quantity, lines, why)``.
``TOTALS``: ``(whose, lines, discounts, inclusive, decimals, subtotal, discount, tax, total, why)`` as in ``totals``.
``PARTS``: ``(whose, period from, to, part from, to, fee, currency, amount, why)``, by days.
``CREDITS``: ``(whose, line, rate, inclusive, parts, why)``; a part is what is taken back of the line and its tax.
"""

from __future__ import annotations

# up to, price of one, flat fee
LAGO_STEPS = (("10", "10", "2"), ("20", "5", "3"), (None, "5", "3"))
LAGO_FRACTIONS = (("0.1", "10", "0"), ("1", "5", "0"), (None, "2", "0"))
LAGO_VOLUME = (("100", "2", "10"), ("200", "1", "0"), (None, "0.5", "50"))
LAGO_CALLS = (("100", "1", "0"), ("200", "0.50", "0"), (None, "0.10", "0"))
OPENMETER_STEPS = (("5", "0", "100"), ("10", "0", "50"), ("15", "5", "0"), (None, "1", "0"))
OPENMETER_VOLUME = (("5", "0", "100"), ("10", "0", "150"), ("15", "10", "0"), (None, "5", "0"))
STRIPE_FONTS = (("5", "7", "0"), ("10", "6.5", "0"), (None, "6", "0"))
AUTUMN = (("1000", "0.01", "0"), ("10000", "0.008", "0"), (None, "0.005", "0"))
ZUPLO = (("1000", "0.10", "0"), ("10000", "0.05", "0"), (None, "0.01", "0"))
METRIFOX = (("1000", "0.10", "0"), (None, "0.08", "0"))
ORACLE_FLAT = (("250", "0", "10"), ("500", "0", "20"), (None, "0", "30"))
ORACLE_UNITS = (("250", "1", "0"), ("500", "2", "0"), (None, "3", "0"))
ORACLE_BASE = (("29", "1", "0"), ("74", "2", "0"), (None, "3", "0"))
ORACLE_CYCLE = (("49", "4", "0"), (None, "5", "0"))
ORACLE_LIFE = (("49", "6", "0"), (None, "7", "0"))
ORB_BULK = (("10", "0.50", "0"), (None, "0.40", "0"))
ORB_TIERED = (("10", "0.50", "0"), (None, "0.10", "0"))

CHARGES = [
    ("Lago, specs", "graduated", LAGO_STEPS, "0", "0", "there 2: the fee of the first step is due without use"),
    ("Lago, specs", "graduated", LAGO_STEPS, "1", "12", "10 + 2"),
    ("Lago, specs", "graduated", LAGO_STEPS, "10", "102", "10 x 10 + 2"),
    ("Lago, specs", "graduated", LAGO_STEPS, "11", "110", "102 + 5 + 3"),
    ("Lago, specs", "graduated", LAGO_STEPS, "12", "115", "102 + 2 x 5 + 3"),
    ("Lago, specs", "graduated", LAGO_STEPS, "21", "163", "102 + 53 + 5 + 3"),
    ("Lago, specs", "graduated", LAGO_FRACTIONS, "0.05", "0.5", "0.05 x 10"),
    ("Lago, specs", "graduated", LAGO_FRACTIONS, "0.5", "3", "0.1 x 10 + 0.4 x 5"),
    ("Lago, specs", "volume", LAGO_VOLUME, "1", "12", "2 + 10"),
    ("Lago, specs", "volume", LAGO_VOLUME, "100", "210", "100 x 2 + 10"),
    ("Lago, specs", "volume", LAGO_VOLUME, "100.5", "100.5", "between the steps: the second one"),
    ("Lago, specs", "volume", LAGO_VOLUME, "101", "101", "101 x 1"),
    ("Lago, specs", "volume", LAGO_VOLUME, "200", "200", "still the second"),
    ("Lago, specs", "volume", LAGO_VOLUME, "210", "155", "210 x 0.5 + 50"),
    ("Lago, specs", "volume", LAGO_VOLUME, "300", "200", "300 x 0.5 + 50"),
    ("Lago, specs", "package", ("10", "100"), "121", "1300", "thirteen begun"),
    ("Lago, guide", "graduated", LAGO_CALLS, "250", "155", "100 + 50 + 50 x 0.10"),
    ("OpenMeter, tests", "graduated", OPENMETER_STEPS, "12", "160", "100 + 50 + 2 x 5"),
    ("OpenMeter, tests", "graduated", OPENMETER_STEPS, "22", "182", "100 + 50 + 25 + 7"),
    ("OpenMeter, tests", "volume", OPENMETER_VOLUME, "0", "0", "there 100: the fee of the first step"),
    ("OpenMeter, tests", "volume", OPENMETER_VOLUME, "3", "100", "the fee alone"),
    ("OpenMeter, tests", "volume", OPENMETER_VOLUME, "5", "100", "the fifth is in the first step"),
    ("OpenMeter, tests", "volume", OPENMETER_VOLUME, "14", "140", "14 x 10"),
    ("OpenMeter, tests", "volume", OPENMETER_VOLUME, "15", "150", "15 x 10"),
    ("OpenMeter, tests", "volume", OPENMETER_VOLUME, "16", "80", "16 x 5: less than fifteen"),
    ("OpenMeter, tests", "volume", OPENMETER_VOLUME, "100", "500", "100 x 5"),
    ("OpenMeter, tests", "package", ("10", "15"), "5", "15", "one begun"),
    ("OpenMeter, tests", "package", ("10", "15"), "10", "15", "exactly one"),
    ("OpenMeter, tests", "package", ("10", "15"), "22", "45", "17, then 5 more: three in all"),
    ("OpenMeter, tests", "package", ("10", "15"), "110", "165", "eleven"),
    ("OpenMeter, tests", "package", ("1000000", "10"), "1500001", "20", "tokens by the million, up"),
    ("OpenMeter, tests", "standard", "100", "10", "1000", "10 x 100"),
    ("Stripe, fonts", "volume", STRIPE_FONTS, "1", "7", "1 x 7"),
    ("Stripe, fonts", "volume", STRIPE_FONTS, "5", "35", "5 x 7"),
    ("Stripe, fonts", "volume", STRIPE_FONTS, "6", "39", "6 x 6.50"),
    ("Stripe, fonts", "volume", STRIPE_FONTS, "20", "120", "20 x 6"),
    ("Stripe, fonts", "volume", STRIPE_FONTS, "25", "150", "25 x 6"),
    ("Stripe, fonts", "graduated", STRIPE_FONTS, "6", "41.5", "35 + 6.50"),
    ("Stripe, fonts", "graduated", STRIPE_FONTS, "20", "127.5", "35 + 32.50 + 60"),
    ("Stripe, fonts", "graduated", STRIPE_FONTS, "25", "157.5", "35 + 32.50 + 90"),
    ("Autumn", "graduated", AUTUMN, "15000", "107", "10 + 72 + 25"),
    ("Zuplo", "standard", "0.001", "100000", "100", "100,000 x 0.001"),
    ("Zuplo", "graduated", ZUPLO, "15000", "600", "100 + 450 + 50"),
    ("Zuplo", "volume", ZUPLO, "15000", "150", "15,000 x 0.01"),
    ("Flexprice", "package", ("1000", "1.00"), "4500", "5", "4.5 packages are five"),
    ("Metrifox", "graduated", METRIFOX, "2500", "220", "100 + 120"),
    ("Metrifox", "volume", METRIFOX, "2500", "200", "2,500 x 0.08"),
    ("Oracle, slabs by count", "graduated", ORACLE_FLAT, "1000", "60", "10 + 20 + 30"),
    ("Oracle, slabs by count", "volume", ORACLE_FLAT, "1000", "30", "the fee of the slab that is reached"),
    ("Oracle, slabs by count", "graduated", ORACLE_UNITS, "1000", "2250", "250 + 500 + 1,500"),
    ("Oracle, slabs by count", "volume", ORACLE_UNITS, "1000", "3000", "1,000 x 3"),
    ("Oracle, leasing", "graduated", ORACLE_BASE, "76", "125", "29 + 90 + 6"),
    ("Oracle, leasing", "volume", ORACLE_BASE, "76", "228", "76 x 3"),
    ("Oracle, leasing", "graduated", ORACLE_CYCLE, "51", "206", "49 x 4 + 2 x 5"),
    ("Oracle, leasing", "volume", ORACLE_CYCLE, "51", "255", "51 x 5"),
    ("Oracle, leasing", "graduated", ORACLE_LIFE, "65", "406", "49 x 6 + 16 x 7"),
    ("Oracle, leasing", "volume", ORACLE_LIFE, "65", "455", "65 x 7"),
    ("Orb", "volume", ORB_BULK, "10", "5", "10 x 0.50"),
    ("Orb", "volume", ORB_BULK, "101", "40.4", "101 x 0.40"),
    ("Orb", "graduated", ORB_TIERED, "25", "6.5", "5 + 15 x 0.10"),
    ("Orb", "package", ("10", "0.80"), "4", "0.8", "four are billed as ten"),
    ("Orb", "package", ("10", "0.80"), "11", "1.6", "eleven are billed as twenty"),
]  # fmt: skip

MINIMUMS = [
    ("OpenMeter, tests", "volume", OPENMETER_VOLUME, "150", "5", ["100.00", "50.00"], "50 are lacking"),
    ("OpenMeter, tests", "volume", OPENMETER_VOLUME, "100", "5", ["100.00"], "just enough"),
    ("OpenMeter, tests", "volume", OPENMETER_VOLUME, "100", "100", ["500.00"], "more than enough"),
    ("OpenMeter, tests", "graduated", OPENMETER_STEPS, "1000", "2", ["100.00", "900.00"], "900 are lacking"),
    ("OpenMeter, tests", "package", ("10", "15"), "100", "0", [], "there 100: the minimum is due without use"),
]

TOTALS = [
    ("Peppol BIS, base example", "2800@25 -1500@25 25@25", "", False, 2, "1325", "0", "331.25", "1656.25",
     "a credit and a charge among the lines"),
    ("Peppol BIS, allowances", "4000@25 1000@0 900@25 200@25 -200@25", "", False, 2, "5900", "0", "1225", "7125",
     "25 % of 4,900; 1,000 are exempt"),
    ("pretix, sum by net", "84.03@19 84.03@19 84.03@19 84.03@19 84.03@19", "", False, 2, "420.15", "0", "79.83",
     "499.98", "79.8285 on the sum; line by line 5 x 15.97 = 79.85"),
    ("pretix, keep gross", "100@19 100@19 100@19 100@19 100@19", "", True, 2, "420.17", "0", "79.83", "500",
     "500 / 1.19 = 420.1681; line by line 79.85"),
    ("pretix, keep gross", "99.98@19 99.98@19 99.98@19 99.98@19 99.98@19", "", True, 2, "420.08", "0", "79.82",
     "499.90", "line by line 79.80"),
    ("pretix, no decimals", "9998@19 9998@19 9998@19 9998@19 9998@19", "", True, 0, "42008", "0", "7982", "49990",
     "yen: line by line 7,980"),
    ("pretix, no net fits", "23@7", "", True, 2, "21.50", "0", "1.50", "23",
     "21.50 x 1.07 = 23.005: the gross stays; by its net there 23.01"),
    ("Lago, ladder of taxes", "10@15 100@25 50@15", "16", False, 2, "160", "16", "30.60", "174.60",
     "1 + 10 + 5 off, then 15 % of 54 and 25 % of 90"),
    ("Lago, percentage", "10@10 100@10", "10%", False, 2, "110", "11", "9.90", "108.90", "10 % of 99"),
    ("Lago, two rates", "20@20 80@25", "40", False, 2, "100", "40", "14.40", "74.40", "8 and 32 off"),
    ("Lago, one rate", "20@20 80@20", "40", False, 2, "100", "40", "12", "72", "20 % of 60; before the coupon 20"),
    ("UniBee", "29@5", "50%", False, 2, "29", "14.50", "0.73", "15.23", "0.725: half up; there cut off, 0.72 and 15.22"),
    ("Zuora, inclusive", "2.99@4", "", True, 2, "2.88", "0", "0.11", "2.99", "2.875 up; by the other setting 0.12 of tax"),
    ("Thai VAT", "25000@7", "", False, 2, "25000", "0", "1750", "26750", "7 %"),
    ("Thai VAT, inside", "25000@7", "", True, 2, "23364.49", "0", "1635.51", "25000", "25,000 x 100 / 107"),
    ("Thai VAT, inside", "1000@7", "", True, 2, "934.58", "0", "65.42", "1000", "1,000 x 100 / 107"),
    ("Thai VAT, inside", "2140@7", "", True, 2, "2000", "0", "140", "2140", "2,140 x 7 / 107"),
    ("Thai VAT, inside", "100@7", "", True, 2, "93.46", "0", "6.54", "100", "100 x 7 / 107 = 6.542"),
    ("Thai VAT", "93009@7", "", False, 2, "93009", "0", "6510.63", "99519.63", "exact to the satang"),
    ("Thai VAT and discount", "1680@7", "5%", False, 2, "1680", "84", "111.72", "1707.72", "7 % of 1,596"),
    ("Thai VAT and discount, inside", "2568@7", "5%", True, 2, "2400", "120", "159.60", "2439.60",
     "2,439.60 x 7 / 107; subtotal and discount without tax"),
    ("Japan, consumption tax", "893@5", "", False, 0, "893", "0", "45", "938", "44.65: half up"),
    ("Japan, two rates", "101@8 101@8 105@10 105@10", "", False, 0, "412", "0", "37", "449",
     "once a rate: 16.16 and 21.0; line by line 8 + 8 + 11 + 11"),
    ("Bahrain, fils", "0.397@10", "", False, 3, "0.397", "0", "0.040", "0.437", "0.0397"),
    ("Bahrain, fils", "0.050@5", "", False, 3, "0.050", "0", "0.003", "0.053", "0.0025: half up"),
    ("a question about sales tax", "0.04@10 0.04@10", "", False, 2, "0.08", "0", "0.01", "0.09", "0.008 on the sum"),
    ("a question about sales tax", "0.06@10 0.06@10", "", False, 2, "0.12", "0", "0.01", "0.13", "0.012 on the sum"),
]  # fmt: skip

PARTS = [
    ("Stripe, half a month", "2027-06-01", "2027-07-01", "2027-06-16", "2027-07-01", "10", "USD", "5.00", "back"),
    ("Stripe, half a month", "2027-06-01", "2027-07-01", "2027-06-16", "2027-07-01", "20", "USD", "10.00", "5 more"),
    ("Autumn", "2027-06-01", "2027-07-01", "2027-06-16", "2027-07-01", "50", "USD", "25.00", "less 10 of 20: 15"),
    ("Baremetrics", "2027-02-01", "2027-03-01", "2027-02-08", "2027-03-01", "12", "USD", "9.00", "21 of 28 days"),
    ("Baremetrics", "2027-02-01", "2027-03-01", "2027-02-08", "2027-03-01", "24", "USD", "18.00", "9 more"),
    ("Mlytics", "2027-09-01", "2027-10-01", "2027-09-16", "2027-10-01", "10", "USD", "5.00",
     "rounded once; there the price of a day is rounded first: 15 x 0.33 = 4.95"),
    ("Lago, two upgrades", "2024-03-05", "2024-04-05", "2024-03-12", "2024-04-05", "10", "EUR", "7.74", "24 of 31"),
    ("Lago, two upgrades", "2024-03-05", "2024-04-05", "2024-03-12", "2024-04-05", "15", "EUR", "11.61", "24 of 31"),
    ("Lago, two upgrades", "2024-03-05", "2024-04-05", "2024-03-12", "2024-04-05", "19", "EUR", "14.71", "24 of 31"),
    ("Lago, end of a plan", "2025-09-18", "2025-10-18", "2025-09-19", "2025-10-18", "200", "EUR", "193.33",
     "29 of 30; there it ends on the 18th, which counts as used"),
    ("Lago, end of a plan", "2025-09-18", "2025-10-18", "2025-09-19", "2025-10-18", "160", "EUR", "154.67", "29 of 30"),
    ("Kill Bill", "2010-07-17", "2010-08-17", "2010-07-17", "2010-07-25", "31", "USD", "8.00", "8 of 31"),
    ("Kill Bill", "2011-02-15", "2011-03-15", "2011-02-15", "2011-02-27", "28", "USD", "12.00", "12 of 28"),
    ("Kill Bill", "2011-06-17", "2012-06-17", "2011-06-17", "2011-06-25", "366", "USD", "8.00", "8 of 366"),
    ("Zuora, actual days", "2021-01-01", "2021-02-01", "2021-01-27", "2021-02-01", "31", "USD", "5.00", "of 30: 5.17"),
    ("Zuora, actual days", "2021-02-01", "2021-03-01", "2021-02-27", "2021-03-01", "28", "USD", "2.00", "2 of 28"),
    ("Zuora, actual days", "2020-02-01", "2020-03-01", "2020-02-01", "2020-03-01", "29", "USD", "29.00", "29 of 29"),
    ("Zuora, actual days", "2021-04-01", "2021-05-01", "2021-04-21", "2021-04-30", "30", "USD", "9.00", "21st to 29th"),
    ("Oracle", "2019-03-15", "2019-04-15", "2019-03-15", "2019-04-11", "100", "USD", "87.10", "27 of 31: 0.871"),
]  # fmt: skip

CREDITS = [
    ("Lago, rounding", "769.00", "20", False, [("726.86", "145.37"), ("42.14", "8.43")], "145.372; 153.80 in all"),
    ("Lago, rounding", "200.00", "25", False, [("193.33", "48.33"), ("6.67", "1.67")], "48.3325; 50 in all"),
    ("Lago, rounding", "160.00", "25", False, [("154.67", "38.67"), ("5.33", "1.33")], "38.6675; 40 in all"),
    ("Lago, rounding", "29.99", "23.33", False, [("25.71", "6.00"), ("4.28", "1.00")], "7.00 x 25.71 / 29.99 = 6.001"),
    ("a question about sales tax", "0.18", "10", False, [("0.06", "0.01"), ("0.06", "0.00"), ("0.06", "0.01")],
     "0.0067, 0.0133 and 0.02: three of three bring back what they cost"),
]  # fmt: skip
