"""Every command of the pages in docs/, typed at a terminal beside a running `ogel up`, answers as the page shows."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from ogel.environ import read_settings
from ogel.kernel.clock import utc_now
from tests.support.audit import seal as seal_audit_log
from tests.support.carriers import TWILIO_PATH, Browser, Carriers, twilio_error
from tests.support.cli import without_settings
from tests.support.forking import on_path
from tests.support.markdown import ROOT, blocks
from tests.support.process import ADMIN_KEY, SECRET, Client, Ogel, eventually
from tests.support.railway import RailwayServer
from tests.support.railway import World as Railway
from tests.support.reading import Reading
from tests.support.receiver import Answer, Receiver, Request
from tests.support.suite_services import gotrue, kong_admin
from tests.support.supabase_project import SupabaseProject
from tests.support.terminal import Terminal

KONG = """
services:
  - {name: auth, url: "http://auth:9999", routes: [{name: auth, paths: [/auth/v1]}]}
  - name: rest
    url: http://rest:3000/
    routes: [{name: rest, paths: [/rest/v1/]}]
    plugins: [{name: cors, config: {origins: ["https://app.example.com"]}}, {name: key-auth}]
  - name: meta
    url: http://meta:8080/
    routes: [{name: meta, paths: [/meta/]}]
    plugins: [{name: key-auth}, {name: acl, config: {allow: [admin]}}]
  - name: studio
    url: http://studio:3000/
    routes: [{name: studio, paths: [/]}]
    plugins: [{name: basic-auth}]
consumers: [{username: anon}]
"""


@dataclass
class World:
    """A running suite, what it sends to, and the directory of somebody who reads."""

    ogel: Ogel
    carriers: Carriers
    directory: Path
    elsewhere: str
    """A database that is not Ogel's."""
    beside: ExitStack
    """What runs until the page is read."""

    @property
    def api(self) -> Client:
        return self.ogel.api

    @property
    def environment(self) -> dict[str, str]:
        """What a reader has set, the same as the suite has, and the command on the path."""
        path = os.pathsep.join([str(on_path()), str(Path(sys.executable).parent), os.environ["PATH"]])
        return {**without_settings(os.environ), **self.ogel.environment, "PATH": path, "KEY": ADMIN_KEY}


def audit(world: World) -> Reading:
    world.api.ok("POST", "/api/events", {"type": "order.created", "data": None})

    def seal() -> None:
        seal_audit_log(world.api, world.ogel.environment["DATABASE_URL"])

    return Reading(before={"ogel audit verify": seal})


def backups(world: World) -> Reading:
    parts = urlsplit(world.elsewhere)
    user, _, place = parts.netloc.rpartition("@")
    without_password = urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}@{place}"))
    return Reading(
        instead={
            "postgresql://ogel@db.example/new": without_password,
            "OGEL_SECRET=…": f"OGEL_SECRET={SECRET}",
        },
        answers={"Password for": parts.password or ""},
    )


def cli(world: World) -> Reading:
    """Somebody without the suite's settings and data, whom it gave a key."""
    world.api.ok("POST", "/api/webhooks", {"url": "https://shop.example.com/", "events": ["order.*"]})
    key = world.api.ok("POST", "/api/keys", {"name": "a laptop", "scopes": ["jobs:read", "webhooks:*"]})[
        "key"
    ]
    settings = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "OGEL_ADMIN_KEY", "OGEL_SECRET"), "")
    return Reading(
        instead={"https://ogel.example.com": f"http://localhost:{world.ogel.port}"},
        environment={
            **settings,
            "OGEL_DATA_DIR": str(world.directory),
            "XDG_CONFIG_HOME": str(world.directory),
        },
        answers={"Key for": key},
    )


