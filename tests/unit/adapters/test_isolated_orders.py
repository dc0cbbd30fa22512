"""Orders from a worker to its helper: what another wrote, or changed on the way, is none."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from rq.exceptions import NoSuchJobError

from ogel.adapters.rq_horses.order import MOST_ORDER_BYTES, PERFORM, Order, new_secret, signed

SECRET = new_secret()
PAYLOAD = {"text": "grüße \U0001f600\n", "n": 1.5, "none": None, "deep": [{"a": []}]}
ARGUMENTS = signed(SECRET, "job_1-1", 7, "trial.echo", PAYLOAD)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Order, "secret", SECRET)


def read(data: bytes, id: str = "job_1-1") -> Order:
    order = Order(id, connection=object())
    order.restore({b"data": data, b"meta": b"\x80", b"status": b"odd", b"timeout": b"never"})
    return order


def packed(arguments: Any, function: Any = PERFORM) -> bytes:
    return zlib.compress(json.dumps([function, None, arguments, {}]).encode())


def test_an_order_arrives_as_it_was_given() -> None:
    order = read(packed(ARGUMENTS))
    assert (order.number, order.kind, json.loads(order.payload)) == (7, "trial.echo", PAYLOAD)


@pytest.mark.parametrize(
    "data",
    [
        packed([8, *ARGUMENTS[1:]]),
        packed([ARGUMENTS[0], "trial.other", *ARGUMENTS[2:]]),
        packed([*ARGUMENTS[:2], json.dumps({}), ARGUMENTS[3]]),
        packed([*ARGUMENTS[:3], "0" * 64]),
        packed([*ARGUMENTS[:3], "é"]),
        packed([*ARGUMENTS[:3], None]),
        packed(signed(new_secret(), "job_1-1", 7, "trial.echo", PAYLOAD)),
        packed(signed("", "job_1-1", 7, "trial.echo", PAYLOAD)),
        packed(ARGUMENTS, "os.system"),
        packed(ARGUMENTS[:3]),
        packed({}),
        packed(None),
        zlib.compress(b"[" * 100_000),
        zlib.compress(b"7"),
        zlib.compress(b"\xff"),
        zlib.compress(b" " * (MOST_ORDER_BYTES + 1)),
        packed(ARGUMENTS)[:-5],
        json.dumps([PERFORM, None, ARGUMENTS, {}]).encode(),
        b"",
    ],
)
def test_anything_else_is_none(data: bytes) -> None:
    with pytest.raises(NoSuchJobError):
        read(data)


def test_an_order_is_good_for_its_own_job_only() -> None:
    with pytest.raises(NoSuchJobError):
        read(packed(ARGUMENTS), id="job_2-1")
