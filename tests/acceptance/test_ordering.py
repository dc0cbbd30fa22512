"""An endpoint that asked for order gets each subject's events one at a time and in turn; other subjects go on."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

from tests.acceptance.conftest import StartSystem
from tests.support.process import Client
from tests.support.receivers.recording import Answer, RecordingReceiver, Visit
from tests.support.steady_load import publish_many

SUBJECTS = [f"order/{n}" for n in range(5)]
EVENTS_PER_SUBJECT = 40
FAIL_SHARE = 0.2
STUCK_SECONDS = 5.0


def test_each_subject_is_in_order_in_spite_of_failures_and_two_workers(
    start_system: StartSystem, receiver: RecordingReceiver
) -> None:
    api = start_system(workers=2, retry_delays=[0.2] * 30, probe_seconds=0.5).api
    create(api, receiver, "/ordered")
    receiver.answer("/ordered", Answer(after_seconds=0.01), fail_share=FAIL_SHARE)
    published = publish_in_turn(api, SUBJECTS, EVENTS_PER_SUBJECT)
    ids = [id for subject in published.values() for id in subject]
    receiver.wait_for_ids("accepted", ids, 60, "/ordered")

    visits = receiver.visits("/ordered")
    failed = sum(not visit.accepted for visit in visits)
    assert failed > len(ids) * FAIL_SHARE / 3, "too few failures to show anything"
    for subject, wanted in published.items():
        requests = [visit for visit in visits if visit.id.startswith(f"{name_of(subject)}-")]
        assert [visit.id for visit in requests if visit.accepted] == wanted, subject
        assert_one_at_a_time(requests)
    assert most_at_once(visits) > 1, "subjects wait for each other"


def test_a_subject_that_is_stuck_holds_up_no_other(
    start_system: StartSystem, receiver: RecordingReceiver
) -> None:
    api = start_system(retry_delays=[0.2] * 9).api
    create(api, receiver, "/ordered")
    receiver.answer("/ordered", Answer(after_seconds=STUCK_SECONDS), Answer())
    stuck = publish_in_turn(api, ["order/stuck"], 3)["order/stuck"]
    receiver.wait_for_ids("events", stuck[:1], 10)
    others = [id for ids in publish_in_turn(api, SUBJECTS, 8).values() for id in ids]
    # Without a subject there is no order to keep.
    others += publish_many(api, "ordered.by_nothing", 2, "nothing")
    receiver.wait_for_ids("accepted", others, STUCK_SECONDS - 1, "/ordered")
    assert {visit.id for visit in receiver.visits("/ordered")} == {*others, stuck[0]}
    receiver.wait_for_ids("accepted", stuck, STUCK_SECONDS + 5, "/ordered")
    accepted = sorted((visit for visit in receiver.visits("/ordered")), key=lambda visit: visit.arrived)
    assert [visit.id for visit in accepted if visit.id in stuck] == stuck


def create(api: Client, receiver: RecordingReceiver, path: str) -> Any:
    wanted = {"url": receiver.url(path), "events": ["ordered.*"], "ordered_by": "subject"}
    return api.ok("POST", "/api/webhooks", wanted)


def publish_in_turn(api: Client, subjects: list[str], count: int) -> dict[str, list[str]]:
    """Ids by subject, in order: half in batches of all subjects, half one request each."""
    published: defaultdict[str, list[str]] = defaultdict(list)
    for number in range(count):
        batch = [
            {
                "type": "ordered.step",
                "data": number,
                "subject": subject,
                "id": f"{name_of(subject)}-{number:03}",
            }
            for subject in subjects
        ]
        if number < count // 2:
            api.ok("POST", "/api/events", batch)
        else:
            for event in batch:
                api.ok("POST", "/api/events", event)
        for event in batch:
            published[str(event["subject"])].append(str(event["id"]))
    return published


def name_of(subject: str) -> str:
    return subject.replace("/", "_")


def assert_one_at_a_time(requests: list[Visit]) -> None:
    for earlier, later in pairwise(requests):
        assert earlier.answered is not None and later.arrived >= earlier.answered, (
            f"{earlier} overlaps {later}"
        )


def most_at_once(visits: list[Visit]) -> int:
    changes = [(visit.arrived, 1) for visit in visits]
    changes += [(visit.answered, -1) for visit in visits if visit.answered is not None]
    now = most = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most
