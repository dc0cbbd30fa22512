"""An upstream of the whole API: with real keys, in its tables, and told of by its commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
from click.testing import CliRunner

from ogel.cli.routes import command
from tests.support.answering import Answering, Asked, answering
from tests.support.process import ADMIN_KEY
from tests.support.world import World


@pytest.fixture(scope="module")
def service() -> Iterator[Answering]:
    def answer(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")

    with answering(answer) as found:
        yield found


def setting(service: Answering) -> str:
    url = f"http://127.0.0.1:{service.port}"
    return f"/key={url};auth=key\n/studio={url};auth=studio:use\n/admin={url}\n/user={url};auth=user"


@pytest.fixture(scope="module")
def world(suite_servers: dict[str, str], service: Answering) -> Iterator[World]:
    with World(**suite_servers, OGEL_UPSTREAMS=setting(service)) as world:
        yield world


def test_keys_open_what_their_scopes_say(world: World, service: Answering) -> None:
    def made(**new: object) -> str:
        return str(world.ok("POST", "/api/keys", {"name": "a key", **new})["key"])

    narrow, studio = made(scopes=["events:read"]), made(scopes=["studio:use"])
    publishable = made(kind="publishable")
    opens = {
        narrow: {"/key"},
        studio: {"/key", "/studio"},
        publishable: {"/key"},
        ADMIN_KEY: {"/key", "/studio", "/admin"},
        "ogel_wrong": set(),
    }
    for key, paths in opens.items():
        for path in ("/key", "/studio", "/admin", "/user"):
            answer = world("GET", f"{path}/x", key=key)
            assert (answer.status == 200) == (path in paths), (key, path, answer.status)
    # As clients of Supabase send it; a wrong one is refused beside a good one.
    assert world("GET", "/key", headers={"authorization": "", "apikey": publishable}).status == 200
    assert (
        world("GET", "/key", headers={"authorization": f"Bearer {studio}", "apikey": "wrong"}).status == 401
    )
    assert not any({"authorization", "apikey"} & each.headers.keys() for each in service.asked)
    assert {each.headers["x-ogel-kind"] for each in service.asked} == {"key", "admin"}


def test_it_shows_in_health_and_routes(
    world: World, service: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.ok("GET", "/api/health")["checks"]["upstream /studio"] is True
    monkeypatch.setenv("OGEL_UPSTREAMS", setting(service))
    rows = json.loads(CliRunner().invoke(command, ["--json"]).stdout)["items"]
    mine = {
        row["path"]: (row["method"], row["who"], row["scope"]) for row in rows if row["feature"] == "gateway"
    }
    assert mine["/studio/{path:path}"] == ("ANY", "key", "studio:use")
    assert mine["/key/{path:path}"] == ("ANY", "known", None)
    assert mine["/admin/{path:path}"] == ("ANY", "key", "*")
