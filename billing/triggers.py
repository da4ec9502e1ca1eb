"""The database refuses to change or remove a version of rates: documents rest on it (see ``core.append_only``)."""

from __future__ import annotations

from core.append_only import AppendOnly

RATE_VERSIONS = AppendOnly(
    "rates_versioned", same="id = NEW.id OR (tier = NEW.tier AND effective_at = NEW.effective_at)"
)
install, remove = RATE_VERSIONS.install, RATE_VERSIONS.remove
install_after_migrate = RATE_VERSIONS.install_after_migrate
