"""What people do at the other site: consent, come back, or show an ID token that they got there."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from tests.golden.gotrue.replay import Replay
from tests.golden.gotrue.steps import Step
from tests.support.issuer import Person, signed


def consents(person: Person) -> Step:
    """Who was sent there by the line before is known there by the code `good`."""

    def step(replay: Replay) -> None:
        replay.issuer.person = person
        replay.issuer.allow("good", replay.location)

    return step


def signs_in_there(person: Person, query: dict[str, str] | None = None, code: str | None = None) -> Step:
    """From /authorize, or from where the line before led, and back; `code` is what the client is given."""

    def step(replay: Replay) -> None:
        replay.issuer.person = person
        if query is not None:
            replay.ask("confirm", {"method": "GET", "path": "/authorize", "query": query})
        assert replay.location.startswith(replay.issuer.url), replay.location
        back = dict(parse_qsl(urlsplit(replay.issuer.visit(replay.location)).query))
        answer = replay.ask("confirm", {"method": "GET", "path": "/callback", "query": back})
        if code is not None:
            replay.labels.bind(code, parse_qs(urlsplit(answer.headers["location"]).query)["code"][0])

    return step


def id_token(person: Person, **claims: Any) -> Step:
    def step(replay: Replay) -> None:
        replay.labels.bind("<jwt:id_token>", replay.issuer.id_token(person, **claims))

    return step


def id_token_of_another_key(person: Person) -> Step:
    def step(replay: Replay) -> None:
        claims = {"iss": replay.issuer.issuer, "aud": "kc-client", "exp": 4_102_444_800, **person.claims()}
        replay.labels.bind("<jwt:id_token_wrong_key>", signed(claims, "second"))

    return step
