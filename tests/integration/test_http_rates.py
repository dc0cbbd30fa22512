"""What a client sees of rate limits: fields on every answer, and a problem document when there were too many."""

from __future__ import annotations

import asyncio
from typing import Any

from ogel.runtime.rates.budgets import Budgets
from ogel.runtime.rates.limiter import Limiter
from ogel.runtime.rates.metrics import RateMetrics
from ogel.runtime.rates.policy import Quota
from tests.support.http import READER, WRITER, World, ask, running, story


def limited(**quotas: tuple[Quota, ...]) -> World:
    world = World()
    metrics = RateMetrics(world.registry)
    world.limiter = Limiter(quotas, Budgets(None, metrics), metrics)
    return world


def fields(answer: Any) -> tuple[str | None, str | None, str | None]:
    headers = answer.headers
    return headers.get("ratelimit-policy"), headers.get("ratelimit"), headers.get("retry-after")


@story
async def test_one_too_many_is_a_problem_that_says_when_to_come_again() -> None:
    async with running(limited(read=(Quota(2, 60),))) as world:
        policy = '"read";q=2;w=60'
        first, second, third = [await ask(world, "GET", "/api/things/1", headers=READER) for _ in range(3)]
        assert first.status == second.status == 200
        assert fields(first) == (policy, '"read";r=1;t=30', None)
        assert fields(second) == (policy, '"read";r=0;t=30', None)
        assert (third.status, fields(third)) == (429, (policy, '"read";r=0;t=30', "30"))
        assert third.headers["content-type"] == "application/problem+json"
        assert third.json["type"] == "urn:ogel:rate-limited"
        assert third.json["detail"] == "Too many requests for the policy read; try again in 30 s."
        count = world.registry.get_sample_value("ogel_rate_limited_requests_total", {"policy": "read"})
        assert count == 1


@story
async def test_errors_carry_the_fields_and_count_too() -> None:
    async with running(limited(read=(Quota(3, 60),), write=(Quota(3, 60),))) as world:
        wrong = await ask(world, "GET", "/api/things?limit=0", headers=READER)
        assert (wrong.status, fields(wrong)[1]) == (422, '"read";r=2;t=20')
        # Who may not do it at all, or is nobody, is told that.
        forbidden = await ask(world, "DELETE", "/api/things/1", headers=READER)
        assert (forbidden.status, fields(forbidden)) == (403, (None, None, None))
        nobody = await ask(world, "GET", "/api/things/1")
        assert (nobody.status, fields(nobody)) == (401, (None, None, None))


@story
async def test_a_body_that_is_one_too_many_is_not_waited_for() -> None:
    async with running(limited(write=(Quota(1, 60),))) as world:
        made = await ask(world, "POST", "/api/things", headers=WRITER, json={"name": "a"})
        assert made.status == 201, made.body
        declared = {
            **WRITER,
            "content-length": "900",
            "content-type": "application/json",
            "expect": "100-continue",
        }
        reader, writer = await _connect(world)
        head = "".join(f"{name}: {value}\r\n" for name, value in declared.items())
        writer.write(f"POST /api/things HTTP/1.1\r\nhost: a\r\n{head}\r\n".encode())
        assert b" 429 " in await reader.readline()
        writer.close()


@story
async def test_what_has_no_class_is_not_limited() -> None:
    async with running(limited(read=(Quota(1, 60),))) as world:
        for _ in range(5):
            assert (await ask(world, "GET", "/health/live")).status == 200
            special = await ask(world, "GET", "/api/things/special")
            assert (special.status, fields(special)) == (200, (None, None, None))


async def _connect(world: World) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", world.port)
