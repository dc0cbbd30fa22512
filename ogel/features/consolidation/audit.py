"""The audit: reads a project, asks its services, looks into them where that is wanted, judges, changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from ogel.features.consolidation.evidence import quoted
from ogel.features.consolidation.inside import Inside
from ogel.features.consolidation.judgement.judge import Knowledge, judge
from ogel.features.consolidation.kinds import MARKS
from ogel.features.consolidation.reading import ProjectReading, Question
from ogel.features.consolidation.recognition import marks_of, recognise
from ogel.features.consolidation.report import Report, ServiceReport, notes_of
from ogel.features.consolidation.seen import Seen
from ogel.features.consolidation.telling import use_of
from ogel.features.consolidation.use.measures import Measures, monthly
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
from ogel.runtime.railway import Instance, Railway
from ogel.runtime.surveys import Surveys

_DECLARED = ("KONG_DECLARATIVE_CONFIG_STRING",)

Got = TypeVar("Got")


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
        run = ProjectReading(self._railway, question, project, instances, self._now())
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
            notes_of(services),
        )

    async def _see(self, run: ProjectReading, instance: Instance) -> Seen:
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
            documents=greeted.documents,
            measures=run.measures.get(instance.service_id, Measures()),
            requests=await run.requests_of(instance, recognised.kind),
            unseen=_unanswered(instance, [*asked.silent.items(), *greeted.silent], is_asked=bool(places)),
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
