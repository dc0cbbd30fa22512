"""The client over HTTP, beside servers as operators meet them: behind paths and proxies, slow, strange, or not Ogel."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest

from ogel.cli import client as clients
from ogel.cli import over_http as ways
from ogel.cli.client import Client, over_http
from ogel.cli.profiles import Remote, clean_url
from ogel.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    OgelError,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from tests.support.answering import Answering, Asked, Handle, answer, answering
from tests.support.certificates import make_certificate
from tests.support.process import free_port

KEY = "ogel_secret-key"


@pytest.fixture(autouse=True)
def _no_proxies_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextmanager
def asking(handle: Handle, path: str = "", **more: Any) -> Iterator[tuple[Client, Answering]]:
    with (
        answering(handle, **more) as server,
        over_http(Remote(clean_url(server.url + path, "URL"), KEY)) as client,
    ):
        yield client, server


def problem(status: int, detail: str, errors: list[dict[str, str]] | None = None, **headers: str) -> Handle:
    document = {
        "type": "urn:ogel:x",
        "title": "x",
        "status": status,
        "detail": detail,
        "errors": errors or [],
    }
    return answer(status, msgspec.json.encode(document), "application/problem+json", **headers)


def test_it_asks_with_its_key_and_keeps_the_connection() -> None:
    with asking(answer(200, b'{"id":"x","big":12345678901234567890}\n')) as (client, server):
        query = {
            "a": "ö&b",
            "no": None,
            "yes": True,
            "by": ("x", "y"),
            "at": datetime(2026, 1, 1, tzinfo=UTC),
        }
        first = client.request("GET", "/api/events", query)
        client.request("POST", "/api/events", body={"type": "a.b"})
    assert first.body == b'{"id":"x","big":12345678901234567890}\n'
    get, post = server.asked
    assert get.target == "/api/events?a=%C3%B6%26b&yes=true&by=x%2Cy&at=2026-01-01T00%3A00%3A00.000000Z"
    assert get.headers["authorization"] == f"Bearer {KEY}"
    assert get.headers["user-agent"].startswith("ogel-cli/")
    assert "content-type" not in get.headers
    assert (post.body, post.headers["content-type"]) == (b'{"type":"a.b"}', "application/json")
    assert server.connections == 1


@pytest.mark.parametrize("path", ["", "/", "/ogel", "/ogel/", "/a/b//"])
def test_a_path_before_the_api_is_kept(path: str) -> None:
    with asking(answer(200, b"{}"), path) as (client, server):
        client.request("GET", "/api/health")
    assert server.asked[0].target == f"{path.rstrip('/')}/api/health"


def test_pages_are_joined_up_to_the_limit() -> None:
    def page(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        number = len(server.asked)
        items = [{"id": f"x_{number}_{place}"} for place in range(100 if number < 3 else 50)]
        answer(200, msgspec.json.encode({"items": items, "next": f"cursor{number}"}))(handler, asked)

    with asking(page) as (client, server):
        listed = client.listed("/api/x", 250, "x_0", {"status": "failed"})
    assert (len(listed.items), listed.next) == (250, "cursor3")
    targets = [asked.target for asked in server.asked]
    assert targets[0].startswith("/api/x?status=failed&limit=100&after=")
    assert targets[1:] == [
        "/api/x?status=failed&limit=100&after=cursor1",
        "/api/x?status=failed&limit=50&after=cursor2",
    ]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Unauthenticated), (403, Forbidden), (404, NotFound), (409, Conflict), (422, Invalid), (503, Unavailable),
     (500, OgelError)],
)  # fmt: skip
def test_problems_are_the_errors_they_were(status: int, kind: type[OgelError]) -> None:
    fields = [{"path": "query.limit", "message": "is wrong"}]
    with asking(problem(status, "No.", fields)) as (client, _), pytest.raises(kind) as caught:
        client.request("GET", "/api/x")
    assert type(caught.value) is kind
    assert caught.value.message == "No."
    assert [(each.path, each.message) for each in caught.value.errors] == [("query.limit", "is wrong")]


@pytest.mark.parametrize(
    ("handle", "said"),
    [
        (answer(200, b"<html>Welcome to nginx</html>", "text/html"), "answered 200 with text/html, not as Ogel does"),
        (answer(404, b"<h1>404</h1>", "text/html; charset=utf-8"), "answered 404 with text/html, not as Ogel does"),
        (answer(502, b"upstream \x1b[31mfailed\n", "text/plain"), "not as Ogel does: upstream \\x1b[31mfailed"),
        (answer(404, b"", "text/plain"), "is this the address of an Ogel?"),
        (answer(400, b"not json", "application/problem+json"), "not as Ogel does: not json"),
        (answer(301, b"", location="https://o.example/api/x?key=1"), "sends us to https://o.example/api/x: "),
        (answer(308, b"", location="https://other.example"), "sends us to https://other.example: if that is your Ogel"),
    ],
)  # fmt: skip
def test_whoever_is_not_ogel_is_told_apart(handle: Handle, said: str) -> None:
    with asking(handle) as (client, server), pytest.raises(OgelError) as caught:
        client.request("GET", "/api/x")
    assert said in caught.value.message
    assert not isinstance(caught.value, NotFound)  # it knows nothing of what was asked for
    assert "\x1b" not in caught.value.message and KEY not in caught.value.message
    assert len(server.asked) == 1  # no redirect was followed


def test_an_answer_of_another_version_is_said_to_be_one() -> None:
    class Known(msgspec.Struct):
        name: str

    with asking(answer(200, b'{"name": "a", "added": 1}')) as (client, _):
        assert client.request("GET", "/api/x").as_(Known) == Known("a")
    with (
        asking(answer(200, b'{"nome": "a"}')) as (client, _),
        pytest.raises(OgelError, match="another version"),
    ):
        client.request("GET", "/api/x").as_(Known)
    with asking(answer(200, b'{"na')) as (client, _), pytest.raises(OgelError, match="another version"):
        client.request("GET", "/api/x").as_(Known)


def test_too_many_requests_are_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    def handle(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        soon = "Wed, 21 Oct 2015 07:28:00 GMT"
        refusals = [problem(429, "Slow down.", retry_after="2"), problem(429, "Slow down.", retry_after=soon)]
        [*refusals, answer(200, b"{}")][len(server.asked) - 1](handler, asked)

    with asking(handle) as (client, server), mock.patch("ogel.cli.client.time.sleep") as sleep:
        client.request("POST", "/api/x", body={"n": 1})
    assert [call.args[0] for call in sleep.call_args_list] == [2.0, 0.0]
    assert {asked.body for asked in server.asked} == {b'{"n":1}'}
    assert "asks to wait 2 s" in capsys.readouterr().err


@pytest.mark.parametrize("headers", [{"retry_after": "3600"}, {"retry_after": "soon"}, {}])
def test_an_hour_is_not_waited_for(headers: dict[str, str]) -> None:
    with asking(problem(429, "Slow down.", **headers)) as (client, server), pytest.raises(RateLimited):
        client.request("GET", "/api/x")
    assert len(server.asked) == 1


def test_who_never_has_time_is_asked_so_often_and_no_more() -> None:
    with (
        asking(problem(429, "Slow down.", retry_after="0")) as (client, server),
        pytest.raises(RateLimited),
    ):
        client.request("GET", "/api/x")
    assert len(server.asked) == clients.MOST_WAITS + 1


def silent(handler: BaseHTTPRequestHandler, _: Asked) -> None:
    time.sleep(1.5)


def dripping(handler: BaseHTTPRequestHandler, _: Asked) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    for _n in range(30):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


def cut(handler: BaseHTTPRequestHandler, _: Asked) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.close_connection = True


def garbage(handler: BaseHTTPRequestHandler, _: Asked) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    handler.close_connection = True


@pytest.mark.parametrize(
    ("handle", "said"),
    [
        (silent, "did not answer in time"),
        (dripping, "did not end its answer in time"),
        (cut, "broke the connection off"),
        (garbage, "broke the connection off"),
    ],
)
def test_who_does_not_answer_is_away(handle: Handle, said: str) -> None:
    began = time.monotonic()
    with asking(handle) as (client, _), pytest.raises(Unavailable, match=said):
        client.request("GET", "/api/x", timeout_seconds=0.4)
    assert time.monotonic() - began < 5


def test_nobody_at_an_address_is_one_line() -> None:
    with (
        over_http(Remote(f"http://127.0.0.1:{free_port()}", KEY)) as client,
        pytest.raises(Unavailable, match="cannot be reached: Connection refused"),
    ):
        client.request("GET", "/api/x")
    with (
        over_http(Remote("http://nobody.invalid", KEY)) as client,
        pytest.raises(Unavailable, match=r"nobody.invalid cannot be reached: there is no such host"),
    ):
        client.request("GET", "/api/x")


def test_an_endless_answer_ends() -> None:
    with (
        mock.patch.object(ways, "MOST_BYTES", 100_000),
        asking(answer(200, b" " * 200_000)) as (client, _),
        pytest.raises(OgelError, match="answers with more than"),
    ):
        client.request("GET", "/api/x")
    bomb = answer(200, gzip.compress(b" " * 10_000_000), content_encoding="gzip")
    with (
        mock.patch.object(ways, "MOST_BYTES", 100_000),
        asking(bomb) as (client, _),
        pytest.raises(OgelError, match="answers with more than"),
    ):
        client.request("GET", "/api/x")


def test_certificates_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path, "localhost")
    with answering(answer(200, b"{}"), certificate) as server:
        remote = Remote(f"https://localhost:{server.port}", KEY)
        with over_http(remote) as client, pytest.raises(Unavailable) as caught:
            client.request("GET", "/api/x")
        assert "shows a certificate that is not good: self-signed certificate" in caught.value.message
        assert "SSL_CERT_FILE" in caught.value.message
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        with over_http(remote) as client:
            assert client.request("GET", "/api/x").status == 200
        other = Remote(f"https://127.0.0.1:{server.port}", KEY)
        with over_http(other) as client, pytest.raises(Unavailable, match="IP address mismatch"):
            client.request("GET", "/api/x")
    with (
        answering(answer(200, b"{}")) as server,
        over_http(Remote(f"https://127.0.0.1:{server.port}", KEY)) as client,
        pytest.raises(Unavailable, match="speaks no TLS: is it http://"),
    ):
        client.request("GET", "/api/x")


def test_proxies_of_the_environment_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(answer(200, b"{}")) as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:p%40ss@127.0.0.1:{proxy.port}")
        with over_http(Remote("http://ogel.example", KEY)) as client:
            assert client.request("GET", "/api/x").status == 200
        assert proxy.asked[0].target == "http://ogel.example/api/x"
        assert proxy.asked[0].headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"
        with asking(answer(200, b"{}")) as (client, server):  # on this machine
            client.request("GET", "/api/x")
        assert len(server.asked) == 1
        monkeypatch.setenv("no_proxy", "nobody.invalid")
        with (
            over_http(Remote("http://nobody.invalid", KEY)) as client,
            pytest.raises(Unavailable, match="no such host"),
        ):
            client.request("GET", "/api/x")
        assert len(proxy.asked) == 1


def test_a_proxy_that_refuses_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(answer(407, b"")) as proxy:
        monkeypatch.setenv("https_proxy", f"http://user:hunter2@127.0.0.1:{proxy.port}")
        with over_http(Remote("https://ogel.example", KEY)) as client, pytest.raises(Unavailable) as caught:
            client.request("GET", "/api/x")
    assert f"by the proxy http://127.0.0.1:{proxy.port}" in caught.value.message
    assert "407" in caught.value.message and "hunter2" not in caught.value.message
    assert all(asked.headers.get("authorization") is None for asked in proxy.asked)  # the key is not for it
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1080")
    with pytest.raises(OgelError, match="is no HTTP proxy"), over_http(Remote("https://ogel.example", KEY)):
        pass


def test_a_server_that_only_listens_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        remote = Remote(f"http://127.0.0.1:{deaf.getsockname()[1]}", KEY)
        with over_http(remote) as client, pytest.raises(Unavailable, match="did not answer in time"):
            client.request("GET", "/api/x", timeout_seconds=0.3)


def test_what_is_larger_than_any_answer_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "MOST_BYTES", 10_000)
    content = bytes(range(256)) * 4_000
    with asking(answer(200, content, "application/octet-stream")) as (client, server):
        with client.streamed("GET", "/x") as streamed:
            assert b"".join(streamed.pieces) == content
        # One that is not read to its end says nothing in the next one's place.
        with client.streamed("GET", "/x") as streamed:
            assert content.startswith(next(streamed.pieces))
        with client.streamed("PUT", "/x", body=iter([b"a" * 70_000, b"b"])) as streamed:
            pass
        with client.streamed("PUT", "/x", body=[b"abc"], headers={"content-length": "3"}) as streamed:
            assert b"".join(streamed.pieces) == content
    assert server.connections == 3
    chunked, measured = server.asked[2:]
    assert "content-length" not in chunked.headers and chunked.body == b"a" * 70_000 + b"b"
    assert "transfer-encoding" not in measured.headers and measured.body == b"abc"


def test_what_a_streamed_answer_refuses_is_the_error_it_was() -> None:
    stored = b'{"statusCode":"404","error":"not_found","message":"Object not found","code":"NoSuchKey"}'
    for handle, kind, said in (
        (answer(404, stored, "application/json"), NotFound, "Object not found"),
        (problem(422, "No."), Invalid, "No."),
    ):
        with asking(handle) as (client, _), pytest.raises(kind) as caught, client.streamed("GET", "/x"):
            pass
        assert caught.value.message == said


def test_an_answer_that_stalls_or_breaks_off_is_not_taken_for_whole() -> None:
    def half(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "10")
        handler.end_headers()
        handler.wfile.write(b"half.")
        handler.wfile.flush()
        if asked.target == "/stalls":
            time.sleep(0.6)
        handler.close_connection = True

    with asking(half) as (client, _):
        for path in ("/breaks", "/stalls"):
            with (
                pytest.raises(Unavailable, match=r"broke the connection off|did not answer in time"),
                client.streamed("GET", path, timeout_seconds=0.3) as streamed,
            ):
                list(streamed.pieces)


def test_a_body_that_breaks_off_is_not_the_servers_fault() -> None:
    def torn() -> Iterator[bytes]:
        yield b"a"
        raise OSError("the disk is gone")

    with (
        asking(answer(200, b"{}")) as (client, _),
        pytest.raises(OSError, match="the disk is gone"),
        client.streamed("PUT", "/x", body=torn()),
    ):
        pass
