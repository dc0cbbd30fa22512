"""An S3 service for tests: SeaweedFS with one bucket."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ogel.adapters.storage.s3 import Bucket, check_bucket
from ogel.kernel.errors import Unavailable
from tests.support.process import eventually

ACCESS_KEY, SECRET_KEY = "ogel-access", "ogel-secret-0123456789"
BUCKET = "ogel-test"


@dataclass(frozen=True)
class Seaweed:
    bucket: Bucket

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make it Ogel's store."""
        return {
            "STORAGE_BACKEND": "s3",
            "S3_ENDPOINT": self.bucket.endpoint,
            "S3_BUCKET": self.bucket.name,
            "S3_ACCESS_KEY": self.bucket.access_key,
            "S3_SECRET_KEY": self.bucket.secret_key,
        }


@contextmanager
def seaweed(directory: Path) -> Iterator[Seaweed]:
    """Its ports lie below those the system hands out."""
    base = low_ports(10)
    ports = ["s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc",
             "filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc"]  # fmt: skip
    command = [
        "weed", "-logtostderr=true", "mini", f"-dir={directory}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-bucket={BUCKET}", "-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
        f"-filer.localSocket={directory}/f.sock", f"-s3.localSocket={directory}/s.sock",
        *(f"-{name}={base + offset}" for offset, name in enumerate(ports)),
    ]  # fmt: skip
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(directory),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "GOMEMLIMIT": "400MiB",
    }
    bucket = Bucket(f"http://127.0.0.1:{base}", BUCKET, ACCESS_KEY, SECRET_KEY, region="us-east-1")
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        eventually(lambda: answers(bucket), 30, "SeaweedFS to have its bucket")
        yield Seaweed(bucket)
    finally:
        process.kill()
        process.wait(10)


def answers(bucket: Bucket) -> bool:
    try:
        asyncio.run(check_bucket(bucket))
    except Unavailable:
        return False
    return True


def low_ports(count: int) -> int:
    """The first of so many neighbouring free ports."""
    for base in range(10_000 + os.getpid() % 1000 * 20, 32_000, count):
        listeners: list[socket.socket] = []
        try:
            listeners += [socket.create_server(("127.0.0.1", base + n)) for n in range(count)]
        except OSError:
            continue
        else:
            return base
        finally:
            for listener in listeners:
                listener.close()
    raise AssertionError("no neighbouring ports are free")