def cost(world: World) -> Reading:
    """Of a project on Railway, in the middle of its billing period."""
    now = datetime.now(UTC)
    railway = Railway()
    period = {"period_start": now - timedelta(days=10), "period_end": now + timedelta(days=20)}
    project = railway.project("shop", railway.workspace(current_usage=12.5, **period))
    production = project.environment("production")
    production.service("api", metrics={"MEMORY_USAGE_GB": 0.6, "CPU_USAGE": 0.03, "NETWORK_TX_GB": 0.1})
    production.service("Postgres", metrics={"MEMORY_USAGE_GB": 0.3, "CPU_USAGE": 0.0, "DISK_USAGE_GB": 3.0})
    project.bucket("files", size_bytes=9.3 * 1024**3)
    asked = world.beside.enter_context(RailwayServer(railway))
    return Reading(environment={**asked.variables(), "OGEL_COST_BUDGET": "20", "OGEL_COST_PLAN": "hobby"})


def consolidate(world: World) -> Reading:
    """A project that has some of Supabase's services, in the order in which the page shows them."""
    project = world.beside.enter_context(SupabaseProject())
    idle = {"MEMORY_USAGE_GB": 0.1, "CPU_USAGE": 0.001}
    project.service("Postgres", image="ghcr.io/railwayapp-templates/postgres-ssl:18")
    urls = {
        "SUPABASE_URL": "http://${{Kong.RAILWAY_PRIVATE_DOMAIN}}:8000",
        "AUTH_URL": "http://auth.railway.internal:9999",
    }
    project.service("Studio", repo="acme/dashboard", variables=urls)
    kong = kong_admin({"/auth/v1": "auth", "/rest/v1": "rest"})
    project.service("Kong", kong, 8001, image="kong:3.9", metrics=idle).log("GET /auth/v1/user HTTP/1.1 200")
    project.service("Auth", gotrue(), 9999, image="supabase/gotrue:v2.186.0", metrics=idle)
    meta = project.service("Postgres Meta", image="supabase/postgres-meta:v0.95.2", metrics=idle)
    meta.log('{"method":"GET","url":"/health","status":200}')
    return Reading(environment=project.railway.variables())


def databases(world: World) -> Reading:
    (world.directory / "sql").mkdir()
    (world.directory / "sql" / "0001_create_orders.sql").write_text("CREATE TABLE orders (id int);")
    return Reading(environment={"ORDERS_DATABASE_URL": world.elsewhere})


def deploying(world: World) -> Reading:
    """Of a suite on Railway that runs its second image, beside an environment that has nothing yet."""
    project = Railway().project("shop")
    production, empty = project.environment("production"), project.environment("staging")
    for name in ("api", "worker"):
        service = production.service(name, image="ogel:1", start_command=f"/app/entrypoints/{name}")
        service.deployed(at=utc_now() - timedelta(days=2))
        service.image = "ogel:2"
        service.deployed(at=utc_now() - timedelta(hours=3))
        service.next_deployment("SUCCESS")
    railway = world.beside.enter_context(RailwayServer(project.world))
    place = {"OGEL_RAILWAY_LAYOUT": "worker", "OGEL_RAILWAY_IMAGE": "ogel:2"}
    return Reading(
        instead={
            "ogel railway plan": f"ogel railway plan --environment {empty.name} --file {ROOT}/railway/railway.py"
        },
        environment={
            "OGEL_KEY": world.ogel.environment["OGEL_ADMIN_KEY"],
            "RAILWAY_ENVIRONMENT_ID": production.id,
            **railway.variables(),
            **place,
        },
        ends={"ogel railway plan": 2},
    )


def gateway(world: World) -> Reading:
    """With the file of somebody who leaves Kong."""
    (world.directory / "kong.yml").write_text(KONG)
    return Reading()


