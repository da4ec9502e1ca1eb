"""What quantities cost. ``(model, price, quantity, amount, why)``; a price is a number, ``(size, price)`` or steps."""

from __future__ import annotations

# up to, price of one, flat fee
STEPS = (("100", "1.00", "5"), ("200", "0.80", "3"), (None, "0.50", "2"))
PLAIN = (("5", "5", "0"), ("10", "4", "0"), (None, "3", "0"))
FLAT = (("10", "0", "50"), ("20", "0", "80"), (None, "0", "100"))
FREE = (("100", "0", "0"), (None, "0.10", "0"))
PACK = ("1000", "9")

CHARGES = [
    ("standard", "0.02", "0", "0", "no usage, no charge"),
    ("standard", "0.02", "1", "0.02", "1 x 0.02"),
    ("standard", "0.02", "1234.5", "24.69", "1,234.5 x 0.02; fractions count"),
    ("standard", "3", "0.333", "0.999", "0.333 x 3; nothing is rounded before the line"),
    ("standard", "0.000001", "1000000000", "1000", "a thousand million at a millionth"),
    ("standard", "0", "2.5", "0", "a price of nought is a price"),
    ("standard", "1000000000", "0.000000001", "1", "the smallest quantity that a meter keeps"),
    ("standard", "0.0035", "3", "0.0105", "below a cent; the line makes 0.01 of it"),
    # steps with fees: 0-100 at 1.00 + 5, 101-200 at 0.80 + 3, above at 0.50 + 2
    ("graduated", STEPS, "0", "0", "no usage, no fee: the first step is not entered (elsewhere its fee may be due)"),
    ("graduated", STEPS, "0.5", "5.5", "0.5 x 1 + 5"),
    ("graduated", STEPS, "1", "6", "1 x 1 + 5"),
    ("graduated", STEPS, "99.999", "104.999", "99.999 x 1 + 5"),
    ("graduated", STEPS, "100", "105", "the hundredth unit belongs to the first step: 100 x 1 + 5"),
    ("graduated", STEPS, "100.000001", "108.0000008", "105, then 0.000001 x 0.80 + 3: a step is entered by anything"),
    ("graduated", STEPS, "101", "108.8", "105 + 1 x 0.80 + 3"),
    ("graduated", STEPS, "150", "148", "105 + 50 x 0.80 + 3"),
    ("graduated", STEPS, "200", "188", "105 + 100 x 0.80 + 3"),
    ("graduated", STEPS, "200.5", "190.25", "188 + 0.5 x 0.50 + 2"),
    ("graduated", STEPS, "250", "215", "188 + 50 x 0.50 + 2"),
    ("graduated", STEPS, "1000", "590", "188 + 800 x 0.50 + 2"),
    ("volume", STEPS, "0", "0", "no usage, no fee"),
    ("volume", STEPS, "1", "6", "1 x 1 + 5"),
    ("volume", STEPS, "100", "105", "100 x 1 + 5"),
    ("volume", STEPS, "100.5", "83.4", "all at the second step: 100.5 x 0.80 + 3"),
    ("volume", STEPS, "101", "83.8", "101 x 0.80 + 3: cheaper than 100 units"),
    ("volume", STEPS, "200", "163", "200 x 0.80 + 3"),
    ("volume", STEPS, "201", "102.5", "201 x 0.50 + 2"),
    ("volume", STEPS, "1000", "502", "1,000 x 0.50 + 2"),
    # steps as they stand in many price lists: 5, 4, 3 each
    ("volume", PLAIN, "1", "5", "1 x 5"),
    ("volume", PLAIN, "5", "25", "5 x 5"),
    ("volume", PLAIN, "6", "24", "6 x 4"),
    ("volume", PLAIN, "20", "60", "20 x 3"),
    ("volume", PLAIN, "25", "75", "25 x 3"),
    ("graduated", PLAIN, "1", "5", "1 x 5"),
    ("graduated", PLAIN, "5", "25", "5 x 5"),
    ("graduated", PLAIN, "6", "29", "25 + 1 x 4"),
    ("graduated", PLAIN, "20", "75", "25 + 5 x 4 + 10 x 3"),
    ("graduated", PLAIN, "25", "90", "25 + 20 + 15 x 3"),
    ("graduated", FLAT, "15", "130", "fees alone: 50 + 80"),
    ("volume", FLAT, "15", "80", "the fee of the step that is reached, alone"),
    ("graduated", FLAT, "20", "130", "the twentieth is still in the second step"),
    ("graduated", FLAT, "21", "230", "50 + 80 + 100"),
    ("volume", FLAT, "21", "100", "the last step's fee"),
    ("graduated", FREE, "100", "0", "a hundred are free"),
    ("graduated", FREE, "150", "5", "50 x 0.10"),
    ("volume", FREE, "150", "15", "by volume the free ones are priced, too: 150 x 0.10"),
    ("package", PACK, "0", "0", "no usage, no package"),
    ("package", PACK, "0.001", "9", "one that is begun is due in full"),
    ("package", PACK, "999", "9", "one package"),
    ("package", PACK, "1000", "9", "exactly one"),
    ("package", PACK, "1000.000001", "18", "the second is begun"),
    ("package", PACK, "2000", "18", "exactly two"),
    ("package", PACK, "2500", "27", "three begun"),
    ("package", ("0.5", "2"), "1.2", "6", "1.2 / 0.5 = 2.4: three of half a unit"),
]  # fmt: skip
