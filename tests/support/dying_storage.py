"""
Processes that store and delete objects, and die on the way; started with `-m`, with the variables of a suite.

`points STORY…` forks a process for every point of every story, which dies there, and one more that does not. `kills N`
forks one after the other that do all of it at once, and kills each at any moment. Prints what it did as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
import traceback
from base64 import b64encode
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from ogel.adapters.storage.s3_requests import Requests
from ogel.features.storage.blobs import service
from ogel.runtime.database.database import Database, Transaction
from tests.support.world import World

MODULE = "tests.support.dying_storage"
BUCKET, ENCRYPTED = "mortal", "sealed"
LITTLE, MUCH = b"little", bytes(range(256)) * 36_000  # of two parts, on S3
_DOOR = "/storage/v1"
_SECONDS = 60
_PIECE_BYTES = 256 * 1024


class Points:
    """Counts the points that are passed, and dies at the one that is chosen."""

    def __init__(self, chosen: int | None) -> None:
        self._chosen = chosen
        self._lock = threading.Lock()
        self.passed: list[str] = []
        self.counts = False

    def at(self, name: str) -> None:
        """Where the same was done as just before, it is the same point."""
        with self._lock:
            if not self.counts or self.passed[-1:] == [name]:
                return
            if len(self.passed) == self._chosen:
                die()
            self.passed.append(name)

    def behind(self, owner: Any, name: str) -> None:
        """After each call of a function."""
        original = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            answer = original(*arguments, **named)
            self.at(f"after {name}")
            return answer

        setattr(owner, name, call)

    def behind_everything(self) -> None:
        """What changes the disk, the S3 service or the database."""
        for name in ("write", "fsync", "replace", "link", "unlink", "rmdir"):
            self.behind(os, name)
        for name in ("put", "begin_parts", "complete", "copy", "delete"):
            self.behind(Requests, name)
        self._in_pieces()
        self._around_transactions()

    def _in_pieces(self) -> None:
        """As content comes from sockets; a world hands it over whole."""
        limited = service._limited

        async def cut(content: AsyncIterable[bytes], most: int) -> AsyncIterator[bytes]:
            async for piece in limited(content, most):
                for first in range(0, len(piece), _PIECE_BYTES):
                    yield piece[first : first + _PIECE_BYTES]

        service._limited = cut

    def _around_transactions(self) -> None:
        transaction, execute = Database.transaction, Transaction.execute

        @asynccontextmanager
        async def dying(database: Database) -> AsyncIterator[Transaction]:
            async with transaction(database) as tx:
                yield tx
                self.at("before the commit")
            self.at("after the commit")

        async def executed(tx: Transaction, *arguments: Any) -> int:
            count = await execute(tx, *arguments)
            self.at("after a statement")
            return count

        Database.transaction = dying  # type: ignore[method-assign, assignment]
        Transaction.execute = executed  # type: ignore[method-assign]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(_SECONDS)  # a thread of a process that is killed goes on for a moment


def put(world: World, name: str, content: bytes = LITTLE) -> None:
    answer = world("POST", f"{_DOOR}/object/{name}", raw=content, headers={"x-upsert": "true"})
    assert answer.status == 200, answer.raw


def put_much(world: World, name: str) -> None:
    put(world, name, MUCH)


def replace(world: World, name: str) -> None:
    put(world, name, LITTLE)


def delete(world: World, name: str) -> None:
    answer = world("DELETE", f"{_DOOR}/object/{name}", headers={"content-type": "text/plain"})
    assert answer.status in (200, 404), answer.raw


def resume(world: World, name: str) -> None:
    """An upload in several requests."""
    bucket, _, rest = name.partition("/")
    words = {"bucketName": bucket, "objectName": rest, "contentType": "text/plain"}
    metadata = ",".join(f"{word} {b64encode(said.encode()).decode()}" for word, said in words.items())
    tus = {"tus-resumable": "1.0.0", "x-upsert": "true"}
    began = {**tus, "upload-length": str(len(MUCH)), "upload-metadata": metadata}
    answer = world("POST", f"{_DOOR}/upload/resumable", raw=b"", headers=began)
    assert answer.status == 201, answer.raw
    place, sent = urlsplit(answer.headers["location"]).path, 0
    while sent < len(MUCH):
        going_on = {**tus, "upload-offset": str(sent), "content-type": "application/offset+octet-stream"}
        answer = world("PATCH", place, raw=MUCH[sent : sent + 3_000_000], headers=going_on)
        assert answer.status == 204, answer.raw
        sent = int(answer.headers["upload-offset"])


def copy(world: World, name: str) -> None:
    pass_on(world, "copy", name)


def move(world: World, name: str) -> None:
    pass_on(world, "move", name)


def pass_on(world: World, how: str, name: str) -> None:
    """To another name, perhaps in another bucket."""
    bucket, _, rest = name.partition("/")
    to = {"destinationBucket": random.choice([BUCKET, ENCRYPTED]), "destinationKey": f"{how}-{rest}"}
    asked = {"bucketId": bucket, "sourceKey": rest, **to}
    answer = world("POST", f"{_DOOR}/object/{how}", asked, headers={"x-upsert": "true"})
    assert answer.status in (200, 400, 404, 409), answer.raw


def put_and_delete(world: World, name: str) -> None:
    put(world, name)
    delete(world, name)


def reap(world: World, name: str) -> None:
    """
    Whatever is not an object's is due now, but for what is to be deleted a second time: what those who died have sent
    to an S3 service may arrive later still, for which they have an hour.
    """

    async def due() -> None:
        storage = world.platform.core.features["storage"].offers
        async with world.platform.core.database.autocommit() as tx:
            await tx.tuples(
                b"UPDATE ogel.storage_blobs SET until = now() - interval '1 second'"
                b" WHERE state <> 'live' AND md5 IS DISTINCT FROM '' RETURNING 1"
            )
        await storage.blobs.reap()

    world.run(due())


# Before each story comes what it needs, in which nobody dies.
STORIES: dict[str, tuple[Callable[[World, str], None], Callable[[World, str], None]]] = {
    "reap": (put_and_delete, reap),
    "put": (reap, put),
    "put_much": (reap, put_much),
    "replace": (put_much, replace),
    "delete": (put, delete),
    "resume": (reap, resume),
    "copy": (put, copy),
    "move": (put, move),
}


def tell(story: str, chosen: int | None, says: int) -> None:
    before, told = STORIES[story]
    points, name = Points(chosen), f"{BUCKET}/{story}-{chosen}"
    points.behind_everything()
    with World(**os.environ) as world:
        before(world, name)
        points.counts = True
        told(world, name)
        points.counts = False
    os.write(says, json.dumps(points.passed).encode())


def all_points(stories: list[str]) -> dict[str, list[str]]:
    passed = {}
    for story in stories:
        code, said = forked(lambda says, story=story: tell(story, None, says))  # type: ignore[misc]
        assert code == 0, f"{story} failed"
        passed[story] = json.loads(said)
        for chosen in range(len(passed[story])):
            code, _ = forked(lambda says, story=story, chosen=chosen: tell(story, chosen, says))  # type: ignore[misc]
            # What runs at once takes turns: a point may be the last one, and then not be there.
            assert code in (-signal.SIGKILL, 0), f"{story} did not die at {passed[story][chosen]}"
    return passed


def live(seed: int, says: int) -> None:
    """Several at once, until killed."""
    chance = random.Random(seed)

    def act(n: int) -> None:
        name = f"{chance.choice([BUCKET, ENCRYPTED])}/name-{chance.randrange(8)}"
        does = chance.choice([put, put, put_much, replace, delete, resume, copy, move, reap])
        with suppress(AssertionError):  # a 503, when the bytes were given up by another's reaping
            does(world, name)
        os.write(says, b"!")

    with World(**os.environ) as world, ThreadPoolExecutor(4) as threads:
        list(threads.map(act, range(1000)))


def many_kills(count: int) -> int:
    for seed in range(count):
        said, says = os.pipe()
        pid = _fork(lambda says=says, seed=seed: live(seed, says))  # type: ignore[misc]
        os.close(says)
        chance = random.Random(seed)
        for _ in range(chance.randrange(1, 8)):
            assert os.read(said, 1) == b"!", "it died by itself"
        time.sleep(chance.uniform(0, 0.1))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(said)
    return count


def forked(work: Callable[[int], None]) -> tuple[int, bytes]:
    """Returns how the process ended, and what it said."""
    with _pipe() as (said, says):
        pid = _fork(lambda: work(says))
        os.close(says)
        words = b"".join(iter(lambda: os.read(said, 65536), b""))
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), words


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    said, says = os.pipe()
    try:
        yield said, says
    finally:
        os.close(said)


def _fork(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(_SECONDS)
    code = 1
    try:
        work()
        code = 0
    finally:
        if code:
            traceback.print_exc()
        os._exit(code)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    did = all_points(rest) if what == "points" else many_kills(int(rest[0]))
    print(json.dumps(did), flush=True)
