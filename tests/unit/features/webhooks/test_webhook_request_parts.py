"""What a request is made of: its body, full or thin, and the headers that all requests to an endpoint share."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ogel.adapters.egress import AddressGuard, EgressClient
from ogel.features.webhooks.endpoints.headers import hints, seal_headers
from ogel.features.webhooks.sending.headers import prepared_headers
from ogel.features.webhooks.sending.payload import webhook_body
from ogel.kernel.event import Event
from ogel.runtime.secrets.vault import Unsealable, Vault

VAULT = Vault("a-secret-for-this-test-0123456789")
EGRESS = EgressClient(AddressGuard())
OURS = [("content-type", "application/json"), ("user-agent", "Ogel-Webhook/1.0")]


def test_a_full_payload_holds_the_publishers_own_text() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    event = Event("evt_1", "a.b", b'{"z": 1.50, "a":[ 1e2 ]}', "s", at)
    body = webhook_body(event, "full")
    assert body.endswith(b'"data":{"z": 1.50, "a":[ 1e2 ]}}')
    assert json.loads(body)["type"] == "a.b"
    assert datetime.fromisoformat(json.loads(body)["timestamp"]) == at


@pytest.mark.parametrize("subject", [None, 'quote " and \\ and \u2028 and é'])
def test_a_thin_payload_holds_none_of_it(subject: str | None) -> None:
    event = Event("evt_1", "a.b", b'{"private": 1}', subject, datetime.now(UTC))
    full, thin = (json.loads(webhook_body(event, each)) for each in ("full", "thin"))
    assert thin == {**full, "data": {"id": "evt_1", "subject": subject}}


def test_prepared_headers_go_out_whole_and_are_shown_masked() -> None:
    own = {"Authorization": "Bearer secret", "X-Tab": "a\tb"}
    prepared = prepared_headers(EGRESS, VAULT, "wh_1", seal_headers(VAULT, "wh_1", own), {})
    assert prepared.encoded == EGRESS.encode([*own.items(), *OURS])
    assert b"Bearer secret" in prepared.encoded
    assert prepared.shown == [("Authorization", "****"), ("X-Tab", "****"), *OURS]


def test_plain_headers_count_while_there_are_any() -> None:
    sealed = seal_headers(VAULT, "wh_1", {"X-New": "1"})
    assert b"X-Old" in prepared_headers(EGRESS, VAULT, "wh_1", sealed, {"X-Old": "2"}).encoded
    assert prepared_headers(EGRESS, VAULT, "wh_1", None, {}).encoded == EGRESS.encode(OURS)


def test_headers_of_one_endpoint_are_not_those_of_another() -> None:
    with pytest.raises(Unsealable):
        prepared_headers(EGRESS, VAULT, "wh_2", seal_headers(VAULT, "wh_1", {"X-A": "1"}), {})


def test_a_hint_tells_at_most_four_characters_of_many() -> None:
    shown = hints({"A": "x" * 15, "B": "Bearer 123456789", "C": "1"})
    assert shown == {"A": "****", "B": "Bear…****", "C": "****"}
