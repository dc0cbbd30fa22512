"""What an answer, or the lack of one, means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ogel.features.webhooks.sending.verdict import (
    MOST_SLOW_SECONDS,
    judge_answer,
    judge_error,
)
from ogel.runtime.egress import EgressError
from tests.support.scripted_egress import answer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "life", "reason", "slow", "final"),
    [
        (200, "up", None, False, False),
        (204, "up", None, False, False),
        (299, "up", None, False, False),
        (301, "alive", "redirect", False, False),
        (304, "alive", "redirect", False, False),
        (400, "alive", "status", False, False),
        (404, "alive", "status", False, False),
        (410, "alive", "status", False, True),
        (429, "down", "status", True, False),
        (500, "down", "status", False, False),
        (502, "down", "status", True, False),
        (503, "down", "status", True, False),
        (504, "down", "status", True, False),
    ],
)
def test_only_2xx_is_delivered(status: int, life: str, reason: str | None, slow: bool, final: bool) -> None:
    verdict = judge_answer(answer(status), NOW)
    assert (verdict.life, verdict.reason, verdict.slow, verdict.final) == (life, reason, slow, final)
    assert verdict.gone == (status == 410)


def test_a_timeout_slows_the_endpoint_and_a_refused_address_ends_the_delivery() -> None:
    assert judge_error(EgressError("timeout", "no answer")).slow
    refused = judge_error(EgressError.refused("10.0.0.1"))
    assert refused.final
    assert refused.life == "alive"  # nothing is known about the receiver, and nothing is held against it
    assert "10.0.0.1" not in (refused.detail or "")


def test_a_fault_of_ours_is_said_to_be_ours() -> None:
    assert judge_error(EgressError("dns", "no name server answers", ours=True)).ours


def test_an_endpoint_is_left_alone_as_long_as_it_asks_within_bounds() -> None:
    assert judge_answer(answer(503), NOW).slow_seconds == 1.0
    assert judge_answer(answer(429, retry_after="30"), NOW).slow_seconds == 30.0
    assert judge_answer(answer(429, retry_after="86400"), NOW).slow_seconds == MOST_SLOW_SECONDS
    assert judge_answer(answer(500, retry_after="30"), NOW).slow_seconds == 0.0
