"""The manifest: what a feature brings to the platform. `platform/features.py` lists the features, nothing scans."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from ogel.kernel.principal import Kind
    from ogel.runtime.alerts import AlertRule, TakeSamples
    from ogel.runtime.http.admission import Watch
    from ogel.runtime.http.credentials import Authenticate
    from ogel.runtime.http.dialect import Dialect
    from ogel.runtime.http.health import Probe
    from ogel.runtime.http.route import Route, Stream
    from ogel.runtime.jobs.kind import JobKind
    from ogel.runtime.outbox import Subscriber
    from ogel.runtime.purge import Purge
    from ogel.runtime.schedule.schedule import Schedule
    from ogel.runtime.secrets.sealed import SealedColumn

# Sets gauges from the database. Called when Prometheus scrapes, at a limited rate.
Measure = Callable[[], Awaitable[None]]
# Returns the largest value since the last call.
TakePeak = Callable[[], int]
# The processes that run a background service.
Where = Literal["everywhere", "api", "realtime", "worker", "scheduler"]


class BackgroundService(Struct, frozen=True):
    """
    run      goes on until the event is set, and returns soon after.
    where    the role of the processes that run it.
    at_last  called when everything else of the process has ended, and the database is still connected.
    """

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]
    where: Where = "everywhere"
    at_last: Callable[[], Awaitable[None]] | None = None


class Feature(Struct, frozen=True, eq=False):
    """
    What is over HTTP:
    name            the folder's name, also the OpenAPI tag.
    routes          JSON over HTTP: a function that imports them, for processes that serve them.
    process_routes  likewise, of every process and not of the API alone.
    streams         ways in that go on, for processes with the role `realtime`.
    dialects        prefixes that speak as clients of other products expect; a function that imports them, for the API.
    scopes          what keys may be allowed, each with what it allows: `{"webhooks:read": "look at endpoints"}`.
    authenticators  who is behind a credential, by its kind.
    watches         by kind of principal, what knows when one of them ends.

    What happens later:
    jobs            what workers perform.
    schedules       what the scheduler enqueues.
    subscribers     called inside the publishing transaction for each batch of new events, by the queue they fill.
    services        what runs beside requests and jobs.
    events          types of the events it publishes itself, each with when; users' events cannot have them.
    purges          what it forgets after a time; cleanup runs them, each by a schedule `cleanup.<name>`.

    What it holds:
    tables          those it owns: no other feature's SQL names them.
    sealed          columns that hold what the vault sealed, for `ogel secrets`.
    left_out        tables that backups leave out, with the reason; all others are in them.
    restored        statements that make sense of rows in a restored database: what was under way when they were copied.
    settings        its section, of `features/<name>/settings.py`.

    How it does:
    probes          what it leans on, for the health of processes that have built it.
    gauges          numbers that the database knows, for /metrics of processes that have built it.
    samples         numbers taken every few minutes, to be looked at and for `alerts` to be held against.
    peaks           by metric of usage, the most there was.

    offers          its services, for commands and tests that call them in process.
    """

    name: str
    routes: Callable[[], Sequence[Route]] = tuple
    process_routes: Callable[[], Sequence[Route]] = tuple
    streams: Callable[[], Sequence[Stream]] = tuple
    dialects: Callable[[], Sequence[Dialect]] = tuple
    scopes: Mapping[str, str] = {}
    authenticators: Mapping[str, Authenticate] = {}
    watches: Mapping[Kind, Watch] = {}
    jobs: Sequence[JobKind] = ()
    schedules: Sequence[Schedule] = ()
    subscribers: Mapping[str, Subscriber] = {}
    services: Sequence[BackgroundService] = ()
    events: Mapping[str, str] = {}
    purges: Sequence[Purge] = ()
    tables: Sequence[str] = ()
    sealed: Sequence[SealedColumn] = ()
    left_out: Mapping[str, str] = {}
    restored: Sequence[bytes] = ()
    settings: Any = None
    probes: Sequence[Probe] = ()
    gauges: Sequence[Measure] = ()
    samples: Sequence[TakeSamples] = ()
    alerts: Sequence[AlertRule] = ()
    peaks: Mapping[str, TakePeak] = {}
    offers: Any = None

    def __repr__(self) -> str:
        return f"Feature({self.name!r})"

    def brings(self, what: str) -> bool:
        """Whether the field of that name is filled."""
        value = getattr(self, what)
        return value is not tuple and bool(value)
