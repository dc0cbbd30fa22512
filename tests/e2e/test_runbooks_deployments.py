"""Runbooks about settings, deployments and data: each fault is caused, and each page followed to its end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from ogel.kernel.clock import utc_now
from tests.support import nameless_process
from tests.support.audit import seal as seal_audit_log
from tests.support.cli import ogel as finished
from tests.support.forking import install
from tests.support.night import deploy, follow, restart
from tests.support.process import ADMIN_KEY, SECRET, Ogel, eventually
from tests.support.railnet import why_not
from tests.support.railway import RailwayServer, World
from tests.support.reading import Reading
from tests.support.receiver import Receiver

ROLES = ("api", "--with", "worker,scheduler,realtime")
HOOK, BACKUP = "wh_01m8488xbxfkttz03623x3kycq", "bak_01m87gg7ppesfsv313xt0yzp29"
DELIVERY = "dlv_01m8489pj3ezv8tywcca2tp2ev"
WRONG = "whoever-set-this-had-another-one-in-mind"
DOCTOR = {
    "railway ssh --service api -- ogel doctor": 1,
    "railway ssh --service api -- ogel doctor  # all is well": 0,
}


@pytest.fixture
def urls(database_url: str, redis_url: str, tmp_path: Path) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OGEL_DATA_DIR": str(tmp_path / "data")}


def test_ogel_secret_was_replaced(urls: dict[str, str], tmp_path: Path) -> None:
    with Receiver() as receiver, Ogel(*ROLES, log=tmp_path / "ogel.log", **urls) as ogel:
        hook = ogel.api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["order.*"]})["id"]
        restart(ogel, tmp_path, OGEL_SECRET=WRONG)
        missed = ogel.api.ok("POST", "/api/events", {"type": "order.created", "data": 1})["id"]
        [delivery] = ogel.api.ok("GET", "/api/deliveries")["items"]
        eventually(lambda: "webhook.secret_unreadable" in ogel.log_text(), 20, "the secret to be missed")
        seal_audit_log(ogel.api, urls["DATABASE_URL"])
        former = f"{SECRET},{WRONG}"  # because something has been sealed under the wrong one meanwhile
        (tmp_path / "former-secret").write_text(former)

        def new() -> str:
            return (tmp_path / "new-secret").read_text().strip()

        reading = Reading(
            instead={HOOK: hook, DELIVERY: delivery["id"]},
            before={
                "railway ssh --service api -- ogel secrets rotate": lambda: restart(
                    ogel, tmp_path, OGEL_SECRET=new(), OGEL_SECRET_OLD=former
                ),
                "railway ssh --service api -- ogel doctor  # all": lambda: restart(
                    ogel, tmp_path, OGEL_SECRET_OLD=""
                ),
            },
            ends={**DOCTOR, "railway ssh --service api -- ogel secrets status": 1,
                  "railway ssh --service api -- ogel secrets status  # the present": 0},
        )  # fmt: skip
        said = follow("secret-rotation.md", reading, tmp_path, ogel)
        assert not [line for line in said if new() in line or SECRET in line]
        receiver.wait_for_ids([missed], 30)


def test_a_deploy_with_a_wrong_variable(urls: dict[str, str], tmp_path: Path) -> None:
    ogel = Ogel(*ROLES, log=tmp_path / "ogel.log", **urls)
    shop = World().project("shop")
    production = shop.environment("production")
    for name in ("api", "worker"):
        service = production.service(name, image="ogel:1", start_command=f"/app/entrypoints/{name}")
        service.deployed(at=utc_now() - timedelta(days=2))
        service.image = "ogel:2"
        service.deployed(at=utc_now())
        service.next_deployment("SUCCESS")
    crashed = finished("api", **{**ogel.environment, "LOG_LEVEL": "loud"})
    assert crashed.code == 2
    ogel.log.write_text(crashed.err)
    try:
        with RailwayServer(shop.world) as railway:
            reading = Reading(
                before={"railway variable set LOG_LEVEL": lambda: restart(ogel, tmp_path, LOG_LEVEL="info")},
                ends={"ogel smoke": 10, "ogel smoke http://localhost:8080 --wait": 0},
                environment={"OGEL_KEY": ADMIN_KEY, **railway.variables()},
            )
            follow("bad-deploy.md", reading, tmp_path, ogel)
    finally:
        if ogel.process is not None:
            ogel.terminate()


@pytest.mark.skipif(why_not() is not None, reason=f"private-network.md is not tried: {why_not()}")
def test_a_name_of_the_private_network_is_not_found(urls: dict[str, str], tmp_path: Path) -> None:
    """No question for it leaves this machine: there is no name server where these processes look for one."""
    ogel = Ogel(*ROLES, log=tmp_path / "ogel.log", module=nameless_process.MODULE, **urls)
    elsewhere = urlsplit(urls["DATABASE_URL"])._replace(netloc="ogel:x@postgres.railway.internal:5432")
    deployed = {**ogel.environment, "DATABASE_URL": urlunsplit(elsewhere), "OGEL_CONNECT_SECONDS": "1"}
    deploy(tmp_path, deployed)
    install(tmp_path / "tools" / "ogel", nameless_process.MODULE)
    getent = tmp_path / "tools" / "getent"
    getent.write_text("#!/bin/sh\nexit 2\n")
    getent.chmod(0o755)
    crashed = finished("api", module=nameless_process.MODULE, **deployed)
    assert crashed.code == 2
    ogel.log.write_text(crashed.out + crashed.err)
    production = World().project("shop").environment("production")
    private = "postgresql://postgres:hWkzNQtbPpVdRmXy@${{RAILWAY_PRIVATE_DOMAIN}}:5432/railway"
    postgres = production.service("Postgres", variables={"DATABASE_URL": private})
    postgres.tcp_proxy(5432, "maglev.proxy.rlwy.net", 20105)
    public = "postgresql://postgres:hWkzNQtbPpVdRmXy@maglev.proxy.rlwy.net:20105/railway"
    worker = production.service("worker", variables={"DATABASE_URL": public})
    try:
        with RailwayServer(production.project.world) as railway:
            reading = Reading(
                before={
                    "railway variable set 'DATABASE_URL=${{Postgres.DATABASE_URL}}'": lambda: restart(
                        ogel, tmp_path
                    )
                },
                ends={**DOCTOR, "railway ssh --service api -- getent": 2},
                environment={
                    "OGEL_KEY": ADMIN_KEY,
                    "XDG_STATE_HOME": str(tmp_path / "state"),
                    **railway.variables(),
                },
            )
            said = follow("private-network.md", reading, tmp_path, ogel)
        assert worker.variables == {"DATABASE_URL": "${{Postgres.DATABASE_URL}}"}
        assert "variable set DATABASE_URL=${{Postgres.DATABASE_PUBLIC_URL}} --service api" in said
    finally:
        if ogel.process is not None:
            ogel.terminate()


def test_a_schema_was_dropped(urls: dict[str, str], tmp_path: Path) -> None:
    parts = urlsplit(urls["DATABASE_URL"])
    user, _, place = parts.netloc.rpartition("@")
    name = f"restored_{parts.path.removeprefix('/')}"
    without_password = urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}@{place}", path=f"/{name}"))
    ogel = Ogel(*ROLES, log=tmp_path / "ogel.log", **urls)
    try:
        ogel.start()
        hook = {"url": "https://shop.example.com/", "events": ["order.*"]}
        kept = ogel.api.ok("POST", "/api/webhooks", hook)["id"]
        backup = ogel.api.ok("POST", "/api/backups", {"note": "last night"})["id"]
        path = f"/api/backups/{backup}"
        eventually(lambda: ogel.api.ok("GET", path)["status"] == "complete", 30, "the backup")
        with psycopg.connect(urls["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("DROP SCHEMA ogel CASCADE")
            ogel.terminate()
            reading = Reading(
                instead={
                    "postgresql://ogel@db.example/restored": without_password,
                    "CREATE DATABASE restored": f"CREATE DATABASE {name}",
                    "OGEL_SECRET=…": f"OGEL_SECRET={SECRET}",
                    BACKUP: backup,
                },
                before={
                    "railway variable set": lambda: restart(
                        ogel, tmp_path, DATABASE_URL=urlunsplit(parts._replace(path=f"/{name}"))
                    )
                },
                answers={"Password for": parts.password or ""},
                environment={"OGEL_URL": f"http://localhost:{ogel.port}", "OGEL_KEY": ADMIN_KEY},
            )
            follow("restore-from-backup.md", reading, tmp_path, ogel)
            assert ogel.api.ok("GET", f"/api/webhooks/{kept}")["state"] == "enabled"
    finally:
        if ogel.process is not None:
            ogel.terminate()
        with psycopg.connect(urls["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
