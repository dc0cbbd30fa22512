"""What a helper leaves in Redis, and how it is forgotten."""

from __future__ import annotations

import redis
from rq import Queue, Worker
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE
from rq.utils import as_text
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

QUEUE_PREFIX = "ogel-isolated-"
SOCKET_TIMEOUT_SECONDS = 2.0


def forget(connection: redis.Redis, name: str) -> None:
    """Everything of a helper that is no more: its queue, what waits in it, the worker, which has the queue's name."""
    queue, worker_key = Queue(name, connection=connection), f"{Worker.redis_worker_namespace_prefix}{name}"
    executions_key = WORKER_EXECUTIONS_KEY_TEMPLATE.format(name)
    executions = [as_text(key) for key in connection.smembers(executions_key)]
    jobs = {*queue.get_job_ids(), *queue.intermediate_queue.get_job_ids()}
    jobs |= {execution.partition(":")[0] for execution in executions}
    with connection.pipeline() as pipeline:
        for id in jobs:
            pipeline.delete(f"rq:job:{id}", f"rq:executions:{id}")
        for execution in executions:
            pipeline.delete(f"rq:execution:{execution}")
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
    """Of helpers that ended without a word, as on a machine that lost its power. Returns how many."""
    names = [name for name in _queue_names(connection) if name.startswith(QUEUE_PREFIX)]
    # A queue is used only once its worker is registered, and a worker that lives keeps its key alive.
    orphans = [name for name in names if not connection.exists(Worker.redis_worker_namespace_prefix + name)]
    for name in orphans:
        forget(connection, name)
    return len(orphans)


def _queue_names(connection: redis.Redis) -> list[str]:
    keys = connection.smembers(Queue.redis_queues_keys)
    return [as_text(key).removeprefix(Queue.redis_queue_namespace_prefix) for key in keys]
