"""Deletes what dead helpers leave in Redis."""

from __future__ import annotations

from typing import Any

import redis
from rq import Queue, Worker
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE
from rq.serializers import JSONSerializer
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

QUEUE_PREFIX = "ogel-isolated-"
SOCKET_TIMEOUT_SECONDS = 2.0


def forget(connection: redis.Redis, name: str) -> None:
    """Deletes all keys of a dead helper: its queue, what waits in it, and the worker, which has the queue's name."""
    queue = Queue(name, connection=connection, serializer=JSONSerializer)
    worker_key = f"{Worker.redis_worker_namespace_prefix}{name}"
    executions_key = WORKER_EXECUTIONS_KEY_TEMPLATE.format(name)
    # Kept as bytes, because anybody may have written data there that is no text.
    executions: Any = connection.smembers(executions_key)
    waiting: Any = connection.lrange(queue.key, 0, -1) + connection.lrange(
        queue.intermediate_queue_key, 0, -1
    )
    jobs = {execution.partition(b":")[0] for execution in executions} | set(waiting)
    with connection.pipeline() as pipeline:
        for id in jobs:
            pipeline.delete(b"rq:job:" + id, b"rq:executions:" + id)
        for execution in executions:
            pipeline.delete(b"rq:execution:" + execution)
        pipeline.srem(REDIS_WORKER_KEYS, worker_key)
        pipeline.srem(Queue.redis_queues_keys, queue.key)
        pipeline.delete(
            worker_key,
            executions_key,
            WORKERS_BY_QUEUE_KEY % name,
            queue.key,
            queue.intermediate_queue_key,
            queue.started_job_registry.key,
        )
        pipeline.execute()


def forget_orphans(connection: redis.Redis) -> int:
    """Deletes the keys of helpers that ended without cleaning up, as after a power failure. Returns how many."""
    prefix = f"{Queue.redis_queue_namespace_prefix}{QUEUE_PREFIX}".encode()
    queues: Any = connection.smembers(Queue.redis_queues_keys)
    keys = [key.decode() for key in queues if key.startswith(prefix) and key.isascii()]
    names = [key.removeprefix(Queue.redis_queue_namespace_prefix) for key in keys]
    # A queue is used only once its worker is registered, and a worker that lives keeps its key alive.
    orphans = [name for name in names if not connection.exists(Worker.redis_worker_namespace_prefix + name)]
    for name in orphans:
        forget(connection, name)
    return len(orphans)
