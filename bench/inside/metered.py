"""
`ogel …`, with some of its functions metered: how much processor time their own steps took, whoever called them.

    PYTHONPATH=CHECKOUT:bench/inside METERED=parts.json python -P -m metered worker webhooks

writes a JSON object to that file at each SIGUSR1: by name, how often it was called and for how many seconds of the
processor. What a function awaits of other tasks is not in it; what it awaits in its own is. A name that this version
of the code does not have is left out. It runs in the process that is measured, and imports nothing of the benchmark.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import signal
import types
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from time import thread_time_ns
from typing import Any

# What each part is; of several functions, none calls another one of them.
FUNCTIONS = {
    "observe": ("ogel.runtime.http.observe:Observed._ended",),
    "key": ("ogel.features.keys.service:KeyService.authenticate",),
    "read": ("ogel.features.events.service:EventService.get",),
    "publish": ("ogel.features.events.service:EventService.publish",),
    "publish transaction": ("ogel.features.events.publisher:Publisher._commit",),
    "fan-out": ("ogel.features.webhooks.fanout.fanout:FanOut.to_matching",),
    "outbox": ("ogel.runtime.outbox:Outbox.publish", "ogel.runtime.outbox:Outbox.publish_at_once"),
    "claim": ("ogel.runtime.jobs.leases:LeaseStore.claim", "ogel.runtime.jobs.leases:LeaseStore.claim_few"),
    "load": ("ogel.features.webhooks.sending.jobs:Deliver.load",),
    "attempt": ("ogel.features.webhooks.sending.jobs:Deliver.perform",),
    "sign": ("ogel.features.webhooks.sending.receiver:Receiver.signed",),
    "post": ("ogel.adapters.egress.client:EgressClient.post",),
    "answer": ("ogel.adapters.egress.connection:Connection.data_received",),
    "result": ("ogel.runtime.jobs.endings:EndingStore.write",),
}
APP = "ogel.serving:build_app"


class Meter:
    def __init__(self) -> None:
        self.calls = 0
        self.nanoseconds = 0

    def metered(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def stepped(*arguments: Any, **named: Any) -> Any:
                self.calls += 1
                return await self._steps(function(*arguments, **named))

            return stepped

        @functools.wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            began = thread_time_ns()
            try:
                return function(*arguments, **named)
            finally:
                self.nanoseconds += thread_time_ns() - began

        return called

    @types.coroutine
    def _steps(self, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Runs it as `await` would, and counts while it runs."""
        step = functools.partial(coroutine.send, None)
        while True:
            began = thread_time_ns()
            try:
                waited_for = step()
            except StopIteration as end:
                return end.value
            finally:
                self.nanoseconds += thread_time_ns() - began
            try:
                step = functools.partial(coroutine.send, (yield waited_for))
            except BaseException as error:  # noqa: BLE001 - a cancellation, too, is the coroutine's to answer
                step = functools.partial(coroutine.throw, error)


METERS: dict[str, Meter] = {}


def meter_all() -> None:
    for name, places in FUNCTIONS.items():
        for holder, attribute in filter(None, map(found, places)):
            meter = METERS.setdefault(name, Meter())
            setattr(holder, attribute, meter.metered(getattr(holder, attribute)))
    _meter_app()


def found(place: str) -> tuple[Any, str] | None:
    """The class or module that has it and its name there; None in a version that has no such function."""
    module, _, path = place.partition(":")
    *owners, attribute = path.split(".")
    try:
        holder = functools.reduce(getattr, owners, importlib.import_module(module))
    except (ImportError, AttributeError):
        return None
    return (holder, attribute) if hasattr(holder, attribute) else None


def _meter_app() -> None:
    """The ASGI application as a whole, and what of it is handing the answer to the server."""
    module, _, name = APP.partition(":")
    holder = importlib.import_module(module)
    build = getattr(holder, name)
    whole, sending = METERS["app"], METERS["send"] = Meter(), Meter()

    @functools.wraps(build)
    def building(*arguments: Any, **named: Any) -> Any:
        app = build(*arguments, **named)

        async def called(scope: Any, receive: Any, send: Any) -> None:
            async def handed(message: Any) -> None:
                await send(message)

            await app(scope, receive, sending.metered(handed))

        return whole.metered(called)

    setattr(holder, name, building)


def tell(*_: object) -> None:
    file = Path(os.environ["METERED"])
    known = {name: [meter.calls, meter.nanoseconds / 1e9] for name, meter in METERS.items()}
    partial = file.with_suffix(".new")
    partial.write_text(json.dumps(known))
    partial.rename(file)


if __name__ == "__main__":
    from ogel.__main__ import main

    meter_all()
    signal.signal(signal.SIGUSR1, tell)
    main()
