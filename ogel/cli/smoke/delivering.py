"""An event, published as programs do, and its delivery, taken as `ogel listen` takes it: workers made and signed it."""

from __future__ import annotations

import time

import msgspec

from ogel.cli.smoke.asking import Deadline, Suite, read, until
from ogel.cli.smoke.leftovers import description
from ogel.cli.smoke.problem import Problem
from ogel.features.events.service import Published
from ogel.features.webhooks.listeners.handover import Handover, Handovers
from ogel.features.webhooks.secrets.verify import key_of_secret, verify

# Endpoints of others that listen to everything get it, too, and know it by this.
TYPE = "ogel.smoke"
# Nothing is ever sent there: a listener takes its requests itself.
URL = "https://smoke.invalid/"
TAKE_SECONDS, RECORD_SECONDS = 10.0, 4.0
# Of the time that is left, so that something of it is for what follows.
_TAKE_PART = 0.6
_WAIT_SECONDS = 4.0


class _Made(msgspec.Struct):
    id: str
    secret: str


class _Delivery(msgspec.Struct):
    id: str
    status: str


class _Body(msgspec.Struct):
    type: str
    data: object


class Courier:
    """One event, and the endpoint that waits for it alone."""

    def __init__(self, suite: Suite, event_id: str) -> None:
        self.event_id = event_id
        self._suite = suite
        self._data = {"sent": event_id}
        self._made: _Made | None = None

    def listen(self) -> None:
        wanted = {
            "kind": "listener",
            "url": URL,
            "events": [TYPE],
            "filter": {"id": self.event_id},
            "description": description(),
        }
        # Not again: of two, one would be nobody's, for a minute.
        answer = self._suite.ask("event", "POST", "/api/webhooks", wanted, again=False)
        self._made = read(answer, _Made, "event", self._suite.where)

    def publish(self) -> str:
        event = {"id": self.event_id, "type": TYPE, "data": self._data}
        answer = self._suite.ask("event", "POST", "/api/events", event)
        taken = read(answer, Published, "event", self._suite.where)
        if self._made is not None and taken.deliveries < 1:
            raise Problem("event", "it was taken, and is for no endpoint: fan-out does not work")
        return f"{taken.id} was taken"

    def receive(self) -> str:
        """Takes the delivery, holds it against its signature, and waits until it counts as delivered."""
        assert self._made is not None
        began, left = time.monotonic(), self._suite.deadline.left
        handover = self._taken(self._suite.deadline.within(min(TAKE_SECONDS, left * _TAKE_PART)))
        seconds = time.monotonic() - began
        answer = f"/api/webhooks/{self._made.id}/handovers/{handover.id}"
        self._suite.ask("delivery", "POST", answer, {"answered": {"status": 204}}, again=False)
        self._check(handover)
        until(self._suite.deadline.within(RECORD_SECONDS), self._recorded)
        return f"taken after {seconds * 1000:.0f} ms, signature right, delivered"

    def remove(self, suite: Suite) -> None:
        if self._made is not None:
            suite.ask("leftovers", "DELETE", f"/api/webhooks/{self._made.id}", also=(404,))

    def _taken(self, deadline: Deadline) -> Handover:
        assert self._made is not None
        path = f"/api/webhooks/{self._made.id}/handovers"
        while deadline.left:
            wait = min(_WAIT_SECONDS, deadline.left)
            answer = self._suite.ask("delivery", "POST", path, query={"wait": wait}, seconds=wait + 3.0)
            for handover in read(answer, Handovers, "delivery", self._suite.where).items:
                if handover.event == self.event_id:
                    return handover
        raise Problem("delivery", "no worker has made it in time: is the queue `webhooks` served?")

    def _check(self, handover: Handover) -> None:
        assert self._made is not None
        key = key_of_secret(self._made.secret)
        problems = verify(handover.headers, handover.body.encode(), [key], time.time())
        if problems:
            raise Problem("signature", "; ".join(problem.message for problem in problems))
        try:
            body = msgspec.json.decode(handover.body, type=_Body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Problem("delivery", f"its body is not that of an event: {error}") from error
        if (body.type, body.data) != (TYPE, self._data):
            raise Problem("delivery", "what arrived is not what was published")

    def _recorded(self) -> None:
        assert self._made is not None
        query = {"webhook": self._made.id, "event": self.event_id}
        found = self._suite.listed("delivery", "/api/deliveries", _Delivery, query)
        if not any(each.status == "delivered" for each in found):
            raise Problem("delivery", "it was taken and answered, and does not count as delivered")
