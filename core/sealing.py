"""Secrets that are needed again, as they lie in the database: encrypted with keys that ``SECRET_KEY`` decides.

Whoever reads a copy of the database without the site's variables reads none of them. What was kept before this was
so, and is not encrypted, opens as it is; ``seal_secrets`` encrypts it, and what a former key has encrypted.
"""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

MARK = "sealed:"
LENGTH = 300  # characters that a column needs for secrets of 100


class Sealed(Exception):
    """Neither the present ``SECRET_KEY`` nor one of ``SECRET_KEY_FALLBACKS`` opens it."""


def seal(text: str) -> str:
    """Fernet (AES-128-CBC, HMAC-SHA-256) under the present key; another text each time. Nothing stays nothing."""
    return MARK + _boxes(_keys()).encrypt(text.encode()).decode() if text else ""


def opened(stored: str) -> str:
    """Raises ``Sealed``."""
    if not stored.startswith(MARK):
        return stored
    return _open(stored, _keys())


def is_current(stored: str) -> bool:
    """Nothing to encrypt, or encrypted with the present key."""
    if not stored.startswith(MARK):
        return not stored
    try:
        _open(stored, _keys()[:1])
    except Sealed:
        return False
    return True


def _open(stored: str, keys: tuple[str, ...]) -> str:
    try:
        return _boxes(keys).decrypt(stored.removeprefix(MARK)).decode()
    except InvalidToken as error:
        raise Sealed("It was encrypted with another SECRET_KEY; SECRET_KEY_FALLBACKS does not name it.") from error


def _keys() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@lru_cache(maxsize=4)
def _boxes(keys: tuple[str, ...]) -> MultiFernet:
    def derived(key: str) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"hpcbilling stored secrets").derive(key.encode())

    return MultiFernet([Fernet(base64.urlsafe_b64encode(derived(key))) for key in keys])
