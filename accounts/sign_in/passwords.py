"""Passwords that are little more than words everybody here knows (``AUTH_PASSWORD_VALIDATORS``)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

WORDS = ("hpcbilling", "billing", "slurm", "sbatch", "cluster", "password", "admin")
SHORTEST = 4  # letters of a word that counts
LEAST = 6  # letters and digits that are left without the words


class SiteWordsValidator:
    """Refuses a password of which fewer than six letters and digits are left without the site's own words: those of the
    product, of the organisation's name, of the site's address, and the user's name."""

    def validate(self, password: str, user: object = None) -> None:
        text, known = password.casefold(), site_words()
        known |= _words(str(getattr(user, "username", "")))
        for word in sorted(known, key=len, reverse=True):
            text = text.replace(word, "")
        if text != password.casefold() and len(re.sub(r"[\W_]", "", text)) < LEAST:
            raise ValidationError(self.get_help_text(), code="password_site_words")

    def get_help_text(self) -> str:
        return _("A password must not be little more than the name of this site, of its organisation, or your own.")


def site_words() -> set[str]:
    host = urlsplit(settings.SITE_BASE_URL).hostname or ""
    return set(WORDS).union(*(_words(text) for text in (settings.ORG_NAME, host)))


def _words(text: str) -> set[str]:
    return {word for word in re.split(r"[\W_]+", text.casefold()) if len(word) >= SHORTEST}
