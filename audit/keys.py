"""The key that signs heads of the chain, and the public keys that are believed.

A key is PKCS#8 PEM, as ``openssl genpkey -algorithm ed25519`` writes it; a public key is 64 hexadecimal digits, or
SubjectPublicKeyInfo PEM. The id of a key is the first 16 digits of the SHA-256 of the public key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from core.errors import AppError, BadInput, UsageError

PRIVATE = bytes.fromhex("302e020100300506032b657004220420")  # DER of PKCS#8 before the 32 bytes of the seed
PUBLIC = bytes.fromhex("302a300506032b6570032100")
ALGORITHM = "Ed25519"
SIZE = 32


@dataclass(frozen=True, slots=True)
class SigningKey:
    seed: bytes

    def __repr__(self) -> str:
        return f"SigningKey({self.id})"

    @property
    def public(self) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    @property
    def id(self) -> str:
        return key_id(self.public)

    def signed(self, purpose: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body with ``algorithm``, ``key`` and ``signature``, which covers all the rest and the purpose."""
        whole = {**body, "algorithm": ALGORITHM, "key": self.id}
        return {**whole, "signature": self.sign(message(purpose, whole)).hex()}

    def sign(self, text: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(text)


def verify(public: bytes, text: bytes, signature: bytes) -> bool:
    """Whether the signature is that of the text by the holder of the key; malformed input is False."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_id(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()[:16]


def message(purpose: str, body: Mapping[str, Any]) -> bytes:
    """What is signed: the purpose, a line feed, and JSON with sorted keys and no spaces."""
    return f"hpcbilling.audit.{purpose}.v1\n{compact(body)}".encode()


def compact(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def is_signed(purpose: str, whole: Mapping[str, Any], trusted: Mapping[str, bytes]) -> bool:
    """By one of the keys that are believed."""
    body = {name: value for name, value in whole.items() if name != "signature"}
    public = trusted.get(str(body.get("key")))
    try:
        signature = bytes.fromhex(str(whole.get("signature")))
    except ValueError:
        return False
    return public is not None and verify(public, message(purpose, body), signature)


def signing_key() -> SigningKey | None:
    """The key of ``AUDIT_SIGNING_KEY``; None where none is set. Raises ``BadInput`` when it is no key."""
    text = settings.AUDIT_SIGNING_KEY
    return _private(text, "AUDIT_SIGNING_KEY") if text else None


def trusted_keys() -> dict[str, bytes]:
    """Public keys by their ids: that of our own key, and those of ``AUDIT_PUBLIC_KEYS`` (former ones)."""
    own = signing_key()
    keys = [own.public] if own else []
    former = [text for text in settings.AUDIT_PUBLIC_KEYS if text.strip()]
    keys += [read_public(text, f"entry {place} of {len(former)}") for place, text in enumerate(former, 1)]
    return {key_id(key): key for key in keys}


def read_public(text: str, entry: str = "this") -> bytes:
    """64 hexadecimal digits or PEM. Raises ``BadInput``, which names the entry of ``AUDIT_PUBLIC_KEYS``."""
    bare = text.strip()
    key = bytes.fromhex(bare) if re.fullmatch(r"[0-9a-fA-F]{64}", bare) else _key_in(bare, PUBLIC)
    if key is None:
        words = f"{entry} is no public key; 64 hexadecimal digits are wanted, as manage.py audit_key printed them"
        raise BadInput(f"AUDIT_PUBLIC_KEYS: {words}.")
    return key


def _private(text: str, name: str) -> SigningKey:
    if (seed := _key_in(text, PRIVATE)) is None:
        raise BadInput(f"{name} is no Ed25519 key in PEM; manage.py audit_key --new FILE makes one.")
    return SigningKey(seed)


def _key_in(text: str, beginning: bytes) -> bytes | None:
    armour = re.sub(r"-----[A-Z ]+-----|\s|\\n", "", text)
    try:
        der = base64.b64decode(armour, validate=True)
    except binascii.Error:
        return None
    return der[len(beginning) :] if len(der) == len(beginning) + SIZE and der.startswith(beginning) else None


def pem(kind: str, beginning: bytes, key: bytes) -> str:
    return f"-----BEGIN {kind} KEY-----\n{base64.b64encode(beginning + key).decode()}\n-----END {kind} KEY-----\n"


def public_pem(public: bytes) -> str:
    return pem("PUBLIC", PUBLIC, public)


def make_key(path: Path) -> SigningKey:
    """A new key in a new file that only its owner may read. Raises ``UsageError`` when the file is there already."""
    key = SigningKey(secrets.token_bytes(SIZE))
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"The key cannot be written to {path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(pem("PRIVATE", PRIVATE, key.seed))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:  # a full disk: what is half a key must not stand in the way of a whole one
        path.unlink(missing_ok=True)
        raise AppError(f"The key cannot be written to {path}: {error.strerror}") from error
    return key


def key_in(path: Path) -> SigningKey:
    try:
        return _private(path.read_text(encoding="ascii"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The key cannot be read: {error}") from error
