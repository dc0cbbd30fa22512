"""Accounts: how many people one `ogel api` tells who they are, lets go on, and lets in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench import chains
from bench.figures import Figure
from bench.hammer import KEPT_CONNECTIONS, Hammering
from bench.world import Trial, cpu_of_tree, pid_of, resident_megabytes
from tests.support.process import Client, Ogel

CHAINS = 8
USER_PER_SECOND, REFRESHES_PER_SECOND, ADDED_MEGABYTES = 2_000, 600, 15
# One person asks more than one person does.
UNLIMITED = {f"OGEL_RATE_{each}": "off" for each in ("READ", "WRITE", "SIGN_IN")}


def measure(trial: Trial) -> Iterator[Figure]:
    seconds = 1.0 if trial.quick else 5.0
    with trial.machine() as here, here.ogel("api", **UNLIMITED) as api:
        # What every request costs in memory is not of accounts.
        Hammering.start(api.port, "/health/live", seconds=1.0).result()
        before = resident_megabytes(pid_of(api))
        people = [signed_in(api.api, f"person{number}") for number in range(CHAINS)]
        yield from _shown(api, people[0]["access_token"], seconds)
        yield from _refreshed(api, [each["refresh_token"] for each in people], seconds)
        added = resident_megabytes(pid_of(api)) - before
        yield Figure("memory that accounts have added", added, "MB", at_most=ADDED_MEGABYTES)


def signed_in(api: Client, name: str) -> Any:
    """A session of somebody new, by a link that no mail has to carry."""
    wanted = {"type": "magiclink", "email": f"{name}@example.com"}
    link = api.ok("POST", "/auth/v1/admin/generate_link", wanted)
    proof = {"type": link["verification_type"], "token_hash": link["hashed_token"]}
    return api.ok("POST", "/auth/v1/verify", proof)


def _shown(api: Ogel, access_token: str, seconds: float) -> Iterator[Figure]:
    load = Hammering.start(api.port, "/auth/v1/user", access_token, seconds=seconds)
    before = cpu_of_tree(pid_of(api))
    done = load.result()
    cpu = (cpu_of_tree(pid_of(api)) - before) / len(done.waits)
    if done.failed:
        raise RuntimeError(f"GET /user: {done.failed} failed; the first: {done.said}")
    name = f"GET /auth/v1/user, {KEPT_CONNECTIONS} connections"
    yield Figure(name, done.per_second, "/s", at_least=USER_PER_SECOND)
    yield Figure("GET /auth/v1/user, CPU of the server for each", cpu * 1e6, "µs")


def _refreshed(api: Ogel, tokens: list[str], seconds: float) -> Iterator[Figure]:
    before = cpu_of_tree(pid_of(api))
    done = chains.in_another_process(api.port, tokens, seconds)
    cpu = (cpu_of_tree(pid_of(api)) - before) / len(done.waits)
    if done.failed:
        raise RuntimeError(f"refreshing: {done.failed} failed; the first: {done.said}")
    name = f"refreshes, {CHAINS} chains"
    yield Figure(name, done.per_second, "/s", at_least=REFRESHES_PER_SECOND)
    yield Figure("refreshes, CPU of the server for each", cpu * 1e6, "µs")