def messaging(world: World) -> Reading:
    device = world.api.ok("POST", "/api/devices", {"provider": "fcm", "token": "a-token"})["id"]
    world.carriers.script(TWILIO_PATH, twilio_error(21211))
    text = {"channel": "sms", "to": ["+4915112345679"], "text": "Hi."}
    [message] = world.api.ok("POST", "/api/messages", text)["items"]
    failed = lambda: world.api.ok("GET", f"/api/messages/{message['id']}")["status"] == "failed"  # noqa: E731
    eventually(failed, 20, "a message to fail")
    subscription = json.dumps(Browser().subscription(world.carriers.url + "/push/1"))
    return Reading(
        instead={"dev_…": device, '"token": "…"': '"token": "another"', "msg_…": message["id"]},
        environment={"SUBSCRIPTION": subscription},
    )


def network(world: World) -> Reading:
    """With the project of somebody whose services meet outside, and no database of another page."""
    for database in world.api.ok("GET", "/api/databases")["items"]:
        world.api.ok("DELETE", f"/api/databases/{database['id']}")
    railway = Railway()
    production = railway.project("shop").environment("production")
    login = "postgresql://postgres:hWkzNQtbPpVdRmXy"
    postgres = production.service(
        "Postgres",
        variables={
            "DATABASE_URL": f"{login}@${{{{RAILWAY_PRIVATE_DOMAIN}}}}:5432/railway",
            "DATABASE_PUBLIC_URL": f"{login}@maglev.proxy.rlwy.net:20105/railway",
        },
        metrics={"NETWORK_TX_GB": 0.05},
    )
    postgres.tcp_proxy(5432, "maglev.proxy.rlwy.net", 20105)
    public = {"DATABASE_URL": f"{login}@maglev.proxy.rlwy.net:20105/railway"}
    api = production.service("api", variables={"OGEL_SECRET": "…", "PORT": "8080", **public})
    api.domain("api-production.up.railway.app")
    production.service(
        "studio",
        variables={
            "POSTGRES_HOST": "maglev.proxy.rlwy.net",
            "POSTGRES_PORT": "20105",
            "API_URL": "https://api-production.up.railway.app/v1",
            "NEXT_PUBLIC_API_URL": "https://api-production.up.railway.app",
        },
    )
    server = world.beside.enter_context(RailwayServer(railway))
    return Reading(environment={**server.variables(), "XDG_STATE_HOME": str(world.directory)})


def operations(world: World) -> Reading:
    """An endpoint whose receiver is away, beside one that is well; it is mended when the page asks."""
    mended = threading.Event()

    def answer(request: Request) -> Answer:
        return Answer(204 if request.path == "/mail" or mended.is_set() else 503)

    receiver = world.beside.enter_context(Receiver(answer))
    mail, shop = (
        world.api.ok("POST", "/api/webhooks", {"url": receiver.url(path), "events": [events]})["id"]
        for path, events in (("/mail", "mail.*"), ("/shop", "order.*"))
    )
    world.api.ok("POST", "/api/events", [{"type": "order.created", "data": n} for n in range(12)])

    def many() -> None:
        for start in range(0, 1000, 500):
            world.api.ok(
                "POST", "/api/events", [{"type": "order.paid", "data": n} for n in range(start, start + 500)]
            )

    open_ = lambda: world.api.ok("GET", f"/api/webhooks/{shop}")["health"]["state"] == "open"  # noqa: E731
    eventually(open_, 30, "the breaker to open")
    return Reading(
        instead={
            "wh_01m8488xbxfkttz03623x3kycq": shop,
            "wh_01m8479ztceagvxj605p4sn7tq": shop,
            "wh_01m8488xdae659w39j4gw8m3fa": mail,
        },
        before={"ogel webhooks test": mended.set, "ogel webhooks replay": many},
    )


def sessions(world: World) -> Reading:
    """Somebody who has signed in three times; by the first session a token is refreshed."""
    wanted = {"type": "magiclink", "email": "ada@example.com"}

    def signed_in() -> Any:
        link = world.api.ok("POST", "/auth/v1/admin/generate_link", wanted)
        proof = {"type": link["verification_type"], "token_hash": link["hashed_token"]}
        return world.api.ok("POST", "/auth/v1/verify", proof)

    first, _, _ = [signed_in() for _ in range(3)]
    user = first["user"]["id"]
    [session, *_] = world.api.ok("GET", f"/api/users/{user}/sessions")["items"]
    return Reading(
        instead={
            "$OGEL": f"http://localhost:{world.ogel.port}",
            "ogr_…": first["refresh_token"],
            "USER": user,
            "SESSION": session["id"],
        }
    )


