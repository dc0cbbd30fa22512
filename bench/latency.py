"""Latency: from an event to its request, and of the API itself, under a steady load."""

from __future__ import annotations

import uvloop

from bench import receiver
from bench.figures import Figure, latencies
from bench.load import Call, in_another_process
from bench.receiver import Arrivals
from bench.world import cpu_seconds, create_webhook, pid_of
from tests.support.process import Ogel, eventually

RECEIVER_SECONDS = 0.05
ARRIVAL_DEADLINE_SECONDS = 60.0
EVENTS_PER_SECOND = 200.0
REQUESTS_PER_SECOND = 300.0
PATH = "/hook"


def event_to_request(name: str, api: Ogel, seconds: float) -> list[Figure]:
    """
    The commit lies between `sent` and `answered`, so the truth lies between the two: counted from the start of the
    publishing request it includes the API's own work and the commit, and is what a publisher would call the delay.
    """
    cpu_before = cpu_seconds(pid_of(api))
    calls, arrivals = loaded(api, EVENTS_PER_SECOND, seconds)
    cpu = cpu_seconds(pid_of(api)) - cpu_before
    from_start = [arrivals[call.id] - call.sent for call in calls]
    from_answer = [arrivals[call.id] - call.answered for call in calls]
    return [
        *latencies(f"{name}, from publish sent to request in", from_start, p99_at_most=50),
        *latencies(f"{name}, from publish answered to request in", from_answer),
        Figure(f"{name}, CPU of the publishing process for each", cpu / len(calls) * 1e6, "µs"),
    ]


def api_latency(name: str, api: Ogel, seconds: float) -> list[Figure]:
    """Half of the requests read an event by its id, half publish one that is delivered."""
    cpu_before = cpu_seconds(pid_of(api))
    calls, _ = loaded(api, REQUESTS_PER_SECOND, seconds, reads=0.5)
    cpu = cpu_seconds(pid_of(api)) - cpu_before
    figures = [Figure(f"{name}, CPU of the process for each", cpu / len(calls) * 1e6, "µs")]
    for kind, what in (("read", "read an event by id"), ("publish", "publish an event")):
        waits = [call.answered - call.asked for call in calls if call.kind == kind]
        figures += latencies(f"{name}, {what}", waits, p99_at_most=20)
    return figures


def loaded(
    api: Ogel,
    rate: float,
    seconds: float,
    reads: float = 0.0,
    receiver_seconds: float = RECEIVER_SECONDS,
) -> tuple[list[Call], dict[str, float]]:
    """Every call, and when each event's first request came in, by its id."""
    with receiver.running(receiver_seconds, stamps=True) as port:
        webhook = create_webhook(api, port, path=PATH)
        calls = uvloop.run(in_another_process(api.port, rate, seconds, reads))
        wanted = {f"{PATH} {call.id}" for call in calls}
        arrivals = arrived(port, wanted, ARRIVAL_DEADLINE_SECONDS)
        api.api.ok("DELETE", f"/api/webhooks/{webhook['id']}")
    return calls, {name.partition(" ")[2]: at for name, at in arrivals.first.items()}


def arrived(port: int, wanted: set[str], seconds: float) -> Arrivals:
    """Once each of those, a path and an id, has come in."""
    found = Arrivals()

    def all_there() -> bool:
        nonlocal found
        found = Arrivals.at(port)
        return wanted <= found.first.keys()

    eventually(all_there, seconds, "every event to arrive")
    return found
