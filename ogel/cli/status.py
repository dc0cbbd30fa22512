"""`ogel status`"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import click

from ogel.cli.banner import url_of
from ogel.cli.operator import json_option, say_json
from ogel.cli.tables import show_fields
from ogel.cli.times import both
from ogel.environ import Sourced, read_settings
from ogel.runtime.server_urls.parts import ServerUrl

if TYPE_CHECKING:
    from ogel.adapters.embedded import Front

TIMEOUT_SECONDS = 5.0
State = Literal["running", "starting", "silent", "killed", "stopped"]
_MEANING = {
    "running": "running",
    "starting": "starting: its servers run, and it does not answer yet",
    "silent": "nothing answers at its address",
    "killed": "not running: it was killed, or its machine was; `ogel up` goes on where it stopped",
    "stopped": "nothing runs; `ogel up` starts it",
}


@click.command("status")
@json_option
def command(as_json: bool) -> None:
    """The addresses of the running suite, and whether it is well; exit 0 when it runs, else 1."""
    sourced = read_settings(os.environ)
    found = _of_data_dir(sourced) if sourced.settings.embedded else _of_settings(sourced)
    if as_json:
        say_json(found)
    else:
        _show(found)
    sys.exit(0 if found["state"] == "running" else 1)


def _of_data_dir(sourced: Sourced) -> dict[str, Any]:
    """What an `ogel up` left word of in OGEL_DATA_DIR."""
    from ogel.adapters.embedded import announced, running_urls

    settings = sourced.settings
    database_url, redis_url = running_urls(settings.data_dir)  # says what is wrong with the directory
    front = announced(settings.data_dir)
    serves = database_url is not None or redis_url is not None
    health = _health(front.url) if front is not None and front.runs else None
    found: dict[str, Any] = {
        "state": _state(front, serves, health),
        "data_dir": str(settings.data_dir.absolute()),
    }
    if front is not None and front.runs:
        found |= {"pid": front.pid, "since": front.since, "health": health, "http": front.url}
    if (front is not None and front.runs) or serves:
        found["postgres"] = _postgres(sourced, database_url)
        found["redis"] = _redis(sourced, redis_url)
        found["admin_key"] = _admin_key(sourced, settings.data_dir)
    return found


def _of_settings(sourced: Sourced) -> dict[str, Any]:
    """All servers are elsewhere, and so may be the processes; here the one on PORT can be asked."""
    settings = sourced.settings
    url = url_of(settings.host, settings.port)
    health = _health(url)
    return {
        "state": "silent" if health is None else "running",
        "health": health,
        "http": url,
        "postgres": _postgres(sourced, None),
        "redis": _redis(sourced, None),
        "admin_key": sourced.sources["admin_key"],
    }


def _state(front: Front | None, serves: bool, health: str | None) -> State:
    if front is None or not front.runs:
        return "starting" if serves else "stopped" if front is None else "killed"
    return "silent" if health is None else "running"


def _health(url: str) -> str | None:
    """healthy, degraded or unhealthy; None when it does not say."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/api/health")
        status = json.loads(connection.getresponse().read(65_536))["status"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
    return str(status)


def _postgres(sourced: Sourced, own_url: str | None) -> dict[str, Any] | None:
    """Its address, and the command that opens it; a password is named by where it stands, never shown."""
    settings, variable = sourced.settings, sourced.sources["database_url"]
    url = settings.database_url or own_url
    if url is None:
        return None
    by_name = variable is not None and variable.endswith("_URL")
    if by_name and variable not in sourced.ignored:
        return {"address": _address(url), "client": f'psql "${variable}"'}
    client = f"psql {shlex.quote(_without_password(url))}"
    if not by_name:
        # In pieces: POSTGRES_HOST, POSTGRES_PASSWORD, … or PGHOST, …
        password = (
            f'"${variable.removesuffix("HOST")}PASSWORD"' if variable else _own_password(sourced, "postgres")
        )
        client = f"PGPASSWORD={password} {client}"
    return {"address": _address(url), "client": client}


def _redis(sourced: Sourced, own_url: str | None) -> dict[str, Any] | None:
    variable, url = sourced.sources["redis_url"], sourced.settings.redis_url or own_url
    if url is None:
        return None
    if variable is None:
        address = urlsplit(url)
        password = _own_password(sourced, "redis")
        client = f"REDISCLI_AUTH={password} redis-cli -h {address.hostname} -p {address.port}"
    else:
        client = f'redis-cli -u "${variable}"'
        if os.environ.get("REDIS_PASSWORD"):
            client = f'REDISCLI_AUTH="$REDIS_PASSWORD" {client}'
    return {"address": _address(url), "client": client}


def _own_password(sourced: Sourced, server: str) -> str:
    return f'"$(cat {shlex.quote(str((sourced.settings.data_dir / f"{server}.password").absolute()))})"'


def _without_password(url: str) -> str:
    """As psql takes it, which asks for what is missing; and refuses options that Ogel leaves out."""
    server = ServerUrl.parse(url)
    options = tuple((name, value) for name, value in server.options if "password" not in name)
    return str(replace(server, password=None, options=options))


def _address(url: str) -> str:
    """Without who it is opened as."""
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"


def _admin_key(sourced: Sourced, data_dir: Path) -> str:
    if (variable := sourced.sources["admin_key"]) is not None:
        return variable
    return str((data_dir / "admin_key").absolute())


def _show(found: dict[str, Any]) -> None:
    postgres, redis = found.get("postgres") or {}, found.get("redis") or {}
    since = found.get("since")
    show_fields(
        [
            ("state", _MEANING[found["state"]]),
            ("health", found.get("health")),
            ("process", found.get("pid") and f"{found['pid']}, since {both(since)}"),
            ("http", found.get("http")),
            ("postgres", postgres.get("address")),
            ("psql", postgres.get("client")),
            ("redis", redis.get("address")),
            ("redis-cli", redis.get("client")),
            ("admin key", found.get("admin_key")),
            ("data", found.get("data_dir")),
        ]
    )
