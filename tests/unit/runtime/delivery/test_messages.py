"""What came of an attempt to send, as rows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ogel.runtime.delivery.messages import LOST, SendResult, attempts_of, state_of, tries_of
from ogel.runtime.delivery.providers import Try
from ogel.runtime.jobs.job import DONE, Finished, Job, Outcome, job_id_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FAILED = Try("twilio", "2026-03-01T12:00:00+00:00", 0.5, "busy")
TAKEN = Try("vonage", "2026-03-01T12:00:01+00:00", 0.25)


def finished(outcome: Outcome, lost: list[datetime] | None = None) -> Finished:
    payload = {"message": "msg_1"}
    job = Job(job_id_of("msg_1"), "x.send", payload, 0, "", "", 2, 8, "lease", NOW, NOW, lost)
    return Finished(job, outcome, None if outcome.verdict in ("done", "dead") else NOW)


def test_every_call_is_a_row_and_so_is_what_was_lost() -> None:
    attempt = finished(Outcome("done", value=SendResult([FAILED, TAKEN], "V1")), lost=[NOW])
    rows = [(row.message_id, row.provider, row.seconds, row.error) for row in attempts_of(attempt)]
    assert rows == [
        ("msg_1", None, None, LOST),
        ("msg_1", "twilio", 0.5, "busy"),
        ("msg_1", "vonage", 0.25, None),
    ]
    assert [row.provider for row in tries_of(attempt)] == ["twilio", "vonage"]
    assert len({row.id for row in attempts_of(attempt)}) == 3


@pytest.mark.parametrize(
    ("outcome", "status", "attempts", "error", "provider"),
    [
        (Outcome("done", value=SendResult([FAILED, TAKEN], "V1")), "sent", 2, None, "vonage"),
        (Outcome("retry", "busy", value=SendResult([FAILED])), "queued", 1, "busy", None),
        (Outcome("postpone", "nobody", value=SendResult()), "queued", 0, "nobody", None),
        (Outcome("dead", "wrong number", value=SendResult([FAILED])), "failed", 1, "wrong number", None),
        (Outcome("retry", "ours"), "queued", 0, "ours", None),
    ],
)
def test_where_a_message_stands(
    outcome: Outcome, status: str, attempts: int, error: str | None, provider: str | None
) -> None:
    stands = state_of(finished(outcome))
    assert stands is not None
    assert (stands.id, stands.status, stands.attempts, stands.error) == ("msg_1", status, attempts, error)
    assert (stands.provider, stands.next_attempt_at is None) == (provider, status != "queued")


def test_what_was_over_stands_as_it_stood() -> None:
    assert state_of(finished(DONE)) is None
