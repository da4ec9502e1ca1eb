"""The store of files by content. What is put in comes back byte by byte, or not at all."""

from __future__ import annotations

import hashlib

from django.db import IntegrityError, transaction

from accounts.models import StoredFile
from core.errors import AppError


class FileDamaged(AppError):
    """The store does not hold what it should: absent, or other bytes than its name says."""

    code = "stored_file_damaged"
    http_status = 500


def keep_file(*, content: bytes, media_type: str) -> str:
    """Store it unless it is there; gives its SHA-256. Safe to repeat and to race.

    No ``actor``: whoever calls writes down what the file is, and for whom.
    """
    name = hashlib.sha256(content).hexdigest()
    if StoredFile.objects.filter(pk=name).exists():
        return name
    row = StoredFile(sha256=name, content=content, size=len(content), media_type=media_type)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # the same at the same moment
        if not StoredFile.objects.filter(pk=name).exists():
            raise
    return name


def read_file(sha256: str) -> bytes:
    """Its bytes, hashed again. Raises ``FileDamaged``."""
    content = StoredFile.objects.filter(pk=sha256).values_list("content", flat=True).first()
    if content is None:
        raise FileDamaged(f"The stored file {sha256[:12]} is not there.")
    found = bytes(content)
    if hashlib.sha256(found).hexdigest() != sha256:
        raise FileDamaged(f"The stored file {sha256[:12]} holds other bytes than it should.")
    return found
