"""RQ's pub/sub commands to workers: which are obeyed, and who seems to have sent them."""

from __future__ import annotations

import json
from typing import Any

import redis
import structlog
from rq.command import handle_command
from rq.worker import BaseWorker

log = structlog.get_logger(__name__)

_COMMANDS = ("shutdown", "kill-horse", "stop-job", "stop-execution")
_MOST_CLIENTS = 5
_RECENT_SECONDS = 5


def obey(worker: BaseWorker, message: dict[str, Any], *, remote_shutdown: bool) -> None:
    """
    Never raises for what anybody may publish. A line of the log says what was asked, of which worker and, as far as
    Redis tells, by whom; without `remote_shutdown` a `shutdown` gets that line and nothing more.
    """
    command = _command(message)
    if command is None:
        log.warning("rq_command.not_understood", worker=worker.name)
        return
    about = {
        "command": command["command"],
        "worker": worker.name,
        "job": command.get("job_id"),
        "asked_by": _publishers(worker.connection),
    }
    if command["command"] == "shutdown" and not remote_shutdown:
        log.warning("rq_command.refused", **about, meaning="OGEL_REMOTE_SHUTDOWN is off")
        return
    log.warning("rq_command.obeyed", **about)
    handle_command(worker, command)


def _command(message: dict[str, Any]) -> dict[str, str] | None:
    """Returns None for anything that is not one of RQ's commands."""
    try:
        said = json.loads(message["data"])
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        return None
    return said if said.get("command") in _COMMANDS else None


def _publishers(connection: redis.Redis) -> list[str] | None:
    """
    Redis does not say who published. These are connected and did so last, within seconds; the latest come first, since
    processes of ours, which publish all the time, have been there for long. Who only came to say it is gone. None: it
    does not tell, or in other words.
    """
    try:
        recent = [
            client
            for client in connection.client_list()
            if client.get("cmd") in ("publish", "spublish") and int(client["idle"]) <= _RECENT_SECONDS
        ]
        recent.sort(key=lambda client: int(client["age"]))
    except (redis.RedisError, OSError, KeyError, ValueError):
        return None
    shown = ("addr", "name", "user", "lib-name")
    return [
        " ".join(f"{name}={client[name]}" for name in shown if client.get(name))
        for client in recent[:_MOST_CLIENTS]
    ]
