"""Sealed secrets open with the secret and purpose they were sealed for, former secrets included, and no other."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ogel.runtime.secrets.vault import Unsealable, Vault

SECRET, OTHER, THIRD = "a" * 24, "b" * 24, "c" * 24


def version_1(secret: str, plain: bytes, purpose: str) -> bytes:
    """As the first version of Ogel sealed, written down independently."""
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"ogel vault v1").derive(secret.encode())
    nonce = os.urandom(12)
    return b"\x01" + nonce + AESGCM(key).encrypt(nonce, plain, purpose.encode())


def test_what_was_sealed_opens_again() -> None:
    sealed = Vault(SECRET).seal(b"key", "webhook:1")
    assert b"key" not in sealed
    assert Vault(SECRET).unseal(sealed, "webhook:1") == b"key"


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    vault = Vault(SECRET)
    assert vault.seal(b"key", "x") != vault.seal(b"key", "x")


def test_sealed_bytes_name_their_key() -> None:
    vault = Vault(SECRET)
    assert vault.seal(b"key", "x").startswith(b"\x02" + vault.key_ids[0])
    assert len(vault.key_ids[0]) == 4
    assert vault.key_ids == Vault(SECRET).key_ids != Vault(OTHER).key_ids


def test_former_secrets_open_and_seal_nothing() -> None:
    old, new = Vault(OTHER), Vault(SECRET, [THIRD, OTHER])
    assert new.unseal(old.seal(b"key", "x"), "x") == b"key"
    assert new.seal(b"key", "x").startswith(Vault(SECRET).header)
    assert new.key_ids == [Vault(secret).key_ids[0] for secret in (SECRET, THIRD, OTHER)]
    with pytest.raises(Unsealable):
        old.unseal(new.seal(b"key", "x"), "x")


def test_a_secret_that_is_also_a_former_one_still_seals() -> None:
    vault = Vault(SECRET, [OTHER, SECRET])
    assert vault.header == Vault(SECRET).header
    assert len(vault.key_ids) == 2


@pytest.mark.parametrize("former", [[], [OTHER]])
def test_version_1_opens_under_any_known_secret(former: list[str]) -> None:
    sealed = version_1(former[0] if former else SECRET, b"key", "webhook:1")
    assert Vault(SECRET, former).unseal(sealed, "webhook:1") == b"key"
    with pytest.raises(Unsealable):
        Vault(THIRD).unseal(sealed, "webhook:1")
    with pytest.raises(Unsealable):
        Vault(SECRET, former).unseal(sealed, "webhook:2")


def test_resealing_changes_the_key_and_not_the_secret() -> None:
    new = Vault(SECRET, [OTHER])
    for sealed in (Vault(OTHER).seal(b"key", "x"), version_1(OTHER, b"key", "x")):
        again = new.reseal(sealed, "x")
        assert again.startswith(Vault(SECRET).header)
        assert Vault(SECRET).unseal(again, "x") == b"key"
    with pytest.raises(Unsealable):
        new.reseal(Vault(THIRD).seal(b"key", "x"), "x")


def test_another_secret_purpose_or_a_changed_byte_does_not_open() -> None:
    vault = Vault(SECRET)
    sealed = vault.seal(b"key", "webhook:1")
    for wrong in (
        *(sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :] for n in range(len(sealed))),
        *(sealed[:n] for n in range(len(sealed))),
        b"\x01" + sealed[1:],
        b"\x03" + sealed[1:],
    ):
        with pytest.raises(Unsealable):
            vault.unseal(wrong, "webhook:1")
    with pytest.raises(Unsealable):
        vault.unseal(sealed, "webhook:2")
    with pytest.raises(Unsealable, match=vault.key_ids[0].hex()):
        Vault(OTHER).unseal(sealed, "webhook:1")


def test_what_cannot_be_opened_says_why_and_what_to_do() -> None:
    lost, present = Vault("l" * 24), Vault("p" * 24)
    with pytest.raises(Unsealable) as caught:
        present.open(lost.seal(b"plain", "a"), "a")
    assert str(caught.value).startswith(
        f"sealed under another OGEL_SECRET (its key is {lost.key_ids[0].hex()},"
    )
    assert present.key_ids[0].hex() in str(caught.value)
    assert "OGEL_SECRET_OLD" in str(caught.value)
    with pytest.raises(Unsealable, match="or changed since: put that one into OGEL_SECRET_OLD"):
        present.open(present.seal(b"plain", "a"), "b")
