"""A QR code as SVG, made on this server: the secret in it goes to nobody else."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString

QUIET = 4  # modules of white around it, as readers want


def qr_svg(text: str, label: str) -> SafeString:
    """Dark strips on white, with error correction M. No style attribute: the policy of the pages allows none."""
    from reportlab.graphics.barcode.qrencoder import QRCode, QRErrorCorrectLevel

    code = QRCode(None, QRErrorCorrectLevel.M)
    code.addData(text)
    code.make()
    side, modules = code.getModuleCount(), code.modules
    path = "".join(
        f"M{column + QUIET} {row + QUIET}h1v1h-1z"
        for row in range(side)
        for column in range(side)
        if modules[row][column]
    )
    whole = side + 2 * QUIET
    return format_html(
        '<svg class="qr" role="img" aria-label="{}" viewBox="0 0 {} {}" width="220" height="220"'
        ' shape-rendering="crispEdges">'
        '<rect width="{}" height="{}" fill="#fff"/><path d="{}" fill="#000"/></svg>',
        label, whole, whole, whole, whole, path,
    )  # fmt: skip
