"""Accounts: how many people one `ogel api` tells who they are, lets go on, and lets in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from threading import Thread
from typing import Any

from bench import chains, sign_ins
from bench.figures import Figure, latencies, quantile
from bench.hammer import KEPT_CONNECTIONS, Hammering
from bench.world import Trial, cpu_of_tree, pid_of, resident_megabytes
from tests.support.process import Client, Ogel

CHAINS = 8
USER_PER_SECOND, REFRESHES_PER_SECOND, ADDED_MEGABYTES = 2_000, 600, 15
SIGN_INS_PER_SECOND = 40
# Two passwords are hashed at once, 19 MiB each; the rest is what the requests themselves take.
CROWD, CROWD_MEGABYTES, OTHERS_P99_MILLISECONDS = 200, 60, 50
OTHERS, OTHERS_PER_SECOND = 4, 100.0
PASSWORD = "Correct-horse-1"
# One person asks more than one person does.
UNLIMITED = {f"OGEL_RATE_{each}": "off" for each in ("READ", "WRITE", "SIGN_IN", "SIGN_IN_ACCOUNT")}


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
        for number in range(CHAINS):
            wanted = {"email": _address(number), "email_confirmed": True, "password": PASSWORD}
            api.api.ok("POST", "/api/users", wanted)
        yield from _signed_in_by_password(api, seconds)
        yield from _told_apart(api, 10.0 if trial.quick else 45.0)
        yield from _crowded(api, people[0]["access_token"], seconds)


def signed_in(api: Client, name: str) -> Any:
    """A session of somebody new, by a link that no mail has to carry."""
    wanted = {"type": "magiclink", "email": f"{name}@example.com"}
    link = api.ok("POST", "/auth/v1/admin/generate_link", wanted)
    proof = {"type": link["verification_type"], "token_hash": link["hashed_token"]}
    return api.ok("POST", "/auth/v1/verify", proof)


def _address(number: int) -> str:
    return f"member{number}@example.com"


def _signed_in_by_password(api: Ogel, seconds: float) -> Iterator[Figure]:
    right = [f"{_address(number)}:{PASSWORD}" for number in range(CHAINS)]
    before = cpu_of_tree(pid_of(api))
    done = sign_ins.in_another_process(api.port, right, CHAINS, seconds)
    cpu = (cpu_of_tree(pid_of(api)) - before) / len(done.all_waits)
    if set(done.statuses) != {"200"}:
        raise RuntimeError(f"sign-ins: {done.statuses}")
    name = f"sign-ins by password (Argon2id), {CHAINS} connections"
    yield Figure(name, len(done.all_waits) / done.seconds, "/s", at_least=SIGN_INS_PER_SECOND)
    yield Figure("sign-ins, CPU of the server for each", cpu * 1e6, "µs")


def _told_apart(api: Ogel, seconds: float) -> Iterator[Figure]:
    """Whether the time of a refusal tells who has an account: unknown users and wrong passwords in turns."""
    tried = ["nobody@example.com:wrong-password", f"{_address(0)}:wrong-password"]
    done = sign_ins.in_another_process(api.port, tried, 2, seconds)
    unknown, wrong = done.waits
    yield Figure("refusals of unknown users, median", quantile(sorted(unknown), 0.5) * 1e3, "ms")
    yield Figure("refusals of wrong passwords, median", quantile(sorted(wrong), 0.5) * 1e3, "ms")
    better = abs(2 * _longer(unknown, wrong) - 1) * 100
    # Three standard errors of what as many samples show by chance.
    chance = 600 * math.sqrt((len(unknown) + len(wrong) + 1) / (12 * len(unknown) * len(wrong)))
    name = "unknown users told from wrong passwords, better than by guessing"
    yield Figure(name, better, "%", at_most=round(chance, 1))


def _longer(some: Sequence[float], others: Sequence[float]) -> float:
    """How often one of some takes longer than one of the others (Mann-Whitney): a half, if nothing tells them apart."""
    return sum((a > b) + (a == b) / 2 for a in some for b in others) / (len(some) * len(others))


def _crowded(api: Ogel, access_token: str, seconds: float) -> Iterator[Figure]:
    tried = [f"{_address(number)}:wrong-password" for number in range(CHAINS)]
    before = resident_megabytes(pid_of(api))
    crowd: list[sign_ins.SignIns] = []
    crowding = Thread(
        target=lambda: crowd.append(sign_ins.in_another_process(api.port, tried, CROWD, seconds + 2))
    )
    crowding.start()
    load = Hammering.start(
        api.port, "/auth/v1/user", access_token, seconds=seconds, connections=OTHERS, rate=OTHERS_PER_SECOND
    )
    others = load.result()
    grown = resident_megabytes(pid_of(api)) - before
    crowding.join()
    [done] = crowd
    name = f"{CROWD} people sign in at once"
    yield from latencies(f"{name}: GET /auth/v1/user of others", others.waits, OTHERS_P99_MILLISECONDS)
    yield Figure(f"{name}: growth", grown, "MB", at_most=CROWD_MEGABYTES)
    turned_away = done.statuses.get("503", 0)
    yield Figure(f"{name}: turned away", 100 * turned_away / sum(done.statuses.values()), "%")
    yield Figure(f"{name}: of these, not told when to come again", done.missing_retry_after, "x", at_most=0)


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
