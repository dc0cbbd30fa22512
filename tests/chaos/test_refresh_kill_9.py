"""Whenever the API dies while it refreshes a session, the client that asks again goes on, with the token it has."""

from __future__ import annotations

import http.client
import random
import statistics
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.process import Client, Ogel

TOKEN = "/auth/v1/token?grant_type=refresh_token"
FEW, MANY = range(3), range(200)


class Tab:
    """A client that holds the refresh token which it was answered last, and knows nothing else."""

    def __init__(self, api: Client) -> None:
        self._api = api
        link = api.ok("POST", "/auth/v1/admin/generate_link", {"type": "magiclink", "email": "a@example.com"})
        proof = {"type": link["verification_type"], "token_hash": link["hashed_token"]}
        self.session: dict[str, Any] = api.ok("POST", "/auth/v1/verify", proof)
        self.lost = 0

    def refresh(self) -> None:
        answer = self._api("POST", TOKEN, {"refresh_token": self.session["refresh_token"]}, key="")
        assert answer.status == 200, answer.raw
        self.session = answer.json

    def refresh_perhaps(self) -> None:
        try:
            self.refresh()
        except (OSError, http.client.HTTPException):
            self.lost += 1

    def how_long_it_takes(self) -> float:
        waits = []
        for _ in range(5):
            began = time.monotonic()
            self.refresh()
            waits.append(time.monotonic() - began)
        return statistics.median(waits)


def steps(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT counter FROM auth.sessions").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("seeds", [FEW, pytest.param(MANY, marks=pytest.mark.long)], ids=["few", "many"])
def test_a_death_in_a_refresh_signs_nobody_out(
    seeds: range, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    api = Ogel("api", log=tmp_path / "api.log", **servers)
    with api:
        tab = Tab(api.api)
        usual = tab.how_long_it_takes()
        unanswered = 0
        for seed in seeds:
            wait = random.Random(seed).uniform(0, 1.5 * usual)
            before, held = steps(database_url), tab.session["refresh_token"]
            asking = threading.Thread(target=tab.refresh_perhaps)
            asking.start()
            time.sleep(wait)
            api.kill()
            asking.join(10)
            unanswered += steps(database_url) > before and tab.session["refresh_token"] == held
            api.start()
            tab.refresh()
        print(f"{len(seeds)} deaths, {tab.lost} refreshes without an answer, {unanswered} of them committed")
        shown = api.api("GET", "/auth/v1/user", key=tab.session["access_token"])
        assert shown.status == 200
    if seeds is MANY:
        assert tab.lost > len(MANY) / 4 and unanswered > 0
