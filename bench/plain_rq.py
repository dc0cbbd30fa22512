"""Plain RQ at the same work: one job per delivery, a signed POST each, one SimpleWorker.

    python -m bench.plain_rq REDIS_URL URL JOBS

prints how many seconds it took to perform them; enqueueing and starting are not counted.
"""

from __future__ import annotations

import http.client
import sys
import time
from functools import lru_cache
from urllib.parse import urlsplit

import redis
from rq import Queue, SimpleWorker

from ogel.features.webhooks.secrets.signature import SymmetricKey, signed_content

QUEUE = "bench-plain-rq"
KEY = b"0123456789abcdef0123456789abcdef"


def deliver(url: str, event_id: str, body: bytes) -> int:
    """What each job performs; as charitable as can be: the connection is kept between jobs."""
    timestamp = int(time.time())
    headers = {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": SymmetricKey(KEY).sign(signed_content(event_id, timestamp, body)),
    }
    connection = _connection(urlsplit(url).netloc)
    connection.request("POST", urlsplit(url).path, body=body, headers=headers)
    response = connection.getresponse()
    response.read()
    return response.status


@lru_cache(maxsize=1)
def _connection(netloc: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(netloc, timeout=10)


def main(redis_url: str, url: str, jobs: str) -> None:
    connection = redis.Redis.from_url(redis_url)
    queue = Queue(QUEUE, connection=connection)
    for number in range(int(jobs)):
        queue.enqueue("bench.plain_rq.deliver", url, f"evt_{number}", b"x" * 1024)
    worker = SimpleWorker([queue], connection=connection, log_job_description=False)
    started = time.perf_counter()
    worker.work(burst=True, logging_level="ERROR")
    seconds = time.perf_counter() - started
    if queue.failed_job_registry.get_job_count(cleanup=False):
        sys.exit("some of RQ's jobs failed")
    print(seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
