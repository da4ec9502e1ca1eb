"""A PromptPay-like QR: EMVCo text and an SVG picture. The account in it is nobody's."""

from __future__ import annotations

from decimal import Decimal

PROMPTPAY = "A000000677010112"  # bill payment
BILLER = "000000000000000"


def _field(tag: str, value: str) -> str:
    return f"{tag}{len(value):02d}{value}"


def checksum(text: str) -> str:
    """CRC-16/CCITT-FALSE, four hex digits."""
    crc = 0xFFFF
    for byte in text.encode("ascii"):
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021) & 0xFFFF if crc & 0x8000 else crc << 1 & 0xFFFF
    return f"{crc:04X}"


def text(reference: str, amount: int) -> str:
    """What the QR says: ``amount`` in satang, ``reference`` up to 20 characters A-Z and 0-9."""
    short = "".join(letter for letter in reference.upper() if letter.isascii() and letter.isalnum())[-20:]
    biller = _field("00", PROMPTPAY) + _field("01", BILLER) + _field("02", short)
    body = (
        _field("00", "01")
        + _field("01", "12")
        + _field("30", biller)
        + _field("53", "764")
        + _field("54", f"{Decimal(amount) / 100:.2f}")
        + _field("58", "TH")
        + "6304"
    )
    return body + checksum(body)


def svg(content: str) -> bytes:
    """The QR as SVG with a quiet zone of four modules."""
    from reportlab.graphics.barcode import qrencoder

    code = qrencoder.QRCode(None, qrencoder.QRErrorCorrectLevel.M)
    code.addData(content)
    code.make()
    side = code.getModuleCount()
    dots = "".join(
        f"M{column + 4} {row + 4}h1v1h-1z" for row in range(side) for column in range(side) if code.isDark(row, column)
    )
    size = side + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" width="300" height="300" '
        f'shape-rendering="crispEdges"><rect width="{size}" height="{size}" fill="#fff"/>'
        f'<path d="{dots}" fill="#000"/></svg>'
    ).encode()
