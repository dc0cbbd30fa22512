"""Answers and bodies of any size for commands whose suite is this process: a few pieces at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ogel.cli.client import in_process
from ogel.environ import read_settings
from ogel.kernel.errors import NotFound
from tests.support.process import ADMIN_KEY, SECRET

OBJECT = "/storage/v1/object"
PIECE = b"0123456789abcdef" * 16_384
NUMBER = 40


def test_streams_pass_in_both_directions(suite_servers: dict[str, str], tmp_path: Path) -> None:
    here = {"OGEL_ADMIN_KEY": ADMIN_KEY, "OGEL_SECRET": SECRET, "OGEL_DATA_DIR": str(tmp_path)}
    settings = read_settings({**here, **suite_servers}).settings
    given = 0

    def body() -> Iterator[bytes]:
        nonlocal given
        for _ in range(NUMBER):
            given += 1
            yield PIECE

    def torn() -> Iterator[bytes]:
        yield PIECE
        raise OSError("the disk is gone")

    kind = {"content-type": "application/octet-stream"}
    with in_process(settings) as client:
        client.request("POST", "/storage/v1/bucket", body={"name": "big"})
        with client.streamed("POST", f"{OBJECT}/big/a", body=body(), headers=kind) as stored:
            assert b'"Key"' in stored.whole().body
        with client.streamed("GET", f"{OBJECT}/authenticated/big/a") as found:
            assert found.headers["content-length"] == str(len(PIECE) * NUMBER)
            got = hashlib.sha256(b"".join(found.pieces))
        assert got.digest() == hashlib.sha256(PIECE * NUMBER).digest()
        # What is not read on ends there, and the next request is answered.
        with client.streamed("GET", f"{OBJECT}/authenticated/big/a") as found:
            assert PIECE.startswith(next(found.pieces)[:16])
        with pytest.raises(NotFound), client.streamed("GET", f"{OBJECT}/authenticated/big/b"):
            pass
        with (
            pytest.raises(OSError, match="the disk is gone"),
            client.streamed("POST", f"{OBJECT}/big/b", body=torn(), headers=kind),
        ):
            pass
        with pytest.raises(NotFound):
            client.request("GET", f"{OBJECT}/authenticated/big/b")
