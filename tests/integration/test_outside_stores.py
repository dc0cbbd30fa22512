"""MongoDB and object storage, as health and `ogel doctor` ask them: an answer within bounds, whatever is there."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace
from pymongo.errors import InvalidOperation, PyMongoError

from ogel.adapters.databases import mongodb
from ogel.adapters.mongo import Mongo, TidyClient
from ogel.adapters.storage.local import check_writable
from ogel.adapters.storage.s3 import Bucket, check_bucket
from ogel.kernel.errors import ConfigError, Unavailable
from ogel.runtime.database.registered import Target, TargetError
from tests.support.process import free_port
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY, Seaweed


async def ping(url: str) -> bool:
    mongo = Mongo(url)
    try:
        return await mongo.ping()
    finally:
        await mongo.close()


async def look(port: int) -> None:
    target = Target("mongodb", "127.0.0.1", port, "d", None, None, "disable")
    try:
        async with AsyncExitStack() as tidying:
            await mongodb.look(target, target.host, tidying)
    except TargetError as error:
        raise Unavailable(f"MongoDB did not answer: {error.message}") from None


@contextmanager
def unanswering(how: str) -> Iterator[int]:
    """The port of one that refuses, accepts and says nothing, or leaves one waiting to be accepted."""
    with ExitStack() as stack:
        if how == "refuses":
            yield free_port()
            return
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0 if how == "hangs" else 50)
        for _ in range(3 if how == "hangs" else 0):  # its queue is full
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("how", ["refuses", "is silent", "hangs"])
@pytest.mark.parametrize("registered", [False, True])
def test_a_mongo_that_does_not_answer_is_given_up_on_and_left_without_a_trace(
    how: str, registered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours, and one that is registered."""
    monkeypatch.setattr(mongodb, "_TIMEOUT_MS", 500)
    gc.collect()
    gc.disable()
    try:
        with unanswering(how) as port, warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            for _ in range(2):
                began = time.monotonic()
                with pytest.raises(Unavailable, match="MongoDB did not answer"):
                    asyncio.run(look(port) if registered else ping(f"mongodb://u:hunter2@127.0.0.1:{port}/"))
                assert time.monotonic() - began < 5
            gc.collect()
        assert [str(each.message) for each in warned if each.category is ResourceWarning] == []
    finally:
        gc.enable()


def test_a_client_that_nobody_waits_for_any_more_is_closed_all_the_same() -> None:
    async def main(port: int) -> None:
        client = TidyClient(timeout_ms=3_000, host="127.0.0.1", port=port)
        asking = asyncio.create_task(client.pymongo.admin.command("ping"))
        async with asyncio.timeout(10):
            while not client._beats._count:
                await asyncio.sleep(0.01)
        closing = asyncio.create_task(client.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with suppress(PyMongoError):
            await asking
        with pytest.raises(InvalidOperation, match="after close"):
            await client.pymongo.admin.command("ping")

    with unanswering("is silent") as port, warnings.catch_warnings():
        # Whoever does not wait leaves a socket to the collector, which is to find it here and not in a later test.
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(main(port))
        gc.collect()


@pytest.mark.parametrize("url", ["mongodb://u:hunter2%zz@h", "mongodb://h:port", "mongodb://h/?authSource="])
def test_a_mongo_url_that_cannot_be_read_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match="MONGO_URL") as caught:
        Mongo(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.skipif(
    "OGEL_TEST_MONGODB_URL" not in os.environ, reason="OGEL_TEST_MONGODB_URL names no MongoDB"
)
def test_a_mongo_that_answers() -> None:
    assert asyncio.run(ping(os.environ["OGEL_TEST_MONGODB_URL"]))


def bucket(endpoint: str, name: str = "ogel-test") -> Bucket:
    return Bucket(endpoint, name, ACCESS_KEY, SECRET_KEY, region="us-east-1")


def check(bucket: Bucket) -> None:
    asyncio.run(check_bucket(bucket))


def test_an_s3_service_that_does_not_answer_is_named() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unavailable, match=r"^127.0.0.1:\d+ did not say yes"):
        check(bucket(endpoint))


@pytest.mark.parametrize(
    ("endpoint", "name"), [("http://127.0.0.1:1/path", "ogel-test"), ("http://127.0.0.1:1", "B")]
)
def test_a_bucket_that_cannot_be_is_a_setting_to_mend(endpoint: str, name: str) -> None:
    with pytest.raises(ConfigError, match=r"^S3_\* cannot be used"):
        check(bucket(endpoint, name))


def test_a_bucket_that_is_there(seaweed: Seaweed) -> None:
    check(seaweed.bucket)
    with pytest.raises(Unavailable, match="there is no bucket 'ogel-other'"):
        check(replace(seaweed.bucket, name="ogel-other"))
    with pytest.raises(Unavailable, match="did not say yes"):
        check(replace(seaweed.bucket, secret_key="another"))


def test_a_directory_that_can_be_written_to(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "storage")
    assert list((tmp_path / "new" / "storage").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be written to"):
        check_writable(tmp_path / "file" / "storage")
