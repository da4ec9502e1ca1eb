"""The database refuses to change or remove a row of ``audit_log`` (see ``core.append_only``)."""

from __future__ import annotations

from core.append_only import AppendOnly

AUDIT_LOG = AppendOnly("audit_log", same="id = NEW.id OR hash = NEW.hash OR prev_hash = NEW.prev_hash")
install, remove, install_after_migrate = AUDIT_LOG.install, AUDIT_LOG.remove, AUDIT_LOG.install_after_migrate
