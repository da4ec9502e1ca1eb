"""Ed25519 as RFC 8032 writes it, for one signature an hour. Pure: no library has to be installed.

Not constant in time: sign only where nobody can measure it (a command, never a request). ``tools/verify_chain.py`` has
the verifying half a second time, on purpose: it must run without this project.
"""

from __future__ import annotations

import hashlib

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)  # a square root of -1
SIZE = 32
Point = tuple[int, int, int, int]  # extended coordinates X, Y, Z, T: x = X/Z, y = Y/Z, xy = T/Z


def _sum(a: Point, b: Point) -> Point:
    first = (a[1] - a[0]) * (b[1] - b[0]) % P
    second = (a[1] + a[0]) * (b[1] + b[0]) % P
    third, fourth = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = second - first, fourth - third, fourth + third, second + first
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, point: Point) -> Point:
    result: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = _sum(result, point)
        point, number = _sum(point, point), number >> 1
    return result


def _x(y: int, sign: int) -> int | None:
    """The x of a compressed point; None where there is none."""
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    if not square:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P:
        return None
    return P - x if x & 1 != sign else x


_BASE_Y = 4 * pow(5, -1, P) % P
_BASE_X = _x(_BASE_Y, 0) or 0
BASE: Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P)


def _packed(point: Point) -> bytes:
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(SIZE, "little")


def _unpacked(text: bytes) -> Point | None:
    number = int.from_bytes(text, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    x = _x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def _number(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % Q


def _expanded(seed: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    secret = int.from_bytes(digest[:SIZE], "little") & (1 << 254) - 8 | 1 << 254
    return secret, digest[SIZE:]


def public_key(seed: bytes) -> bytes:
    return _packed(_times(_expanded(seed)[0], BASE))


def sign(seed: bytes, message: bytes) -> bytes:
    """64 bytes for a seed of 32."""
    secret, prefix = _expanded(seed)
    public = _packed(_times(secret, BASE))
    nonce = _number(prefix, message)
    point = _packed(_times(nonce, BASE))
    answer = (nonce + _number(point, public, message) * secret) % Q
    return point + answer.to_bytes(SIZE, "little")


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is that of the message by the holder of the key; malformed input is False."""
    if len(public) != SIZE or len(signature) != 2 * SIZE:
        return False
    key, point = _unpacked(public), _unpacked(signature[:SIZE])
    answer = int.from_bytes(signature[SIZE:], "little")
    if key is None or point is None or answer >= Q:
        return False
    left, right = _times(answer, BASE), _sum(point, _times(_number(signature[:SIZE], public, message), key))
    return not (left[0] * right[2] - right[0] * left[2]) % P and not (left[1] * right[2] - right[1] * left[2]) % P
