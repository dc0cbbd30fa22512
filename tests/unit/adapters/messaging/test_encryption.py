"""RFC 8291, by its own example (section 5 and appendix A), and by what a browser would make of others."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from ogel.adapters.messaging.encryption import encrypt
from ogel.runtime.messaging import MOST_PUSH_BYTES
from tests.support.carriers import Browser, point, unbase64url

PLAIN = b"When I grow up, I want to be a watermelon"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
BROWSER = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
SECRET, SALT = "BTBZMqHH6r4Tts7J_aSIgg", "DGv6ra1nlYgDCS1FRnbzlw"
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
    "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_the_example_of_the_rfc() -> None:
    sender = ec.derive_private_key(int.from_bytes(unbase64url(SENDER), "big"), ec.SECP256R1())
    sealed = encrypt(PLAIN, unbase64url(BROWSER), unbase64url(SECRET), sender, unbase64url(SALT))
    assert base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() == SEALED


@settings(max_examples=30, deadline=None)
@given(plain=st.binary(max_size=MOST_PUSH_BYTES), secret=st.binary(min_size=16, max_size=16))
def test_the_browser_reads_what_was_encrypted_for_it(plain: bytes, secret: bytes) -> None:
    browser = Browser(secret=secret)
    sealed = encrypt(plain, point(browser.key), secret)
    assert len(sealed) <= 4096
    assert browser.decrypt(sealed) == plain


def test_no_two_messages_share_key_or_salt() -> None:
    browser = Browser()
    first, second = (encrypt(PLAIN, point(browser.key), browser.secret) for _ in range(2))
    assert first[:16] != second[:16] and first[21:86] != second[21:86]


def test_the_longest_fills_a_record() -> None:
    browser = Browser()
    assert len(encrypt(bytes(MOST_PUSH_BYTES), point(browser.key), browser.secret)) == 4096


def test_a_key_off_the_curve_is_refused() -> None:
    with pytest.raises(ValueError, match=r".+"):
        encrypt(PLAIN, b"\x04" + bytes(64), bytes(16))
