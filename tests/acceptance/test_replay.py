"""A replay ends complete, whoever dies on the way, and live deliveries do not wait for it."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.acceptance.conftest import StartSystem
from tests.support.lag import BUSY_SECONDS, QUIET_SECONDS, first_attempt_lag
from tests.support.process import Client, eventually
from tests.support.receivers.recording import RecordingReceiver
from tests.support.steady_load import Published, SteadyLoad, publish_many

LEASE_SECONDS = 3.0
LIVE_PER_SECOND = 50.0
LIVE_SECONDS = 3.0
# What had been answered this long before the kill had been written down.
WRITTEN_SECONDS = 0.5
RESTART_SECONDS = 4.0


def test_a_replay_survives_a_death_in_its_middle(
    start_system: StartSystem, receiver: RecordingReceiver
) -> None:
    replay_and_kill(start_system, receiver, 2_000, 40.0, BUSY_SECONDS, per_second=500)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_hundred_thousand_are_replayed_in_spite_of_a_death(
    start_system: StartSystem, receiver: RecordingReceiver
) -> None:
    replay_and_kill(start_system, receiver, 100_000, 300.0, QUIET_SECONDS, per_second=1000)


def replay_and_kill(
    start_system: StartSystem,
    receiver: RecordingReceiver,
    deliveries: int,
    patience_seconds: float,
    noise_seconds: float,
    **pace: int,
) -> None:
    system = start_system(workers=2, lease_seconds=LEASE_SECONDS)
    api = system.api
    since = now()
    webhook = create(api, receiver, "/replayed", "past.*")
    create(api, receiver, "/live", "live.*")
    ids = publish_many(api, "past.happened", deliveries, "past")
    receiver.wait_for_ids("accepted", ids, patience_seconds, "/replayed")
    nothing_pending(api, webhook)
    assert receiver.count("requests", "/replayed") == deliveries
    with SteadyLoad(api, ["live.happened"], LIVE_PER_SECOND, "before") as alone:
        time.sleep(LIVE_SECONDS)

    path, wanted = f"/api/webhooks/{webhook}/replay", {"since": since, "only": "all", **pace}
    assert api.ok("POST", path, {**wanted, "dry_run": True})["count"] == deliveries
    with SteadyLoad(api, ["live.happened"], LIVE_PER_SECOND, "beside") as live:
        began = time.monotonic()
        answer = api("POST", path, wanted)
        assert answer.status == 202
        receiver.wait_for("requests", deliveries + deliveries // 2, patience_seconds, "/replayed")
        system.kill("worker-1")
        killed = time.monotonic()
        system.restart("worker-1")
        # Those that come twice come in the end, when the lease of the dead worker is over.
        receiver.wait_for("requests", 2 * deliveries, patience_seconds, "/replayed")
        done = eventually(
            lambda: completed(api, answer.json["id"]), patience_seconds, "the replay to be complete"
        )
        nothing_pending(api, webhook)
    print(f"\n{deliveries} replayed in {time.monotonic() - began:.1f} s")
    assert (done["total"], done["replayed"]) == (deliveries, deliveries)
    assert done["finished_at"]
    assert_each_once_more(receiver, ids, began, killed)

    receiver.wait_for_ids("events", [event.id for event in alone.published + live.published], 20, "/live")
    visits = receiver.visits("/live")
    before = first_attempt_lag(alone.published, visits)
    beside = first_attempt_lag([each for each in live.published if not is_of_the_kill(each, killed)], visits)
    print(f"live lag before: {before}\nbeside a replay: {beside}")
    assert beside.is_no_worse_than(before, noise_seconds)


def is_of_the_kill(event: Published, killed: float) -> bool:
    """What a dead worker held waits for its lease; with that a replay has nothing to do."""
    return killed - WRITTEN_SECONDS < event.sent < killed + LEASE_SECONDS + RESTART_SECONDS


def test_only_what_is_missing_or_failed_is_replayed(
    start_system: StartSystem, receiver: RecordingReceiver
) -> None:
    api = start_system().api
    since = now()
    unheard = publish_many(api, "book.printed", 30, "unheard")
    publish_many(api, "film.shown", 5, "other")
    webhook = create(api, receiver, "/books", "book.*")
    heard = publish_many(api, "book.printed", 20, "heard")
    receiver.wait_for_ids("accepted", heard, 10, "/books")
    nothing_pending(api, webhook)

    wanted = {"since": since, "only": "failed"}
    assert api.ok("POST", f"/api/webhooks/{webhook}/replay", {**wanted, "dry_run": True})["count"] == 0
    wanted["only"] = "missing"
    assert api.ok("POST", f"/api/webhooks/{webhook}/replay", {**wanted, "dry_run": True})["count"] == 30
    assert receiver.count("requests", "/books") == 20
    replay = api.ok("POST", f"/api/webhooks/{webhook}/replay", wanted)["id"]
    receiver.wait_for_ids("accepted", unheard, 20, "/books")
    done = eventually(lambda: completed(api, replay), 10, "the replay to be complete")
    assert (done["total"], done["replayed"], done["only"]) == (30, 30, "missing")
    assert Counter(visit.id for visit in receiver.visits("/books")) == Counter(unheard + heard)


def test_a_replay_is_paused_resumed_and_cancelled(
    start_system: StartSystem, receiver: RecordingReceiver
) -> None:
    api = start_system().api
    since = now()
    webhook = create(api, receiver, "/slowly", "page.*")
    ids = publish_many(api, "page.written", 600, "page")
    receiver.wait_for_ids("accepted", ids, 20, "/slowly")
    nothing_pending(api, webhook)
    wanted = {"since": since, "only": "all", "per_second": 50}
    replay = api.ok("POST", f"/api/webhooks/{webhook}/replay", wanted)["id"]
    receiver.wait_for("requests", 620, 10, "/slowly")
    assert api.ok("POST", f"/api/replays/{replay}/pause")["status"] == "paused"
    quiet = stands_still(receiver, "/slowly")
    assert quiet < 1000, "a paused replay has gone on"
    assert api.ok("GET", f"/api/replays?webhook={webhook}&status=paused")["items"][0]["id"] == replay
    assert api.ok("POST", f"/api/replays/{replay}/resume")["status"] == "running"
    receiver.wait_for("requests", quiet + 20, 10, "/slowly")
    assert api.ok("POST", f"/api/replays/{replay}/cancel")["status"] == "cancelled"
    count = stands_still(receiver, "/slowly")
    assert count < 1200, "a cancelled replay has gone on to its end"
    shown = api.ok("GET", f"/api/replays/{replay}")
    assert shown["status"] == "cancelled"
    assert shown["replayed"] < 600
    handed_over = 600 + shown["replayed"]
    receiver.wait_for("requests", handed_over, 10, "/slowly")
    assert stands_still(receiver, "/slowly") == handed_over


def create(api: Client, receiver: RecordingReceiver, path: str, glob: str) -> str:
    wanted = {"url": receiver.url(path), "events": [glob]}
    id: str = api.ok("POST", "/api/webhooks", wanted)["id"]
    return id


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def nothing_pending(api: Client, webhook: str) -> None:
    eventually(
        lambda: not api.ok("GET", f"/api/deliveries?webhook={webhook}&status=pending")["items"],
        LEASE_SECONDS + 5,
        "every delivery to be on record as delivered",
    )


def completed(api: Client, replay: str) -> Any:
    shown = api.ok("GET", f"/api/replays/{replay}")
    assert shown["status"] in ("running", "completed")
    return shown if shown["status"] == "completed" else None


def stands_still(receiver: RecordingReceiver, path: str) -> int:
    """The number of requests, once it has not grown for a while in which 25 would have come."""
    deadline = time.monotonic() + 10
    count = -1
    while (seen := receiver.count("requests", path)) != count:
        assert time.monotonic() < deadline, "requests keep coming"
        count = seen
        time.sleep(0.5)
    return count


def assert_each_once_more(receiver: RecordingReceiver, ids: list[str], began: float, killed: float) -> None:
    """Every delivery came once before the replay and once in it; twice in it only what was in flight at the kill."""
    again = [visit for visit in receiver.visits("/replayed") if visit.arrived >= began]
    counts = Counter(visit.id for visit in again)
    assert set(counts) == set(ids)
    in_flight = {
        visit.id
        for visit in again
        if visit.arrived <= killed and (visit.answered is None or visit.answered > killed - WRITTEN_SECONDS)
    }
    twice = {id for id, count in counts.items() if count > 1}
    print(f"{len(twice)} of them twice, {len(in_flight)} may have been in flight")
    assert twice <= in_flight
    assert max(counts.values()) <= 2
