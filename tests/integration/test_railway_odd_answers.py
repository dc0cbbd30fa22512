"""Whatever is wrong in one place of one answer: a call gives what it should, or one RailwayError, and nothing else."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from ogel.adapters.railway import RailwayApi, Token
from ogel.runtime.egress import Exchange, Timings
from ogel.runtime.railway import Railway, RailwayError
from tests.support.railway import World
from tests.support.railway.server import answered

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GONE = object()
WRONG: Sequence[Any] = (None, GONE, "", "text", -1, 1.5e308, True, [], {}, [None], {"": None})
Path = tuple[str | int, ...]


def a_world() -> World:
    world = World(now=lambda: NOW)
    project = world.project("shop")
    production = project.environment("production")
    production.shared["KEY"] = "value"
    api = production.service("api", repo="you/shop", variables={"A": "1"}, metrics={"MEMORY_USAGE_GB": 0.5})
    api.tcp_proxy(5432, "shortline.proxy.rlwy.net", 51234)
    api.domain("api.up.railway.app")
    api.volume("data", "/data")
    project.bucket("files", 10, 1)
    deployment = api.deployed(commit="4f1c2d3", at=NOW)
    deployment.http("GET", "/", at=NOW)
    api.log("fine", at=NOW)
    production.stage({"services": {api.service_id: {"variables": {"B": {"value": "2"}}}}}, merge=True)
    project.workspace.soft_limit = 10
    return world


WORLD = a_world()
PROJECT = WORLD.projects[0]
PRODUCTION = PROJECT.environments[0]
API = PRODUCTION.instances[0]
DEPLOYMENT = API.deployments[0]
SINCE = NOW - timedelta(hours=1)

CALLS: dict[str, Callable[[Railway], Awaitable[Any]]] = {
    "scope": lambda railway: railway.scope(),
    "projects": lambda railway: railway.projects(),
    "project": lambda railway: railway.project(PROJECT.id),
    "instances": lambda railway: railway.instances(PROJECT.id, PRODUCTION.id),
    "variables": lambda railway: railway.variables(PROJECT.id, PRODUCTION.id, API.service_id),
    "staged": lambda railway: railway.staged(PRODUCTION.id),
    "staged_elsewhere": lambda railway: railway.staged_elsewhere(PRODUCTION.id),
    "deployments": lambda railway: railway.deployments(PROJECT.id, PRODUCTION.id),
    "deployment": lambda railway: railway.deployment(DEPLOYMENT.id),
    "logs": lambda railway: railway.logs(PRODUCTION.id, since=SINCE, until=NOW),
    "http_logs": lambda railway: railway.http_logs(DEPLOYMENT.id, since=SINCE, until=NOW),
    "metrics": lambda railway: railway.metrics(PRODUCTION.id, ["MEMORY_USAGE_GB"], since=SINCE, until=NOW),
    "usage": lambda railway: railway.usage(PROJECT.id, ["MEMORY_USAGE_GB"], since=SINCE, until=NOW),
    "estimated_usage": lambda railway: railway.estimated_usage(PROJECT.id, ["MEMORY_USAGE_GB"]),
    "billing": lambda railway: railway.billing(PROJECT.workspace.id),
    "tcp_proxies": lambda railway: railway.tcp_proxies(PRODUCTION.id, API.service_id),
    "config": lambda railway: railway.config(PRODUCTION.id),
    "made_by": lambda railway: railway.made_by(PRODUCTION.id),
}


@cache
def told(query: str, variables: str) -> str:
    token = {"authorization": f"Bearer {WORLD.api_token}"}
    return json.dumps(answered(WORLD, token, query, json.loads(variables))[1])


class Straight:
    """Outgoing requests to the stand-in, without a network. `change` is done to the answer of one of them."""

    def __init__(self, number: int = -1, change: Callable[[Any], None] = lambda answer: None) -> None:
        self.answers: list[Any] = []
        self._number = number
        self._change = change

    async def request(self, method: str, url: str, *, body: bytes, **_: Any) -> Exchange:
        asked = json.loads(body)
        text = told(asked["query"], json.dumps(asked["variables"]))
        answer = json.loads(text)
        self.answers.append(answer)
        if len(self.answers) - 1 == self._number:
            self._change(answer)
            text = json.dumps(answer)
        return Exchange(200, [], text.encode(), False, None, Timings())


async def asked(name: str, outgoing: Straight) -> Any:
    token = Token("account", WORLD.api_token)
    return await CALLS[name](RailwayApi(outgoing, "http://railway", token))  # type: ignore[arg-type]


def paths(value: Any, to: Path = ()) -> Iterator[Path]:
    if to:
        yield to
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from paths(each, (*to, name))


def put(path: Path, wrong: Any) -> Callable[[Any], None]:
    def change(answer: Any) -> None:
        *way, last = path
        for name in way:
            answer = answer[name]
        if wrong is GONE:
            del answer[last]
        else:
            answer[last] = wrong

    return change


async def every_place_wrong(name: str) -> AsyncIterator[tuple[Path, Any, Any]]:
    """What the call answers then, or its RailwayError. Anything else that it raises fails the test."""
    straight = Straight()
    await asked(name, straight)
    for number, answer in enumerate(straight.answers):
        for path in paths(answer):
            for wrong in WRONG:
                try:
                    found = await asked(name, Straight(number, put(path, wrong)))
                except RailwayError as error:
                    found = error
                yield path, wrong, found


@pytest.mark.parametrize("name", CALLS)
def test_one_place_wrong(name: str) -> None:
    async def looked() -> int:
        right, seen = await asked(name, Straight()), 0
        async for path, wrong, found in every_place_wrong(name):
            seen += 1
            if isinstance(found, RailwayError):
                assert found.cause in ("changed", "refused", "forbidden", "not_found"), (path, wrong, found)
                assert "\n" not in found.message and len(found.message) < 500
            elif name in ("usage", "estimated_usage", "billing") and wrong is None:
                # What is added up, or owed, is whole or refused.
                assert found == right or path[-1] in ("usageLimit", "softLimit", "serviceId"), path
        return seen

    assert asyncio.run(looked()) > 20


@pytest.mark.parametrize("name", ["deployments", "deployment", "logs", "http_logs", "billing"])
def test_a_time_without_an_offset_is_one_line(name: str) -> None:
    """It could be compared with no other."""

    async def looked() -> list[RailwayError]:
        straight, errors = Straight(), []
        await asked(name, straight)
        [answer] = straight.answers
        for path in [each for each in paths(answer) if is_time(answer, each)]:
            with pytest.raises(RailwayError) as caught:
                await asked(name, Straight(0, put(path, "2026-11-20T11:59:59")))
            errors.append(caught.value)
        return errors

    errors = asyncio.run(looked())
    assert errors and all(each.cause == "changed" and "timezone" in each.message for each in errors)


def is_time(answer: Any, path: Path) -> bool:
    for name in path:
        answer = answer[name]
    return isinstance(answer, str) and answer.startswith("2026-")


@pytest.mark.parametrize("name", ["usage", "estimated_usage"])
def test_amounts_too_large_to_be_added_up_are_no_amount(name: str) -> None:
    def twice_too_much(answer: Any) -> None:
        [rows] = answer["data"].values()
        rows[0][{"usage": "value", "estimated_usage": "estimatedValue"}[name]] = 1.5e308
        rows.append(rows[0])

    [found] = asyncio.run(asked(name, Straight(0, twice_too_much)))
    assert found.value == math.inf
