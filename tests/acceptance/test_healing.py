"""Endpoints that fail: slowed, disabled, brought back, and never blamed for what is our own fault."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from statistics import median
from typing import Any

import pytest

from ogel.adapters.embedded import EmbeddedServers
from tests.acceptance.conftest import StartSystem
from tests.support.contract import all_pages, delivery_of, settled
from tests.support.process import Client, eventually
from tests.support.receivers.proxy import ConnectProxy
from tests.support.receivers.recording import Answer, RecordingReceiver
from tests.support.steady_load import publish_many

DISABLE_AFTER_SECONDS = 8.0
RETRY_SECONDS = 2.0
AWAY_SECONDS = 2.0


def test_410_disables_at_once_and_an_event_says_so(
    start_system: StartSystem, receiver: RecordingReceiver
) -> None:
    api = start_system(retry_delays=[0.2] * 9).api
    receiver.answer("/gone", Answer(410))
    webhook = create(api, receiver, "/gone", "leave.*")
    create(api, receiver, "/operators", "webhook.endpoint.*")
    event = api.ok("POST", "/api/events", {"type": "leave.me", "data": 0})["id"]
    receiver.wait_for("events", 1, 10, "/operators")

    shown = api.ok("GET", f"/api/webhooks/{webhook['id']}")
    assert (shown["state"], shown["disabled_reason"]) == ("disabled", "gone")
    [told] = api.ok("GET", "/api/events?type=webhook.endpoint.disabled")["items"]
    assert told["data"].items() >= {"webhook": webhook["id"], "url": webhook["url"], "reason": "gone"}.items()
    assert [visit.id for visit in receiver.visits("/operators")] == [told["id"]]
    assert [visit.id for visit in receiver.visits("/gone")] == [event]

    api.ok("POST", "/api/events", {"type": "leave.again", "data": 0})
    sentinel = api.ok("POST", "/api/events", {"type": "webhook.endpoint.sentinel", "data": 0})["id"]
    receiver.wait_for_ids("accepted", [sentinel], 10, "/operators")
    assert receiver.count("requests", "/gone") == 1

    receiver.answer("/gone", Answer())
    api.ok("PATCH", f"/api/webhooks/{webhook['id']}", {"state": "enabled"})
    back = api.ok("POST", "/api/events", {"type": "leave.not", "data": 0})["id"]
    receiver.wait_for_ids("accepted", [back], 10, "/gone")
    shown = api.ok("GET", f"/api/webhooks/{webhook['id']}")
    assert (shown["state"], shown["disabled_reason"]) == ("enabled", None)


def test_retry_after_delays_and_never_hastens(start_system: StartSystem, receiver: RecordingReceiver) -> None:
    """One endpoint per delivery, so that no endpoint fails often enough to be slowed for that."""
    api = start_system(retry_delays=[RETRY_SECONDS] * 3).api
    later = datetime.now(UTC) + timedelta(seconds=RETRY_SECONDS + 3)
    past = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    wanted: dict[str, list[str]] = {
        "seconds": [str(round(RETRY_SECONDS + 2))] * 2,
        "date": [format_datetime(later, usegmt=True)] * 2,
        "zero": ["0"] * 12,
        "past": [past] * 12,
        "nonsense": ["soon"] * 2,
    }
    asked = [(name, value) for name, values in wanted.items() for value in values]
    for number, (name, value) in enumerate(asked):
        receiver.answer(
            f"/{name}/{number}", Answer(503 if number % 2 else 429, {"Retry-After": value}), Answer()
        )
        create(api, receiver, f"/{name}/{number}", "patience.*")
    api.ok("POST", "/api/events", {"type": "patience.please", "data": 0})
    receiver.wait_for("requests", 2 * len(asked), 30)

    gaps: dict[str, list[float]] = {name: [] for name in wanted}
    second: dict[str, list[float]] = {name: [] for name in wanted}
    for number, (name, _) in enumerate(asked):
        first, again = receiver.visits(f"/{name}/{number}")
        gaps[name].append(again.arrived - first.arrived)
        second[name].append(again.arrived)
    assert min(gaps["seconds"]) >= RETRY_SECONDS + 2
    # A date has no fraction of a second.
    as_monotonic = time.monotonic() + later.replace(microsecond=0).timestamp() - time.time()
    assert min(second["date"]) >= as_monotonic - 0.05
    # With full jitter a single gap may be short; half of many gaps are not.
    for name in ("zero", "past"):
        assert median(gaps[name]) > RETRY_SECONDS / 10, f"{name}: {gaps[name]}"


def test_nothing_but_failure_disables_with_warnings_and_can_be_undone(
    start_system: StartSystem, receiver: RecordingReceiver
) -> None:
    api = start_system(
        retry_delays=[0.2] * 20, probe_seconds=0.5, disable_after_seconds=DISABLE_AFTER_SECONDS
    ).api
    receiver.answer("/failing", Answer(500))
    webhook = create(api, receiver, "/failing", "doomed.*")
    create(api, receiver, "/operators", "webhook.endpoint.*")
    ids = publish_many(api, "doomed.happened", 5, "doomed")
    began = time.monotonic()
    receiver.wait_for("events", 4, DISABLE_AFTER_SECONDS + 10, "/operators")
    seconds = time.monotonic() - began

    assert seconds > DISABLE_AFTER_SECONDS * 0.9
    warnings = events(api, "webhook.endpoint.failing")
    assert [each["percent"] for each in warnings] == [50, 70, 90]
    for each in warnings:
        assert each["webhook"] == webhook["id"]
        assert each["url"] == webhook["url"]
        assert each["failing_since"]
        assert each["last_error"]
    [disabled] = events(api, "webhook.endpoint.disabled")
    assert disabled.items() >= {"webhook": webhook["id"], "url": webhook["url"], "reason": "failing"}.items()
    shown = api.ok("GET", f"/api/webhooks/{webhook['id']}")
    assert (shown["state"], shown["disabled_reason"]) == ("disabled", "failing")
    assert shown["health"]["failing_since"] == warnings[0]["failing_since"]

    receiver.answer("/failing", Answer())
    api.ok("PATCH", f"/api/webhooks/{webhook['id']}", {"state": "enabled"})
    ids += publish_many(api, "doomed.after_all", 5, "back")
    receiver.wait_for_ids("accepted", ids[-5:], 10, "/failing")
    shown = api.ok("GET", f"/api/webhooks/{webhook['id']}")
    assert (shown["state"], shown["disabled_reason"]) == ("enabled", None)
    eventually(lambda: healthy(api, webhook["id"]), 5, "the endpoint to be healthy")


@pytest.mark.long
def test_one_success_starts_the_count_anew(start_system: StartSystem, receiver: RecordingReceiver) -> None:
    api = start_system(
        retry_delays=[0.2] * 30, probe_seconds=0.5, disable_after_seconds=DISABLE_AFTER_SECONDS
    ).api
    receiver.answer("/shaky", Answer(500))
    webhook = create(api, receiver, "/shaky", "shaky.*")
    ids = publish_many(api, "shaky.happened", 2, "shaky")
    eventually(lambda: events(api, "webhook.endpoint.failing"), DISABLE_AFTER_SECONDS, "the first warning")
    receiver.answer("/shaky", Answer())
    receiver.wait_for_ids("accepted", ids, 10)
    eventually(lambda: events(api, "webhook.endpoint.recovered"), 5, "the good news")
    shown = eventually(lambda: healthy(api, webhook["id"]), 5, "the endpoint to be healthy")
    assert shown["state"] == "enabled"
    assert events(api, "webhook.endpoint.disabled") == []


def test_a_database_that_is_away_burns_no_attempt(
    start_system: StartSystem, receiver: RecordingReceiver, own_servers: EmbeddedServers
) -> None:
    """Each delivery has two attempts. The first fails; during the second nobody can write down how it went."""
    api = start_system(workers=1, retry_delays=[0.2], lease_seconds=3.0).api
    for number in range(20):
        receiver.answer(f"/slow/{number}", Answer(500), Answer(after_seconds=0.5))
        create(api, receiver, f"/slow/{number}", "patient.*")
    [id] = publish_many(api, "patient.happened", 1, "patient")
    receiver.wait_for("requests", 30, 20)
    own_servers.stop_postgres()
    # Until what was in flight has been answered.
    time.sleep(AWAY_SECONDS)
    own_servers.start_postgres()
    eventually(lambda: nothing_pending(api), 20, "every delivery to be on record")
    deliveries = all_pages(api, "/api/deliveries", 100, event=id)
    assert [each["status"] for each in deliveries] == ["delivered"] * 20
    assert receiver.count("accepted", "/slow/0") == 1


def test_a_proxy_that_is_away_burns_no_attempt(
    start_system: StartSystem, receiver: RecordingReceiver
) -> None:
    with ConnectProxy() as proxy:
        proxy.close()
        api = start_system(retry_delays=[0.1], proxy=proxy.url).api
        create(api, receiver, "/hook", "tunnel.*")
        [id] = publish_many(api, "tunnel.dug", 1, "tunnel")
        # Longer than both of its attempts would take.
        time.sleep(2.0)
        waiting = delivery_of(api, id)
        assert (waiting["status"], waiting["attempts"]) == ("pending", 0)
        assert receiver.count("requests") == 0
        assert healthy(api, waiting["webhook"]), "the receiver is blamed for our proxy"
        proxy.open()
        receiver.wait_for_ids("accepted", [id], 20)
        assert settled(api, id, "delivered")["attempts"] == 1
        assert proxy.targets == [f"127.0.0.1:{receiver.port}"]


def create(api: Client, receiver: RecordingReceiver, path: str, glob: str) -> Any:
    return api.ok("POST", "/api/webhooks", {"url": receiver.url(path), "events": [glob]})


def nothing_pending(api: Client) -> bool:
    """An API whose database has just come back may say 503 for a moment."""
    answer = api("GET", "/api/deliveries?status=pending")
    return answer.status == 200 and answer.json["items"] == []


def events(api: Client, type: str) -> list[Any]:
    """Their data, oldest first."""
    return [event["data"] for event in reversed(all_pages(api, "/api/events", 100, type=type))]


def healthy(api: Client, webhook: str) -> Any:
    shown = api.ok("GET", f"/api/webhooks/{webhook}")
    health = shown["health"]
    well = (health["failing_since"], health["failures_in_row"], health["next_probe_at"]) == (None, 0, None)
    return shown if well and health["state"] != "open" else None
