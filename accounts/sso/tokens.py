"""The ID token, read by OpenID Connect Core 3.1.3.7 and nothing taken on trust: signature, algorithm, issuer,
audience, times and nonce, although it comes straight from the token address."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

ALGORITHMS = ("RS256", "PS256", "ES256")  # asymmetric ones alone: a public key can never be used as a secret
LEEWAY = 60  # seconds that clocks may differ
OLDEST = 600  # seconds since it was issued
LONGEST_SUBJECT = 191


class TokenRefused(Exception):
    """``args[0]`` is a short code for the log: what was wrong, never what was in it."""


def read_id_token(token: object, *, keys: Mapping[str, Any], issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """The claims. ``keys`` is the provider's JWK set. Raises ``TokenRefused``."""
    import jwt

    if not isinstance(token, str):
        raise TokenRefused("no_token")
    try:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise TokenRefused("algorithm")
        claims: dict[str, Any] = jwt.decode(
            token, key=_key(keys, header, str(algorithm)), algorithms=[str(algorithm)], issuer=issuer,
            audience=client_id, leeway=LEEWAY, options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )  # fmt: skip
    except jwt.InvalidAudienceError as error:
        raise TokenRefused("audience") from error
    except jwt.InvalidIssuerError as error:
        raise TokenRefused("issuer") from error
    except jwt.ExpiredSignatureError as error:
        raise TokenRefused("expired") from error
    except (jwt.PyJWTError, ValueError, KeyError, TypeError) as error:
        raise TokenRefused("token") from error
    _check(claims, client_id, nonce)
    return claims


def _key(keys: Mapping[str, Any], header: Mapping[str, Any], algorithm: str) -> Any:
    """The key that the header names; a key the token brings along (``jwk``, ``jku``, ``x5u``) is never looked at."""
    import jwt

    fitting = [
        each for each in keys.get("keys", ())
        if each.get("kty") == ("EC" if algorithm.startswith("ES") else "RSA")
        and each.get("use", "sig") == "sig" and each.get("alg", algorithm) == algorithm
        and ("kid" not in header or each.get("kid") == header["kid"])
    ]  # fmt: skip
    if len(fitting) != 1:
        raise TokenRefused("key")
    return jwt.get_algorithm_by_name(algorithm).from_jwk(json.dumps(fitting[0]))


def _check(claims: Mapping[str, Any], client_id: str, nonce: str) -> None:
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != client_id:
        raise TokenRefused("audience")
    if claims.get("azp", client_id) != client_id:
        raise TokenRefused("audience")
    if not nonce or claims.get("nonce") != nonce:
        raise TokenRefused("nonce")
    if time.time() - float(claims["iat"]) > OLDEST + LEEWAY:
        raise TokenRefused("old")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or "\0" in subject:
        raise TokenRefused("subject")
