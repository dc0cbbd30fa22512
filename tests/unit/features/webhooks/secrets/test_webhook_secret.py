"""Secrets as people hold them: read strictly, shown as they were, and never in a log by accident."""

from __future__ import annotations

import base64

import pytest

from ogel.features.webhooks.secrets.secret import Secret, Signing, parse_public_key
from tests.unit.features.webhooks.secrets.vectors import V1, V3, V3_PUBLIC


def test_secrets_are_read_with_and_without_prefix_and_padding() -> None:
    secret = Secret.parse("whsec_" + "QUFB" * 8)
    assert (secret.signing, secret.material) == ("v1", b"AAA" * 8)
    assert Secret.parse("QUFB" * 8) == secret
    assert Secret.parse("whsec_" + "QUFB" * 10 + "QUE").material == b"AAA" * 10 + b"AA"


@pytest.mark.parametrize("text", [V1.secret, V3.secret])
def test_what_is_read_is_shown_the_same(text: str) -> None:
    assert Secret.parse(text).text == text


def test_an_asymmetric_secret_shows_its_public_half() -> None:
    secret = Secret.parse(V3.secret)
    assert (secret.signing, secret.public_key) == ("v1a", V3_PUBLIC)
    assert parse_public_key(V3_PUBLIC) == secret.material[32:]
    assert Secret.parse(V1.secret).public_key is None


@pytest.mark.parametrize(("signing", "prefix", "size"), [("v1", "whsec_", 32), ("v1a", "whsk_", 64)])
def test_new_secrets_are_random_and_read_again(signing: Signing, prefix: str, size: int) -> None:
    secret, other = Secret.new(signing), Secret.new(signing)
    assert secret != other
    assert secret.text.startswith(prefix)
    assert len(secret.material) == size
    assert Secret.parse(secret.text, signing) == secret


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has 0 bytes"),
        ("whsec_", "has 0 bytes"),
        ("whsec_abcd", "has 3 bytes"),
        ("whsec_QUFB" + "QUFB" * 6 + "Q", "is not base64"),
        ("whsec_" + base64.b64encode(b"x" * 23).decode(), "has 23 bytes"),
        ("whsec_" + base64.b64encode(b"x" * 65).decode(), "has 65 bytes"),
        ("whsec_not base64!!" * 3, "is not base64"),
        ("whsec_" + "é" * 32, "is not base64"),
        ("whsk_" + base64.b64encode(b"x" * 32).decode(), "has 32 bytes; an Ed25519 secret has 64"),
        ("whsk_" + base64.b64encode(b"x" * 64).decode(), "is not its seed's"),
        ("whpk_" + base64.b64encode(b"x" * 32).decode(), "is not base64"),
    ],
)
def test_what_is_no_secret_is_refused_with_a_reason(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Secret.parse(text)


def test_a_secret_for_the_other_signature_is_refused() -> None:
    with pytest.raises(ValueError, match="whsk_"):
        Secret.parse(V1.secret, "v1a")
    with pytest.raises(ValueError, match="whsec_"):
        Secret.parse(V3.secret, "v1")


@pytest.mark.parametrize(
    "text", ["", "whpk_", V3.secret, V3_PUBLIC[:-5], V3_PUBLIC[5:], "whpk_!" + V3_PUBLIC[6:]]
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"does not begin|has|is not base64"):
        parse_public_key(text)


@pytest.mark.parametrize("text", [V1.secret, V3.secret])
def test_neither_a_hint_nor_a_repr_tells_a_secret(text: str) -> None:
    secret = Secret.parse(text)
    assert secret.hint == f"{text.partition('_')[0]}_…{text.rstrip('=')[-4:]}"
    assert str(secret.material) not in repr(secret)
    assert text[6:30] not in repr(secret)
