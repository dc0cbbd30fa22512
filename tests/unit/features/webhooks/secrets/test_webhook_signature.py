"""Signatures against the published Standard Webhooks vectors, and against the reference library."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from ogel.features.webhooks.secrets.secret import Secret
from ogel.features.webhooks.secrets.signature import signed_content, signing_key
from tests.unit.features.webhooks.secrets.vectors import ALL, Vector


@pytest.mark.parametrize("vector", ALL)
def test_published_vectors(vector: Vector) -> None:
    key = signing_key(Secret.parse(vector.secret))
    content = signed_content(vector.id, vector.timestamp, vector.body)
    assert key.sign(content) == vector.signature
    assert key.sign(content) == vector.signature, "signing once changed the key"


@given(st.text(min_size=0, max_size=200))
def test_the_reference_library_signs_the_same(text: str) -> None:
    secret = Secret.new("v1")
    moment = datetime.now(UTC).replace(microsecond=0)
    body = text.encode("utf-8", "replace")
    ours = signing_key(secret).sign(signed_content("evt_1", int(moment.timestamp()), body))
    assert ours == Webhook(secret.text).sign("evt_1", moment, body.decode())
