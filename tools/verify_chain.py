#!/usr/bin/env python3
"""Prove an exported audit log of hpcbilling without hpcbilling: one file, Python 3.9 or newer, nothing to install.

    verify_chain.py --log audit.ndjson --heads heads.ndjson --key audit-public.pem
    verify_chain.py --log audit-000000000001-000000012000.ndjson --log rest.ndjson --heads heads.ndjson --key HEX
    verify_chain.py --proof RC2027-000001.proof.json --key audit-public.pem

A log is what ``manage.py export_audit`` and ``manage.py prune --what audit`` write, heads are what is in
AUDIT_HEADS_FILE, a key is what ``manage.py audit_key`` shows (64 hexadecimal digits or PEM): get it by another way than
the files.
Exit 0: all is proven; 1: something was changed, and it is named; 2: the files cannot be read. A line of heads that is
none (cut off, spoiled) is counted and passed over: the next one is linked to the last whole one.

It shares no line with the program that wrote the log, so that one mistake is not made twice. What is checked is in
docs/audit.md of the project.
"""

import argparse
import base64
import hashlib
import json
import re
import sys

ZERO = "0" * 64
LONGEST = 64 * 1024  # bytes of a line of heads
PUBLIC = bytes.fromhex("302a300506032b6570032100")  # what stands before the 32 bytes of a public key in DER
NUMBERS = {"head": ("from", "id"), "rotation": (), "checkpoint": ("first", "id")}  # fields of a line of heads, by kind
TEXTS = {"head": ("hash", "root"), "rotation": ("new",), "checkpoint": ("hash", "archive", "sha256")}
HASHED = frozenset((
    "id", "ts", "actor", "action", "target", "status", "extra", "ip", "user_agent", "request_id", "entity_type",
    "entity_id", "changes",
))  # fmt: skip


class Broken(Exception):
    """What does not hold, in words."""


# --- Ed25519, the verifying half (RFC 8032, 5.1.7) -----------------------------
FIELD = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE = -121665 * pow(121666, FIELD - 2, FIELD) % FIELD


def _decode(data):
    """The affine point of 32 bytes, or None."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= FIELD:
        return None
    u, v = (y * y - 1) % FIELD, (CURVE * y * y + 1) % FIELD
    x = u * pow(v, 3, FIELD) * pow(u * pow(v, 7, FIELD), (FIELD - 5) // 8, FIELD) % FIELD
    if v * x * x % FIELD == (-u) % FIELD:
        x = x * pow(2, (FIELD - 1) // 4, FIELD) % FIELD
    if v * x * x % FIELD != u or (x == 0 and sign):
        return None
    return (FIELD - x if x % 2 != sign else x, y)


def _add(a, b):
    """Sum of two points in projective coordinates (X, Y, Z)."""
    x1, y1, z1 = a
    x2, y2, z2 = b
    c = z1 * z2 % FIELD
    d = c * c % FIELD
    e, f = x1 * x2 % FIELD, y1 * y2 % FIELD
    g = CURVE * e * f % FIELD
    low, high = (d - g) % FIELD, (d + g) % FIELD
    x3 = c * low * ((x1 + y1) * (x2 + y2) - e - f) % FIELD
    return x3, c * high * (f + e) % FIELD, low * high % FIELD


def _multiple(number, point):
    total = (0, 1, 1)
    for bit in bin(number)[2:]:
        total = _add(total, total)
        if bit == "1":
            total = _add(total, point)
    return total


BASE = _decode((4 * pow(5, FIELD - 2, FIELD) % FIELD).to_bytes(32, "little"))


def ed25519_ok(public, message, signature):
    """Whether 64 bytes are the signature of the message by the holder of the 32 bytes."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, nonce = _decode(public), _decode(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or nonce is None or scalar >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    left = _multiple(scalar, (*BASE, 1))
    right = _add((*nonce, 1), _multiple(challenge, (*key, 1)))
    return left[0] * right[2] % FIELD == right[0] * left[2] % FIELD and (
        left[1] * right[2] % FIELD == right[1] * left[2] % FIELD
    )


