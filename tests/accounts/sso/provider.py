"""An OpenID Connect provider on this machine that speaks the wire format: discovery, JWK set, code flow with PKCE
(S256), RS256 tokens, end of session. ``lie`` makes it answer as an attacker would."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PORT = 18091
ISSUER = f"http://127.0.0.1:{PORT}/realm"
CLIENT, SECRET = "hpcbilling", "client-secret-of-the-test-suite"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Provider:
    """``claims`` of whoever signs in there next; ``lie`` changes (header, claims, key) of the token it gives out."""

    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    lie: Any = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = secrets.token_hex(4)

    def pem(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def keys(self) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        n, e = (number.to_bytes((number.bit_length() + 7) // 8, "big") for number in (numbers.n, numbers.e))
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": b64(n), "e": b64(e)}]}

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys", "end_session_endpoint": f"{ISSUER}/logout",
            "token_endpoint_auth_methods_supported": ["client_secret_post"], **self.metadata,
        }  # fmt: skip

    def authorize(self, address: str) -> str:
        """Somebody signs in at the page that ``address`` leads to. Where their browser is sent next."""
        query = dict(parse_qsl(urlsplit(address).query))
        assert address.startswith(f"{ISSUER}/authorize?")
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(24)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], 'iss': ISSUER})}"

    def exchange(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        query = self.codes.pop(form.get("code", ""), None)  # once
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        fits = (
            query is not None and form.get("client_id") == CLIENT and form.get("client_secret") == SECRET
            and form.get("redirect_uri") == query["redirect_uri"] and b64(verifier) == query["code_challenge"]
        )  # fmt: skip
        if not fits or query is None:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "a-token", "token_type": "Bearer", "id_token": self.token(query.get("nonce", ""))}

    def token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce, **self.claims}
        header, key = {"alg": "RS256", "kid": self.kid, "typ": "JWT"}, self.key
        if self.lie:
            return str(self.lie(self, header, claims, key))
        return jwt.encode(claims, key, algorithm="RS256", headers=header)


def by_hand(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None = None) -> str:
    """A token as no honest library makes it: without signature, or signed with a public key as if it were a secret."""
    text = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    signature = hmac.new(secret, text.encode(), hashlib.sha256).digest() if secret is not None else b""
    return f"{text}.{b64(signature)}"


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.provider.asked.append(path)
        found = {"/realm/.well-known/openid-configuration": self.provider.discovery, "/realm/keys": self.provider.keys}
        self._answer(*((200, found[path]()) if path in found else (404, {})))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.provider.asked.append(self.path)
        self._answer(*self.provider.exchange({name: values[0] for name, values in parse_qs(body).items()}))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def serve(provider: Provider) -> ThreadingHTTPServer:
    """Listening on ``PORT``, or on any that is free where another worker of the suite has that one."""
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", PORT), handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server
