"""Files that were handed out and stay as they were: named by the hash of their content, kept in the database."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class StoredFile(models.Model):
    """Written by ``services.files``, never changed, never pruned; the same content is stored once."""

    sha256 = models.CharField(_("hash (SHA-256)"), max_length=64, primary_key=True)
    content = models.BinaryField(_("content"))
    size = models.PositiveIntegerField(_("bytes"))
    media_type = models.CharField(_("type"), max_length=100)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "stored_files"
        verbose_name = _("stored file")
        verbose_name_plural = _("stored files")
        constraints = (
            models.CheckConstraint(condition=models.Q(sha256__regex=r"^[0-9a-f]{64}$"), name="stored_files_hash_known"),
        )

    def __str__(self) -> str:
        return self.sha256
