"""The audit: reads a project, asks its services, looks into them where that is wanted, judges, changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ogel.features.consolidation.evidence import quoted
from ogel.features.consolidation.inside import Inside
from ogel.features.consolidation.judgement.judge import Knowledge, judge
from ogel.features.consolidation.kinds import MARKS, Kind
from ogel.features.consolidation.recognition import marks_of, recognise
from ogel.features.consolidation.report import Report, ServiceReport
from ogel.features.consolidation.seen import Referrer, Seen
from ogel.features.consolidation.telling import use_of
from ogel.features.consolidation.use import requests
from ogel.features.consolidation.use.logs import LogReader, Logs
from ogel.features.consolidation.use.measures import MEASUREMENTS, Measures, measures_of, monthly
from ogel.features.consolidation.use.references import referrers
from ogel.features.consolidation.wire.asking import Asked, Asker
from ogel.features.consolidation.wire.facts import (
    KongFacts,
    auth_facts,
    declared_facts,
    kong_facts,
    meta_facts,
)
from ogel.features.consolidation.wire.greeting import greet
from ogel.features.consolidation.wire.places import Place, places_of
from ogel.kernel.errors import ConfigError
from ogel.runtime.prices.table import PriceTable
from ogel.runtime.railway import Instance, Project, Railway, RailwayError
from ogel.runtime.surveys import Surveys

MAX_SERVICES = 200
# Of requests to Railway, whose plans allow ten a second and a thousand an hour at the least.
AT_ONCE = 6
_GATEWAYS: Collection[Kind] = ("kong", "envoy", "nginx")
_DECLARED = ("KONG_DECLARATIVE_CONFIG_STRING",)

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


class Audit:
    """
    read_declared  reads a declarative file of Kong's; raises ConfigError.
    prices         what a month of that costs which was measured.
    """

    def __init__(
        self,
        railway: Railway,
        asker: Asker,
        surveys: Surveys,
        *,
        translated: Collection[str],
        read_declared: Callable[[bytes], Mapping[str, object]],
        speaks: Collection[str],
        prices: PriceTable,
        now: Callable[[], datetime],
    ) -> None:
        self._railway = railway
        self._asker = asker
        self._surveys = surveys
        self._translated = translated
        self._read_declared = read_declared
        self._speaks = speaks
        self._prices = prices
        self._now = now

    async def run(self, question: Question, said: Callable[[float, str], None]) -> Report:
        """
        Raises RailwayError where not even the services can be listed; whatever else is missing stands in the report.
        `said` hears which part of the work is done, and what is next.
        """
        said(0.0, "reading the project")
        project = await self._railway.project(question.project_id)
        instances = await self._railway.instances(question.project_id, question.environment_id)
        run = _Run(self._railway, question, project, instances, self._now())
        await run.read(said)
        said(0.7, f"asking {len(run.instances)} services")
        seen: Sequence[Seen] = await asyncio.gather(*(self._see(run, each) for each in run.instances))
        if question.look_inside:
            said(0.9, "looking into databases and stores")
            seen = await Inside(self._surveys, run.rendered).look(seen)
        seen = run.with_referrers(seen)
        knowing = Knowledge(run.now, question.days, self._translated, self._speaks)
        services = sorted((self._judged(each, knowing) for each in seen), key=_order)
        environment = next(
            (each.name for each in project.environments if each.id == question.environment_id),
            question.environment_id,
        )
        return Report(
            quoted(project.name),
            quoted(environment),
            run.now,
            question.days,
            question.look_inside,
            services,
            round(sum(each.monthly_saving or 0.0 for each in services), 2),
            run.unseen,
        )

    async def _see(self, run: _Run, instance: Instance) -> Seen:
        variables = run.variables.get(instance.service_id, {})
        marks = marks_of(instance, variables)
        guessed = recognise(marks).kind
        places = places_of(instance, guessed, variables, inside=run.question.inside)
        asked, greeted = await asyncio.gather(self._asker.ask(places, marks), greet(self._surveys, places))
        recognised = recognise([*marks, *asked.evidence, *greeted.evidence])
        seen = Seen(
            instance,
            recognised,
            places=places,
            answered=bool(asked.answers or greeted.evidence),
            silent=(silent := [*asked.silent.items(), *greeted.silent]),
            documents=greeted.documents,
            measures=run.measures.get(instance.service_id, Measures()),
            requests=await run.requests_of(instance, recognised.kind),
            unseen=_unanswered(instance, silent, is_asked=bool(places)),
        )
        return self._with_facts(seen, asked, variables)

    def _with_facts(self, seen: Seen, asked: Asked, variables: Mapping[str, str]) -> Seen:
        answers = list(asked.answers.values())
        kong = _first(kong_facts(each) for each in answers)
        if kong is None and seen.kind == "kong":
            kong = self._declared(variables)
        return replace(
            seen,
            kong=kong,
            auth=_first(auth_facts(each) for each in answers),
            meta=_first(meta_facts(each) for each in answers),
        )

    def _declared(self, variables: Mapping[str, str]) -> KongFacts | None:
        for name in _DECLARED:
            try:
                return declared_facts(self._read_declared(variables[name].encode()))
            except (KeyError, ConfigError):
                continue
        return None

    def _judged(self, seen: Seen, knowing: Knowledge) -> ServiceReport:
        judgement = judge(seen, knowing)
        cost = monthly(seen.measures, self._prices)
        goes = judgement.answer in ("replace", "remove")
        return ServiceReport(
            id=seen.service.service_id,
            name=quoted(seen.name),
            kind=seen.kind,
            title=MARKS[seen.kind].title,
            certainty=seen.recognised.certainty,
            is_audited=MARKS[seen.kind].audited,
            image=quoted(seen.service.image) if seen.service.image else None,
            answer=judgement.answer,
            reason=judgement.reason,
            risk=judgement.risk,
            hazard=judgement.hazard,
            monthly_cost=cost,
            monthly_saving=cost if goes else 0.0,
            referrers=None
            if seen.referrers is None
            else [
                f"{quoted(each.reference.by)}: {quoted(each.reference.variable)}" for each in seen.referrers
            ],
            requests=seen.used if seen.used or seen.is_silent else None,
            private_only=not seen.answered and seen.service.private_domain is not None,
            evidence=[each for each in seen.recognised.evidence if each not in seen.recognised.against],
            against=seen.recognised.against,
            use=list(use_of(seen, knowing.days)),
            steps=judgement.steps,
            way_back=judgement.back,
            look=judgement.look,
        )


class _Run:
    """What Railway tells of the project, read once, and what it did not tell."""

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
        self._slots = asyncio.Semaphore(AT_ONCE)
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
        question = self.question
        asked = self._railway.variables(
            question.project_id, question.environment_id, instance.service_id, rendered=True
        )
        return await self._told(asked, f"variables of {quoted(instance.name)}") or {}

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
        question = self.question
        asked = self._railway.variables(
            question.project_id, question.environment_id, instance.service_id, rendered=False
        )
        found = await self._told(asked, f"variables of {quoted(instance.name)}")
        if found is not None:
            self.variables[instance.service_id] = found

    async def _read_shared(self) -> None:
        asked = self._railway.variables(
            self.question.project_id, self.question.environment_id, None, rendered=False
        )
        self._shared = await self._told(asked, "shared variables") or {}

    async def _read_metrics(self) -> None:
        since = self.now - timedelta(days=self.question.days)
        asked = self._railway.metrics(self.question.environment_id, MEASUREMENTS, since=since, until=self.now)
        series = await self._told(asked, "metrics") or ()
        volumes = [
            each for each in self._project.volumes if each.environment_id == self.question.environment_id
        ]
        self.measures = measures_of(series, volumes, self.now)

    async def _read_logs(self, instance: Instance) -> None:
        question = self.question
        since = self.now - timedelta(days=question.days)
        reader = LogReader(self._railway, question.project_id, question.environment_id, since, self.now)
        edge = (
            await self._told(reader.edge(instance), f"HTTP log of {quoted(instance.name)}")
            if instance.domains
            else None
        )
        own = await self._told(reader.own(instance), f"log of {quoted(instance.name)}")
        self._logs[instance.service_id] = Logs(
            None if edge is None else edge[0],
            True if edge is None else edge[1],
            None if own is None else own[0],
            True if own is None else own[1],
        )

    async def _told(self, asked: Awaitable[Got], what: str) -> Got | None:
        """None where Railway does not tell, which the report says."""
        async with self._slots:
            try:
                return await asked
            except RailwayError as error:
                self.unseen.append(f"{what}: {quoted(error.message)}")
                return None


def _first(found: Iterable[Got | None]) -> Got | None:
    return next((each for each in found if each is not None), None)


def _unanswered(instance: Instance, silent: Sequence[tuple[Place, str]], *, is_asked: bool) -> Sequence[str]:
    found = [f"{quoted(place.url)} ({place.way}): {why}" for place, why in silent]
    if not is_asked:
        private = (
            f", and {quoted(instance.private_domain)} answers only inside the project"
            if instance.private_domain
            else ""
        )
        found.append(
            f"It has no public name{private}: run this command there (railway ssh --service ogel -- ogel consolidate)."
        )
    return found


_ANSWERS = {"remove": 0, "replace": 1, "unknown": 2, "keep": 3}


def _order(service: ServiceReport) -> tuple[bool, int, str]:
    """What there is to do comes first, and what is not audited last."""
    return not service.is_audited, _ANSWERS[service.answer], service.name.lower()
