"""A key ring signs with every key alive at the moment, newest first."""

from __future__ import annotations

import math

from ogel.features.webhooks.secrets.keyring import KeyRing, LiveKey
from ogel.features.webhooks.secrets.secret import Secret
from ogel.features.webhooks.secrets.signature import signing_key
from tests.unit.features.webhooks.secrets.vectors import V1, V2, V3


def ring(*secrets: tuple[str, float]) -> KeyRing:
    return KeyRing([LiveKey(signing_key(Secret.parse(text)), ends_at) for text, ends_at in secrets])


def test_one_key_makes_one_signature() -> None:
    assert ring((V1.secret, math.inf)).sign(V1.timestamp + 0.9, V1.id, V1.body) == V1.signature


def test_each_live_key_signs_newest_first() -> None:
    later = V1.timestamp + 60.0
    keys = ring((V3.secret, math.inf), (V2.secret, later), (V1.secret, later))
    signatures = keys.sign(V1.timestamp, V1.id, V1.body).split(" ")
    assert (signatures[0], signatures[2]) == (V3.signature, V1.signature)
    assert signatures[1].startswith("v1,")


def test_a_key_ends_on_the_second_and_the_others_go_on() -> None:
    at = float(V1.timestamp)
    keys = ring((V3.secret, math.inf), (V2.secret, at), (V1.secret, at + 0.5))
    assert len(keys.sign(at - 0.001, V1.id, V1.body).split(" ")) == 3
    assert keys.sign(at, V1.id, V1.body) == f"{V3.signature} {V1.signature}"
    assert keys.sign(at + 0.5, V1.id, V1.body) == V3.signature


def test_the_shared_secret_is_the_newest_symmetric_one_alive() -> None:
    keys = ring((V3.secret, math.inf), (V2.secret, 10.0), (V1.secret, 20.0))
    assert keys.shared_secret(9.0) == V2.secret
    assert keys.shared_secret(10.0) == V1.secret
    assert keys.shared_secret(20.0) is None
