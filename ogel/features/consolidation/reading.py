"""What Railway tells of a project, each thing read once, and what it did not tell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ogel.features.consolidation.evidence import quoted
from ogel.features.consolidation.kinds import MARKS, Kind
from ogel.features.consolidation.patience import Patience
from ogel.features.consolidation.recognition import marks_of, recognise
from ogel.features.consolidation.seen import Referrer, Seen
from ogel.features.consolidation.use import requests
from ogel.features.consolidation.use.logs import LogReader, Logs
from ogel.features.consolidation.use.measures import MEASUREMENTS, Measures, measures_of
from ogel.features.consolidation.use.references import referrers
from ogel.runtime.railway import Instance, Project, Railway, RailwayError

MAX_SERVICES = 200
_GATEWAYS: Collection[Kind] = ("kong", "envoy", "nginx")
Got = TypeVar("Got")


class Question(Struct, frozen=True):
    """
    days         how far back logs and metrics are looked at.
    look_inside  sign in to databases and stores, with what the project's variables hold.
    inside       this process is in the private network of that project and environment.
    """

    project_id: str
    environment_id: str
    days: float = 7.0
    look_inside: bool = False
    inside: bool = False


class ProjectReading:
    """`unseen` is what it did not tell, a sentence each; it grows while others ask."""

    def __init__(
        self,
        railway: Railway,
        question: Question,
        project: Project,
        instances: Sequence[Instance],
        now: datetime,
    ) -> None:
        self.question = question
        self.now = now
        self.instances = instances[:MAX_SERVICES]
        self.variables: dict[str, Mapping[str, str]] = {}
        self.measures: Mapping[str, Measures] = {}
        self.unseen: list[str] = []
        self._railway = railway
        self._project = project
        self._shared: Mapping[str, str] = {}
        self._logs: dict[str, Logs] = {}
        self._patience = Patience()
        if len(instances) > MAX_SERVICES:
            self.unseen.append(f"{len(instances) - MAX_SERVICES} services more: {MAX_SERVICES} are looked at")

    async def read(self, said: Callable[[float, str], None]) -> None:
        said(0.1, "reading variables")
        await asyncio.gather(*(self._read_variables(each) for each in self.instances), self._read_shared())
        # Who a service is by its variables decides whether its logs are worth the requests.
        wanted = [each for each in self.instances if self._is_worth_logs(each)]
        said(0.3, f"reading metrics, and logs of {len(wanted)} services")
        await asyncio.gather(self._read_metrics(), *(self._read_logs(each) for each in wanted))

    async def rendered(self, instance: Instance) -> Mapping[str, str]:
        """Variables with what references stand for; empty where they cannot be read."""
        return (
            await self._variables(instance.service_id, f"variables of {quoted(instance.name)}", rendered=True)
            or {}
        )

    async def requests_of(self, instance: Instance, kind: Kind) -> Sequence[requests.Requests]:
        if MARKS[kind].audited and instance.service_id not in self._logs:
            await self._read_logs(instance)  # only its answers have told what it is
        logs, found = self._logs.get(instance.service_id, Logs()), []
        if logs.edge is not None:
            found.append(
                requests.of_edge(logs.edge, kind, instance.healthcheck_path, complete=logs.edge_complete)
            )
        if logs.own is not None:
            variables = self.variables.get(instance.service_id)
            found.append(
                requests.of_own_log(
                    logs.own,
                    kind,
                    instance.healthcheck_path,
                    complete=logs.own_complete,
                    logs_all=variables is not None and requests.logs_requests(kind, variables),
                )
            )
        for gateway in self.instances:
            edge = self._logs.get(gateway.service_id, Logs())
            if gateway is not instance and edge.edge and kind in requests.BEHIND.values():
                passed = requests.through_gateway(edge.edge, gateway.name, kind, complete=edge.edge_complete)
                found += [passed] if passed is not None else []
        return found

    def with_referrers(self, seen: Sequence[Seen]) -> Sequence[Seen]:
        """Where some variables could not be read, those that were found count, and none are not none."""
        found = referrers(self.instances, self.variables, self._shared)
        kinds = {each.service.service_id: each.kind for each in seen}
        complete = len(self.variables) == len(self.instances)

        def of(one: Seen) -> Sequence[Referrer] | None:
            known = [Referrer(each, kinds[each.by_id]) for each in found[one.service.service_id]]
            return known if known or complete else None

        return [replace(each, referrers=of(each)) for each in seen]

    def _is_worth_logs(self, instance: Instance) -> bool:
        kind = recognise(marks_of(instance, self.variables.get(instance.service_id, {}))).kind
        return MARKS[kind].audited or kind in _GATEWAYS

    async def _read_variables(self, instance: Instance) -> None:
        found = await self._variables(instance.service_id, f"variables of {quoted(instance.name)}")
        if found is not None:
            self.variables[instance.service_id] = found

    async def _read_shared(self) -> None:
        self._shared = await self._variables(None, "shared variables") or {}

    async def _variables(
        self, service_id: str | None, what: str, *, rendered: bool = False
    ) -> Mapping[str, str] | None:
        """As they were written, unless they are to be `rendered`."""
        question = self.question
        return await self._told(
            lambda: self._railway.variables(
                question.project_id, question.environment_id, service_id, rendered=rendered
            ),
            what,
        )

    async def _read_metrics(self) -> None:
        since = self.now - timedelta(days=self.question.days)
        environment_id = self.question.environment_id
        series = await self._told(
            lambda: self._railway.metrics(environment_id, MEASUREMENTS, since=since, until=self.now),
            "metrics",
        )
        volumes = [
            each for each in self._project.volumes if each.environment_id == self.question.environment_id
        ]
        self.measures = measures_of(series or (), volumes, self.now)

    async def _read_logs(self, instance: Instance) -> None:
        question = self.question
        since = self.now - timedelta(days=question.days)
        reader = LogReader(self._railway, question.project_id, question.environment_id, since, self.now)
        edge = (
            await self._told(lambda: reader.edge(instance), f"HTTP log of {quoted(instance.name)}")
            if instance.domains
            else None
        )
        own = await self._told(lambda: reader.own(instance), f"log of {quoted(instance.name)}")
        self._logs[instance.service_id] = Logs(
            None if edge is None else edge[0],
            True if edge is None else edge[1],
            None if own is None else own[0],
            True if own is None else own[1],
        )

    async def _told(self, question: Callable[[], Awaitable[Got]], what: str) -> Got | None:
        """None where Railway does not tell, which the report says."""
        try:
            return await self._patience.ask(question)
        except RailwayError as error:
            self.unseen.append(f"{what}: {quoted(error.message)}")
            return None