# --- reading -----------------------------------------------------------------
def _no_doubles(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def compact(value):
    """The one way in which a log writes JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def parsed(text):
    """A line as an object. Raises Broken when it is not written in the one way."""
    try:
        value = json.loads(text, object_pairs_hook=_no_doubles)
        if not isinstance(value, dict) or compact(value) != text:
            raise ValueError("it is not written as the log writes")
    except (ValueError, RecursionError) as error:
        raise Broken(f"it cannot be read: {error}") from None
    return value


def read_key(text):
    """Public key of 64 hexadecimal digits, PEM, or a file that holds one of them. Raises ValueError."""
    name = "--key"
    if not re.fullmatch(r"\s*[0-9a-fA-F]{64}\s*", text) and "-----" not in text:
        name = f"--key {text}"
        try:
            with open(text, "rb") as handle:
                text = handle.read(LONGEST).decode("latin-1")
        except OSError as error:
            raise ValueError(f"{name} cannot be read: {error.strerror}") from None
    if re.fullmatch(r"\s*[0-9a-fA-F]{64}\s*", text):
        return bytes.fromhex(text.strip())
    try:
        der = base64.b64decode(re.sub(r"-----[A-Z ]+-----|\s", "", text), validate=True)
    except ValueError:
        der = b""
    if len(der) != len(PUBLIC) + 32 or not der.startswith(PUBLIC):
        raise ValueError(f"{name} is no public key of Ed25519: give 64 hexadecimal digits, or PEM of audit_key --out")
    return der[-32:]


def identity(public):
    return hashlib.sha256(public).hexdigest()[:16]


def check_signature(line, keys, purpose="head"):
    body = {name: value for name, value in line.items() if name != "signature"}
    public = keys.get(body.get("key"))
    if public is None:
        raise Broken(f"it is signed by the key {body.get('key')}, which was not given")
    message = f"hpcbilling.audit.{purpose}.v1\n{compact(body)}".encode()
    try:
        good = ed25519_ok(public, message, bytes.fromhex(line.get("signature", "")))
    except (ValueError, TypeError):
        good = False
    if not good:
        raise Broken("its signature is wrong")


# --- the log -----------------------------------------------------------------
def check_row(row, expected, previous):
    """The row is the next one, and hashes to what it says. Raises Broken."""
    if row.keys() != HASHED | {"prev_hash", "hash"}:
        raise Broken("it has other fields than a row of the log")
    if row["id"] != expected or isinstance(row["id"], bool):
        raise Broken(f"row #{expected} is missing (this one is #{row['id']})")
    if previous is not None and row["prev_hash"] != previous:
        raise Broken("its previous hash is not the hash of the row before")
    text = compact({name: row[name] for name in HASHED})
    if hashlib.sha256(f"{row['prev_hash']}\n{text}".encode()).hexdigest() != row["hash"]:
        raise Broken("its content does not match its hash")


class Log:
    """Walks the lines of one or more files. ``first_bad`` is the number of the row at which it broke."""

    def __init__(self, start=0, start_hash=ZERO):
        self.first, self.last, self.hash, self.rows, self.first_bad = start + 1, start, start_hash, 0, None
        self.tree = []

    def walk(self, lines, wanted=()):
        """``wanted``: heads by their last row, whose hash and tree must be those of the log."""
        for raw in lines:
            try:
                text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
                if not text.endswith("\n"):
                    raise Broken("its line is cut off")
                row = parsed(text[:-1])
                check_row(row, self.last + 1, self.hash)
                self.last, self.hash, self.rows = row["id"], row["hash"], self.rows + 1
                if wanted:
                    self.tree.append(row["hash"])
                    self._at_head(wanted)
            except (Broken, UnicodeDecodeError) as error:
                self.first_bad = self.first_bad or self.last + 1
                raise Broken(f"row #{self.first_bad}: {error}") from None

    def _at_head(self, wanted):
        head = wanted.get(self.last)
        if head is None:
            return
        if head["hash"] != self.hash:
            self.first_bad = self.last
            raise Broken("its hash is not the one that was signed")
        if head["from"] == self.last - len(self.tree) + 1 and head["root"] != tree_root(self.tree):
            self.first_bad = head["from"]
            raise Broken("the rows are not those under the signed head")
        self.tree = []


# --- hash trees (RFC 6962, 2.1) ------------------------------------------------
def tree_root(hashes):
    if not hashes:
        return hashlib.sha256(b"").hexdigest()
    level = [hashlib.sha256(b"\0" + bytes.fromhex(each)).digest() for each in hashes]
    while len(level) > 1:  # an odd one at the end goes up as it is, which is the tree of RFC 6962
        pairs = [hashlib.sha256(b"\1" + a + b).digest() for a, b in zip(level[::2], level[1::2])]  # noqa: B905
        level = pairs + ([level[-1]] if len(level) % 2 else [])
    return level[0].hex()


def root_by_path(row_hash, index, size, path):
    """The root that the hashes beside the way lead to. Raises Broken when there are too many or too few."""
    here, rest = hashlib.sha256(b"\0" + bytes.fromhex(row_hash)).digest(), list(path)
    last = size - 1
    if not 0 <= index <= last:
        raise Broken("the row is not in the tree")
    while last:
        if index % 2 or index < last:
            if not rest:
                raise Broken("the path is too short")
            beside = bytes.fromhex(rest.pop(0))
            here = hashlib.sha256(b"\1" + (beside + here if index % 2 else here + beside)).digest()
        index, last = index // 2, last // 2
    if rest:
        raise Broken("the path is too long")
    return here.hex()


# --- heads and proofs ----------------------------------------------------------
def head_lines(handle):
    """Number and content of each line that is not empty; of one that is too long, its beginning."""
    number = 0
    while True:
        raw = rest = handle.readline(LONGEST + 1)
        if not raw:
            return
        number += 1
        while len(rest) > LONGEST and rest[-1:] != b"\n":
            rest = handle.readline(LONGEST + 1)
        content = re.sub(rb"\r?\n\Z", b"", raw)
        if content:
            yield number, content


def head_of(raw):
    """The line as an object, or None: it is damaged."""
    try:
        line = parsed(raw.decode("utf-8")) if len(raw) <= LONGEST else {}
        kind = line.get("kind")
        texts = TEXTS[kind] + ("prev", "at", "algorithm", "key", "signature")
        good = all(isinstance(line.get(name), str) for name in texts) and all(
            isinstance(line.get(name), int) for name in NUMBERS[kind]
        )
    except (Broken, UnicodeDecodeError, KeyError, TypeError):
        return None
    for value in line.values():
        whole = isinstance(value, int) and not isinstance(value, bool) and -(2**63) < value < 2**63
        good = good and (whole or isinstance(value, str))
    if kind == "rotation" and not re.fullmatch("[0-9a-f]{64}", line["new"] if good else ""):
        return None
    return line if good else None


def read_heads(handle, keys):
    """Heads by their last row, checkpoints, and how many lines are damaged. Raises Broken."""
    heads, checkpoints, previous, damaged, keys = {}, [], ZERO, 0, dict(keys)
    for number, raw in head_lines(handle):
        line = head_of(raw)
        if line is None:
            damaged += 1
            continue
        check_link(number, line, previous, keys)
        previous = hashlib.sha256(raw).hexdigest()
        if line["kind"] == "rotation":
            new = bytes.fromhex(line["new"])
            keys[identity(new)] = new
        elif line["kind"] == "checkpoint":
            checkpoints.append(line)
        elif line["id"] >= line["from"]:
            heads[line["id"]] = line
    if previous == ZERO:
        raise Broken(f"heads: no signed line is in the file, {told(damaged)}: it was spoiled or is another one")
    return heads, checkpoints, damaged


def check_link(number, line, previous, keys):
    try:
        if line["prev"] != previous:
            raise Broken("it does not follow the line before: lines are missing or changed")
        check_signature(line, keys)
    except Broken as error:
        raise Broken(f"heads, line {number}: {error}") from None


def told(number):
    return "1 damaged line is" if number == 1 else f"{number} damaged lines are"


def verify_log(files, heads_name, keys):
    """Report in words. Raises Broken."""
    heads, checkpoints, damaged = {}, [], 0
    if heads_name:
        with open(heads_name, "rb") as handle:
            heads, checkpoints, damaged = read_heads(handle, keys)
    first = _first_id(files[0])
    before = next((c for c in checkpoints if c["id"] == first - 1), None)
    if first != 1 and before is None:
        raise Broken(
            f"row #1: rows #1 to #{first - 1} are missing, and no signed checkpoint says that they were archived"
        )
    log = Log(first - 1, before["hash"] if before else ZERO)
    for name in files:
        with open(name, "rb") as handle:
            log.walk(handle, heads)
    newest = max(heads, default=0)
    if newest > log.last:
        raise Broken(f"row #{log.last + 1}: rows up to the signed #{newest} are missing")
    words = f"rows #{first} to #{log.last} are whole, head {log.hash}"
    if not heads_name:
        return f"{words}; without signed heads nothing shows that the end was not cut off"
    passed = f"; {told(damaged)} passed over" if damaged else ""
    return f"{words}; signed up to #{newest}, {log.last - newest} after it{passed}"


def _first_id(name):
    with open(name, "rb") as handle:
        line = handle.readline()
    try:
        return int(json.loads(line)["id"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return 1


def verify_proof(text, keys):
    """Report in words. Raises Broken."""
    try:
        proof = json.loads(text, object_pairs_hook=_no_doubles)
        row, head, document = proof["row"], proof["head"], proof["document"]
        check_signature(head, keys)
        if head["kind"] != "head" or not head["from"] <= proof["id"] <= head["id"]:
            raise Broken("the entry is not under this head")
        size = head["id"] - head["from"] + 1
        if root_by_path(proof["hash"], proof["id"] - head["from"], size, proof["path"]) != head["root"]:
            raise Broken("the path does not lead to the signed head")
        under = f"entry #{proof['id']} is under the head #{head['id']} signed {head['at']} by the key {head['key']}"
        if row is None:
            return f"{under}; what the entry says is not in this proof"
        check_row(row, proof["id"], None)
        if row["hash"] != proof["hash"]:
            raise Broken("the entry is another one")
        if row["extra"].get("digest") != document["digest"] or row["extra"].get("number") != document["number"]:
            raise Broken("the entry is about another document")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Broken(f"it is no proof: {error!r}") from None
    return f"document {document['number']} with the hash {document['digest']} was issued {row['ts']}; {under}"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--log", action="append", metavar="FILE", help="exported log; several in their order")
    parser.add_argument("--heads", metavar="FILE", help="the file of signed heads")
    parser.add_argument("--proof", metavar="FILE", help="the proof of one document")
    parser.add_argument("--key", action="append", default=[], metavar="HEX|FILE", help="a public key that you trust")
    options = parser.parse_args(arguments)
    if bool(options.log) == bool(options.proof) or ((options.heads or options.proof) and not options.key):
        parser.error("give --log or --proof, and a --key for whatever is signed")
    try:
        keys = {identity(key): key for key in map(read_key, options.key)}
        if options.proof:
            with open(options.proof, encoding="utf-8") as handle:
                print("OK:", verify_proof(handle.read(), keys))
            return 0
        print("OK:", verify_log(options.log, options.heads, keys))
    except Broken as error:
        print("BROKEN:", error)
        return 1
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
