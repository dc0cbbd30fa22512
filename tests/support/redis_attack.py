"""What somebody who can write to Redis may leave there: jobs that run a command in whoever believes them."""

from __future__ import annotations

import json
import os
import pickle
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import redis

from ogel.adapters.rq_horses.order import PERFORM

REGISTRIES = ("wip", "finished", "failed", "deferred", "ready", "scheduled", "canceled")
NONSENSE = (b"\xff\xfe", b"", b"[" * 50_000, b"[]", b"null", b'{"command": {"shutdown": 1}}')


class Payload:
    """Whoever unpickles it creates a file."""

    def __init__(self, canary: Path) -> None:
        self._command = f"touch {canary}"

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self._command,)


def jobs(canary: Path, isolated: Mapping[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    """Hashes of RQ jobs. `isolated`: a payload that leaves a trace if the isolated `kind` is performed with it."""
    pickled = pickle.dumps(Payload(canary))
    touch = [f"touch {canary}"]
    datas = [
        pickled,
        pickle.dumps(("os.system", None, touch, {})),
        json.dumps(["os.system", None, touch, {}]).encode(),
        json.dumps(["subprocess.check_call", None, [["touch", str(canary)]], {}]).encode(),
        json.dumps([PERFORM, None, [1, kind, json.dumps(isolated), "0" * 64], {}]).encode(),
        json.dumps([PERFORM, None, [kind, isolated], {}]).encode(),
        json.dumps([PERFORM, None, [None, [], {}, 7], {}]).encode(),
        b"[" * 50_000,
        b"\xff",
        b"",
    ]
    for data in datas:
        for packed in (data, zlib.compress(data)):
            yield {
                "data": packed,
                "meta": pickled,
                "result": pickled,
                "exc_info": zlib.compress(pickled),
                "success_callback_name": "os.system",
                "failure_callback_name": "os.system",
                "stopped_callback_name": "os.system",
                "created_at": "2026-01-01T00:00:00.000000Z",
                "status": "queued",
                "origin": "webhooks",
                "retries_left": "3",
                "timeout": "180",
            }
    yield {
        "data": pickled,
        "timeout": "often",
        "status": "odd",
        "created_at": "never",
        "dependency_ids": b"\xff",
    }
    yield {"last_heartbeat": "2026-01-01T00:00:00.000000Z"}


def plant(
    store: redis.Redis,
    planted: Iterable[Mapping[str, Any]],
    queues: Iterable[str],
    workers: Iterable[str],
    entries: Iterable[str],
) -> None:
    """Into every key that RQ and rq-scheduler read, about `queues`, `workers` and the clock's `entries`."""
    hashes = list(planted)
    ids: list[bytes | str] = [f"planted-{n}" for n in range(len(hashes))]
    for id, fields in zip(ids, hashes, strict=True):
        store.hset(f"rq:job:{id}", mapping=dict(fields))
    store.set("rq:job:planted-text", "no hash")
    everywhere = [*ids, "planted-text", "no such job", b"\xff\xfe", "../../etc", ""]
    pickled = hashes[0]["meta"]
    for n, queue in enumerate(queues):
        own = f"ogel-bell-{queue}"
        store.delete(f"rq:job:{own}")
        store.hset(f"rq:job:{own}", mapping=dict(hashes[n % len(hashes)]))
        for key in (f"rq:queue:{queue}", f"rq:queue:{queue}:intermediate"):
            store.rpush(key, own, *everywhere)
        for registry in REGISTRIES:
            for id in everywhere:
                member = f"{id}:e" if registry == "wip" and isinstance(id, str) else id
                store.zadd(f"rq:{registry}:{queue}", {member: 0})
        store.sadd(f"rq:workers:{queue}", b"\xff", "rq:worker:planted")
    for id in ids:
        store.xadd(f"rq:results:{id}", {"type": "1", "return_value": pickled, "created_at": "1"})
        store.sadd(f"rq:job:{id}:dependents", *everywhere)
        store.zadd(f"rq:executions:{id}", {"e": 0})
        store.hset(f"rq:execution:{id}:e", mapping={"job_id": id, "created_at": "0", "last_heartbeat": "0"})
    store.sadd("rq:groups", "planted", b"\xff")
    store.sadd("rq:group:planted", *everywhere)
    store.sadd(
        "rq:queues", b"\xff", "planted", "rq:queue:ogel-isolated-\xe9", "rq:queue:ogel-isolated-planted"
    )
    store.sadd("rq:workers", b"rq:worker:\xff", "rq:worker:planted", "planted")
    store.hset(
        "rq:worker:planted", mapping={"birth": "now", "pid": "²", "queues": "webhooks", "state": b"\xff"}
    )
    store.set(b"rq:worker:\xff", "no hash")
    for worker in workers:
        store.sadd(f"rq:worker:{worker}:executions", *everywhere)
        for nonsense in NONSENSE:
            store.publish(f"rq:pubsub:{worker}", nonsense)
        for command in ("stop-job", "stop-execution", "kill-horse"):
            said = {"command": command, "job_id": "planted-0", "execution_id": "e"}
            store.publish(f"rq:pubsub:{worker}", json.dumps(said))
    for n, entry in enumerate(entries):
        store.delete(f"rq:job:{entry}")
        store.hset(f"rq:job:{entry}", mapping=dict(hashes[n % len(hashes)]))
    due = dict.fromkeys([*everywhere, "ogel-schedule-é", "ogel-user-schedule-planted", *entries], 0.0)
    for key in ("rq:scheduler:scheduled_jobs", "ogel:scheduler:scheduled_jobs"):
        store.zadd(key, due)
    store.set("ogel:scheduler_lock", pickled)
