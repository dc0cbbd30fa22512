"""Sealed secrets open with the same secret and purpose only."""

from __future__ import annotations

import pytest

from ogel.runtime.vault import Unsealable, Vault


def test_what_was_sealed_opens_again() -> None:
    sealed = Vault("a" * 24).seal(b"key", "webhook:1")
    assert b"key" not in sealed
    assert Vault("a" * 24).unseal(sealed, "webhook:1") == b"key"


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    vault = Vault("a" * 24)
    assert vault.seal(b"key", "x") != vault.seal(b"key", "x")


def test_another_secret_purpose_or_a_changed_byte_does_not_open() -> None:
    sealed = Vault("a" * 24).seal(b"key", "webhook:1")
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for vault, wrong, purpose in (
        (Vault("b" * 24), sealed, "webhook:1"),
        (Vault("a" * 24), sealed, "webhook:2"),
        (Vault("a" * 24), changed, "webhook:1"),
        (Vault("a" * 24), b"", "webhook:1"),
        (Vault("a" * 24), b"\x02" + sealed[1:], "webhook:1"),
    ):
        with pytest.raises(Unsealable):
            vault.unseal(wrong, purpose)
