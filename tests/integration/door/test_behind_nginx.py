"""
The corpus behind nginx: the application is asked for nothing that nginx has not counted as a request, and gets no other
body than nginx has read. Skipped where there is no nginx.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from tests.integration.door.test_http_corpus import GROUPS
from tests.support.door import Exchange, Recorder, Request, answers, door, exchange, wire
from tests.support.frames import PING, PONG, TEXT, close, frame, text, websocket
from tests.support.http import story
from tests.support.http_corpus import AFTER, REFUSED, Case, numbered
from tests.support.process import free_port

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="no nginx here")
COUNTED = b"x-counted"
AT_ONCE = 20
# nginx takes what follows for trailers, and waits for their end.
WAITED_FOR = "chunks: the end is two others"
# As our docs have it, with connections that are kept, and a mark for each request.
SETTINGS = """
worker_processes 1;
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 2m;
  underscores_in_headers on;
  ignore_invalid_headers {ignore};
  upstream door {{ server 127.0.0.1:{to}; keepalive 4; }}
  map $http_upgrade $hop {{ default ""; websocket upgrade; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://door;
      proxy_http_version 1.1;
      proxy_request_buffering {buffering};
      proxy_next_upstream off;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $hop;
      proxy_set_header X-Counted $request_id;
      proxy_set_header X-Line $request;
    }}
  }}
}}
"""


@asynccontextmanager
async def nginx(folder: Path, to: int, *, buffering: bool, ignore: bool = True) -> AsyncIterator[int]:
    port = free_port()
    settings = folder / "nginx.conf"
    words = {True: "on", False: "off"}
    settings.write_text(
        SETTINGS.format(folder=folder, to=to, port=port, buffering=words[buffering], ignore=words[ignore])
    )
    assert NGINX
    log = (folder / "said").open("wb")
    command = [NGINX, "-p", str(folder), "-c", str(settings)]
    process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        await listening(port, process, folder)
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 20)
        log.close()


async def listening(port: int, process: asyncio.subprocess.Process, folder: Path) -> None:
    async with asyncio.timeout(20):
        while True:
            assert process.returncode is None, (folder / "said").read_text()
            try:
                async with wire(port):
                    return
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)


@contextmanager
def folder_for_anybody(tmp_path: Path) -> Iterator[Path]:
    """nginx's worker may be another user than we are."""
    for each in (tmp_path, *tmp_path.parents[:3]):
        if os.access(each, os.W_OK):
            each.chmod(each.stat().st_mode | 0o055)
    folder = tmp_path / "nginx"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    yield folder


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("buffering", [True, False], ids=["buffered", "passed on"])
def test_the_corpus(group: str, buffering: bool, tmp_path: Path) -> None:
    cases = {name: case for name, case in GROUPS[group].items() if name != WAITED_FOR}

    @story
    async def told() -> None:
        gate = asyncio.Semaphore(AT_ONCE)
        with folder_for_anybody(tmp_path) as folder:
            async with door() as recorder, nginx(folder, recorder.port, buffering=buffering) as port:

                async def one(number: int, case: Case) -> Exchange:
                    async with gate:
                        return await exchange(port, numbered(case.raw + AFTER, number))

                exchanges = await asyncio.gather(*(one(n, case) for n, case in enumerate(cases.values())))
                failures = judged(cases, exchanges, recorder)
        assert not failures, f"{len(failures)} of {len(cases)}:\n" + "\n".join(failures)

    told()


def judged(cases: dict[str, Case], exchanges: list[Exchange], recorder: Recorder) -> list[str]:
    failures = []
    requests = [request for _, request in recorder.requests]
    marks = Counter(tuple(request.values(COUNTED)) for request in requests)
    for request in requests:
        mark = tuple(request.values(COUNTED))
        if len(mark) != 1 or marks[mark] != 1:
            failures.append(f"nginx has not counted {request}")
    for (name, case), seen, number in zip(cases.items(), exchanges, range(len(cases)), strict=True):
        own = [each for each in requests if f"/{number:03d}/" in each.target]
        try:
            check(case, numbered(case.body, number), seen, own)
        except AssertionError as error:
            failures.append(f"{name}: {error}")
    return failures


def check(case: Case, body: bytes, seen: Exchange, requests: list[Request]) -> None:
    said = (
        seen.received if seen.received.startswith(b"HTTP/") else b""
    )  # to HTTP/0.9 there is no more than a body
    named = [
        answer.headers.get("x-name", REFUSED) for answer in answers(said, [each.method for each in requests])
    ]
    asked = [each.name for each in requests]
    story = f"{named}; got {seen.received[-300:]!r}, asked {asked}"
    assert seen.hung_up, f"still open: {story}"
    # nginx may hang up on who breaks the protocol later on, before it has passed an answer on.
    answered = [name for name in named if name != REFUSED]
    assert asked[: len(answered)] == answered, story
    for request in requests:
        [line] = request.values(b"x-line")
        assert request.name.encode("latin-1") in line, f"nginx has read {line!r}: {story}"
        if request.name == "first" and {("first",), ("first", "after")} & case.allowed:
            assert request.body == body, f"{request.body!r}: {story}"


def test_a_websocket_behind_nginx(tmp_path: Path) -> None:
    @story
    async def told() -> None:
        with folder_for_anybody(tmp_path) as folder:
            async with (
                door() as recorder,
                nginx(folder, recorder.port, buffering=True) as port,
                websocket(port) as session,
            ):
                session.wire.write(text("hello") + frame(PING, b"there?"))
                await session.until(lambda got: len(got) == 2)
                assert {each.opcode for each in session.frames} == {TEXT, PONG}
                session.wire.write(close())
                assert await session.wire.end()
                assert session.closed_with == 1000

    told()
