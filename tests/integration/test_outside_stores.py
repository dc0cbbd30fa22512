"""MongoDB and object storage, as health and `ogel doctor` ask them: an answer within bounds, whatever is there."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ogel.adapters.mongo import Mongo
from ogel.adapters.storage.local import check_writable
from ogel.adapters.storage.s3 import Bucket, check_bucket
from ogel.kernel.errors import ConfigError, Unavailable
from tests.support.process import free_port
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY, Seaweed


async def ping(url: str) -> bool:
    mongo = Mongo(url)
    try:
        return await mongo.ping()
    finally:
        await mongo.close()


@pytest.fixture
def pymongos_leak() -> Iterator[None]:
    """A monitor of pymongo that is cancelled while it connects leaves its socket to the garbage collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.usefixtures("pymongos_leak")
@pytest.mark.parametrize("silent", [False, True])
def test_a_mongo_that_does_not_answer_is_given_up_on(silent: bool) -> None:
    """Refused, or accepted by someone who says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1] if silent else free_port()
        began = time.monotonic()
        with pytest.raises(Unavailable, match="MongoDB did not answer"):
            asyncio.run(ping(f"mongodb://u:hunter2@127.0.0.1:{port}/"))
        assert time.monotonic() - began < 5


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
