"""`ogel sessions` and `ogel accounts keys`, as an operator types them."""

from __future__ import annotations

import asyncio
import json

from tests.support.cli import ogel
from tests.support.people import People
from tests.support.process import ADMIN_KEY, SECRET
from tests.support.world import World


def test_operators_end_sessions_and_have_another_key_sign(database_url: str, redis_url: str) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    operator = {**servers, "OGEL_ADMIN_KEY": ADMIN_KEY, "OGEL_SECRET": SECRET}
    nothing = ogel("accounts", "keys", "list", **operator)
    assert nothing.out.strip() == "no keys: the first is made when somebody signs in", nothing.err
    with World(**servers) as world:
        people = People(world)
        person = people.somebody()
        here, there, elsewhere = [people.signs_in(person) for _ in range(3)]
        shown = ogel("sessions", "list", str(person.id), **operator)
        assert shown.code == 0, shown.err
        assert shown.out.count(" aal1  password      127.0.0.1 ") == 3
        assert shown.out.splitlines()[1].startswith(str(elsewhere.session_id))

        one = ogel("sessions", "revoke", str(here.session_id), **operator)
        assert (one.code, one.out, one.err) == (0, f"{here.session_id} revoked\n", "")
        everywhere = ogel("sessions", "revoke", "--user", str(person.email), **operator)
        assert everywhere.out == f"{person.email} is signed out everywhere\n"
        left = json.loads(ogel("sessions", "list", str(person.email), "--json", **operator).out)
        assert left["items"] == []
        asyncio.run(asyncio.sleep(1))  # what this process remembers of them is over
        for issued in (here, there, elsewhere):
            assert world("GET", "/auth/v1/user", key=issued.access_token).status == 403

    rotated = ogel("accounts", "keys", "rotate", **operator)
    assert rotated.out.endswith(" signs in an hour\n")
    replaced = ogel("accounts", "keys", "rotate", "--at-once", **operator)
    assert replaced.out.endswith(" signs\n")
    keys = ogel("accounts", "keys", "list", **operator)
    states = [line.split()[2] for line in keys.out.splitlines()[1:]]
    assert states == ["current", "revoked", "revoked"]