def settings(world: World) -> Reading:
    taken = world.beside.enter_context(socket.create_server(("127.0.0.1", 0)))
    return Reading(
        environment={"PORT": str(taken.getsockname()[1])}, ends={"PORT=eighty": 2, "ogel doctor": 1}
    )


def teams(world: World) -> Reading:
    owner = world.api.ok("POST", "/api/users", {"email": "anna@example.com", "email_confirmed": True})
    return Reading(instead={"0190b7a2-1f0e-7b6d-9c43-2f1f5d1f0a11": owner["id"]})


def webhooks(world: World) -> Reading:
    endpoint = world.api.ok(
        "POST", "/api/webhooks", {"url": "https://shop.example.com/", "events": ["order.*"]}
    )
    return Reading(instead={"wh_…": endpoint["id"]})


def nothing_else(_: World) -> Reading:
    return Reading()


READINGS: Mapping[str, Callable[[World], Reading]] = {
    "accounts": nothing_else,
    "audit": audit,
    "backups": backups,
    "cli": cli,
    "cost": cost,
    "consolidate": consolidate,
    "databases": databases,
    "deploying": deploying,
    "gateway": gateway,
    "keys": nothing_else,
    "mail": nothing_else,
    "events": nothing_else,
    "messaging": messaging,
    "network": network,
    "operations": operations,
    "realtime": nothing_else,
    "schedules": nothing_else,
    "sessions": sessions,
    "settings": settings,
    "stats": nothing_else,
    "s3": nothing_else,
    "storage": nothing_else,
    "teams": teams,
    "webhooks": webhooks,
}
QUICK = {"OGEL_WEBHOOK_PROBE_SECONDS": "1"}
# Sends nothing to anybody but the carriers.
MAIL = {"OGEL_MAIL_PROVIDERS": "outbox", "OGEL_MAIL_FROM": "shop@example.com"}


@pytest.fixture(scope="module")
def suite(
    suite_servers: dict[str, str], carriers: Carriers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ogel]:
    directory = tmp_path_factory.mktemp("docs")
    settings = {
        **suite_servers,
        **carriers.environment,
        **MAIL,
        **QUICK,
        "OGEL_DATA_DIR": str(directory / ".ogel"),
    }
    with Ogel("up", log=directory / "ogel.log", **settings) as suite:
        yield suite


@pytest.fixture
def world(suite: Ogel, carriers: Carriers, tmp_path: Path, empty_database_url: str) -> Iterator[World]:
    with ExitStack() as beside:
        yield World(suite, carriers, tmp_path, empty_database_url, beside)


@pytest.mark.parametrize("page", READINGS)
def test_a_page_is_as_it_is_typed(world: World, page: str) -> None:
    reading = READINGS[page](world)
    reading.instead = {"localhost:8080": f"localhost:{world.ogel.port}", **reading.instead}
    with Terminal(world.directory, {**world.environment, **reading.environment}) as terminal:
        reading.follow(ROOT / "docs" / f"{page}.md", terminal)


def test_every_page_with_commands_is_read() -> None:
    read = {*READINGS, "add-a"}  # that one is followed by test_add_a_queue
    pages = ROOT.glob("docs/*.md")
    assert {page.stem for page in pages if any(block.commands for block in blocks(page))} == read


def test_settings_on_pages_can_be_read() -> None:
    lines = [
        line
        for page in ROOT.glob("docs/*.md")
        for block in blocks(page)
        if block.language == "env"
        for line in block.text.splitlines()
    ]
    assert lines
    for line in lines:
        name, _, value = line.partition("=")
        assert read_settings({name: value.strip('"')}).sources
