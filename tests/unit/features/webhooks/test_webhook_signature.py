"""Signatures against the published Standard Webhooks vectors, and against the reference library."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from ogel.features.webhooks.secrets.signature import decode_secret, new_secret, sign

VECTORS = [
    (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
    (
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        1649367553,
        b'{"email":"test@example.com","username":"test_user"}',
        "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
    ),
]


@pytest.mark.parametrize(("secret", "id", "timestamp", "body", "expected"), VECTORS)
def test_published_vectors(secret: str, id: str, timestamp: int, body: bytes, expected: str) -> None:
    assert sign(decode_secret(secret), id, timestamp, body) == expected


@given(st.text(min_size=0, max_size=200))
def test_the_reference_library_signs_the_same(text: str) -> None:
    secret = new_secret()
    moment = datetime.now(UTC).replace(microsecond=0)
    ours = sign(decode_secret(secret), "evt_1", int(moment.timestamp()), text.encode("utf-8", "replace"))
    theirs = Webhook(secret).sign("evt_1", moment, text.encode("utf-8", "replace").decode())
    assert ours == theirs


def test_secrets_are_read_with_and_without_prefix_and_padding() -> None:
    key = decode_secret("whsec_" + "QUFB" * 8)
    assert key == b"AAA" * 8
    assert decode_secret("QUFB" * 8) == key
    assert decode_secret("whsec_" + "QUFB" * 10 + "QUE") == b"AAA" * 10 + b"AA"


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_short", "whsec_" + "Q" * 200, "whsec_not base64!!" * 3]
)
def test_what_is_no_secret_is_refused_with_a_reason(secret: str) -> None:
    with pytest.raises(ValueError, match=r"has|is not"):
        decode_secret(secret)
