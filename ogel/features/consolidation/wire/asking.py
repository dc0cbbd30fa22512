"""Asks services over HTTP, side by side and within bounds: nothing but GET, and nobody but the project's own hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from msgspec import Struct

from ogel.features.consolidation.evidence import Evidence, quoted
from ogel.features.consolidation.kinds import Kind
from ogel.features.consolidation.recognition import recognise
from ogel.features.consolidation.wire.answer import MAX_BYTES, Answer
from ogel.features.consolidation.wire.places import Place
from ogel.features.consolidation.wire.questions import FIRST, NEVER, THEN
from ogel.features.consolidation.wire.reading import read
from ogel.runtime.egress import EgressError
from ogel.runtime.metadata_addresses import serves_metadata
from ogel.runtime.outgoing import Outgoing

TIMEOUT_SECONDS = 5.0
AT_ONCE = 16
# What our own questions are known by in logs, so that they are not taken for use.
AGENT = "ogel-consolidate"
# What the edge says of answers that are its own.
_FALLBACK = "x-railway-fallback"
_HEADERS = (("User-Agent", AGENT), ("Accept", "application/json, text/html;q=0.5, */*;q=0.1"))


class Asked(Struct, frozen=True):
    """
    answers  of each place that answered, by path without its query.
    silent   why others did not.
    """

    evidence: Sequence[Evidence] = ()
    answers: Mapping[Place, Mapping[str, Answer]] = {}
    silent: Mapping[Place, str] = {}


class Asker:
    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def ask(self, places: Sequence[Place], marks: Sequence[Evidence]) -> Asked:
        """`marks`: what is known already, which decides what is asked."""
        guessed = recognise(marks).kind
        http = [] if guessed in NEVER else [each for each in places if each.speaks == "http"]
        asked = await asyncio.gather(*(self._ask_place(place, marks) for place in http))
        return Asked(
            [each for one in asked for each in one.evidence],
            {place: answers for one in asked for place, answers in one.answers.items()},
            {place: why for one in asked for place, why in one.silent.items()},
        )

    async def _ask_place(self, place: Place, marks: Sequence[Evidence]) -> Asked:
        first = await asyncio.gather(*(self._get(place, path) for path in FIRST))
        answers = {each.path: each for each in first if isinstance(each, Answer)}
        if not answers:
            return Asked(silent={place: next(each for each in first if isinstance(each, str))})
        evidence = [each for answer in answers.values() for each in read(answer)]
        kind = recognise([*marks, *evidence]).kind
        if not _is_public_side(kind, answers):
            then = await asyncio.gather(*(self._get(place, path) for path in THEN.get(kind, ())))
            for answer in then:
                if isinstance(answer, Answer):
                    answers[answer.path.partition("?")[0]] = answer
                    evidence += read(answer)
        return Asked([_at(place, each) for each in evidence], {place: answers})

    async def _get(self, place: Place, path: str) -> Answer | str:
        """Returns why there is no answer as text."""
        if _is_refused(place.host):
            return "it is a link-local, metadata or multicast address"
        try:
            async with self._slots:
                got = await self._outgoing.request(
                    "GET",
                    place.url + path,
                    headers=_HEADERS,
                    timeout_seconds=TIMEOUT_SECONDS,
                    max_body_bytes=MAX_BYTES,
                )
        except EgressError as error:
            return quoted(error.message)
        headers = {name.lower()[:80]: value[:300] for name, value in got.headers}
        if headers.get(_FALLBACK) == "true":
            return f"Railway's edge answers {got.status} in its place: nothing there listens on the port of that name"
        return Answer(path, got.status, headers, got.body)


def _is_public_side(kind: Kind, answers: Mapping[str, Answer]) -> bool:
    """Of a gateway, whose other paths are somebody else's."""
    root = answers.get("/")
    return kind in ("kong", "envoy") and not (root and "tagline" in root.fields)


def _at(place: Place, evidence: Evidence) -> Evidence:
    method, _, path = evidence.asked.partition(" ")
    return Evidence(
        evidence.source,
        f"{method} {quoted(place.url)}{path} ({place.way})",
        evidence.answered,
        evidence.says,
        evidence.weight,
    )


def _is_refused(host: str) -> bool:
    try:
        return serves_metadata(ip_address(host))
    except ValueError:
        return False
