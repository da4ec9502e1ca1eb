"""Signatures and hash trees: ours, the stand-alone tool's and those of openssl agree, and nothing forged passes."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import keys, merkle
from tools import verify_chain

ORDER = 2**252 + 27742317777372353535851937790883648493  # of the group: a larger number is no second spelling
# RFC 8032, 7.1: seed, public key, message, signature.
VECTORS = [
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
    ("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"),
]  # fmt: skip


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_the_vectors_of_the_standard(seed: str, public: str, message: str, signature: str) -> None:
    key, text, signed = (bytes.fromhex(each) for each in (public, message, signature))
    ours = keys.SigningKey(bytes.fromhex(seed))
    assert (ours.public, ours.sign(text)) == (key, signed)
    for verify in (keys.verify, verify_chain.ed25519_ok):
        assert verify(key, text, signed)
        assert not verify(key, text + b"x", signed)


@pytest.mark.parametrize("verify", [keys.verify, verify_chain.ed25519_ok])
def test_no_single_bit_of_key_message_or_signature_may_differ(verify: Any) -> None:
    key = keys.SigningKey(bytes(range(32)))
    parts = [key.public, b"row 7", key.sign(b"row 7")]
    for place, part in enumerate(parts):
        for bit in range(len(part) * 8):
            flipped = bytearray(part)
            flipped[bit // 8] ^= 1 << bit % 8
            assert not verify(*parts[:place], bytes(flipped), *parts[place + 1 :]), (place, bit)


def test_what_is_no_signature_at_all_is_refused_without_an_error() -> None:
    public, signature = (bytes.fromhex(VECTORS[1][n]) for n in (1, 3))
    high = signature[:32] + (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
    for verify in (keys.verify, verify_chain.ed25519_ok):
        for bad in (b"", b"\0" * 64, b"\xff" * 64, signature[:63], signature + b"\0", high):
            assert not verify(public, b"\x72", bad)
        for key in (b"", b"\xff" * 32, public[:31], (2).to_bytes(32, "little")):
            assert not verify(key, b"\x72", signature)


def test_openssl_believes_our_signatures_and_reads_our_keys_and_we_its(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    ours, theirs, public, message, signature = (
        tmp_path / name for name in ("ours", "theirs", "public", "message", "sig")
    )
    key = keys.make_key(ours)
    message.write_bytes(secrets.token_bytes(1000))

    def run(*arguments: object) -> None:
        subprocess.run([openssl, *map(str, arguments)], check=True, capture_output=True)

    run("pkey", "-in", ours, "-pubout", "-out", public)
    assert public.read_text() == keys.public_pem(key.public)
    signature.write_bytes(key.sign(message.read_bytes()))
    run("pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", message, "-sigfile", signature)
    run("genpkey", "-algorithm", "ed25519", "-out", theirs)
    run("pkeyutl", "-sign", "-inkey", theirs, "-rawin", "-in", message, "-out", signature)
    key = keys.key_in(theirs)
    for verify in (keys.verify, verify_chain.ed25519_ok):
        assert verify(key.public, message.read_bytes(), signature.read_bytes())


def test_a_key_file_is_its_owners_alone_and_is_never_written_over(tmp_path: Path) -> None:
    from core.errors import BadInput, UsageError

    file = tmp_path / "key.pem"
    key = keys.make_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError):
        keys.make_key(file)
    assert keys.key_in(file) == key
    assert key.seed.hex() not in repr(key)
    assert keys.read_public(key.public.hex()) == keys.read_public(keys.public_pem(key.public)) == key.public
    for junk in ("", "zz", "ab" * 31, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"):
        with pytest.raises(BadInput):
            keys.read_public(junk)


hashes = st.lists(st.binary(min_size=32, max_size=32).map(bytes.hex), min_size=1, max_size=40)


@settings(max_examples=60)
@given(hashes, st.data())
def test_every_row_of_a_tree_can_be_shown_and_no_other(rows: list[str], data: Any) -> None:
    root = merkle.root(rows)
    assert verify_chain.tree_root(rows) == root
    index = data.draw(st.integers(0, len(rows) - 1))
    path = merkle.path(rows, index)
    assert merkle.root_from(rows[index], index, len(rows), path) == root
    assert verify_chain.root_by_path(rows[index], index, len(rows), path) == root
    assert merkle.root_from("5a" * 32, index, len(rows), path) != root or rows[index] == "5a" * 32
    if path:
        with pytest.raises(ValueError):
            merkle.root_from(rows[index], index, len(rows), path[:-1])
        with pytest.raises(verify_chain.Broken):
            verify_chain.root_by_path(rows[index], index, len(rows), path[:-1])
    with pytest.raises(verify_chain.Broken):
        verify_chain.root_by_path(rows[index], index, len(rows), [*path, "00" * 32])
