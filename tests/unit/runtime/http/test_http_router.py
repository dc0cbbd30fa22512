"""Which path leads where."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ogel.kernel.errors import Malformed, NotFound
from ogel.runtime.http.exchange import Clients, open_exchange
from ogel.runtime.http.path import segments_of
from ogel.runtime.http.router import Router, RouterEntry, parameters


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send(scope)


def led_to(router: Router, path: str, kind: str = "http") -> tuple[str, dict[str, str]]:
    """The template and the parameters."""
    scope = {"type": kind, "raw_path": path.encode(), "headers": [], "client": None}
    exchange = open_exchange(scope, Clients(()))

    async def send(_: Any) -> None: ...

    asyncio.run(router(scope, send, send))  # type: ignore[arg-type]
    return exchange.template, dict(parameters(scope))


PATHS = ("/a", "/a/{id}", "/a/special", "/a/{id}/b", "/a/special/{name}", "/a/{x}/b/{y}", "/")
TREE = Router(
    [*(RouterEntry(path, app) for path in PATHS), RouterEntry("/ws/{id}", app, "websocket", stream=True)]
)


@pytest.mark.parametrize(
    ("path", "template", "values"),
    [
        ("/a", "/a", {}),
        ("/", "/", {}),
        ("/a/1", "/a/{id}", {"id": "1"}),
        ("/a/special", "/a/special", {}),
        ("/a/sp%65cial", "/a/special", {}),
        ("/a/special/b", "/a/special/{name}", {"name": "b"}),
        ("/a/other/b", "/a/{id}/b", {"id": "other"}),
        ("/a/special/b/2", "/a/{x}/b/{y}", {"x": "special", "y": "2"}),  # back from where the literal led
        ("/a/x%2Fy", "/a/{id}", {"id": "x/y"}),
        ("/a/{id}", "/a/{id}", {"id": "{id}"}),
        ("/a/é", "/a/{id}", {"id": "é"}),
        ("http://h/a/1", "/a/{id}", {"id": "1"}),
    ],
)
def test_a_path_leads_to_its_template(path: str, template: str, values: dict[str, str]) -> None:
    assert led_to(TREE, path) == (template, values)


@pytest.mark.parametrize(
    "path", ["", "a", "/b", "/a/", "//a", "/a//b", "/a/1/b/", "/a/1/b/2/c", "*", "/ws/1", "h:1"]
)
def test_elsewhere_there_is_nothing(path: str) -> None:
    with pytest.raises(NotFound):
        led_to(TREE, path)


def test_a_websocket_has_places_of_its_own() -> None:
    assert led_to(TREE, "/ws/1", "websocket") == ("/ws/{id}", {"id": "1"})
    with pytest.raises(NotFound):
        led_to(TREE, "/a", "websocket")


def test_a_path_of_many_segments_is_refused_soon() -> None:
    with pytest.raises(NotFound):
        led_to(TREE, "/a" * 30_000)


@pytest.mark.parametrize("twice", [("/a/{id}", "/a/{name}"), ("/a", "/a")])
def test_a_path_is_there_once(twice: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="twice"):
        Router(RouterEntry(path, app) for path in twice)


def test_a_parameter_is_a_whole_segment() -> None:
    with pytest.raises(ValueError, match="whole segment"):
        Router([RouterEntry("/a/{id}.json", app)])


def test_segments_are_decoded_once() -> None:
    assert segments_of(b"/a%252F/b%2Fc/") == ["", "a%2F", "b/c", ""]
    for wrong in (b"/%", b"/%zz", b"/%ff", b"/\xff"):
        with pytest.raises(Malformed):
            segments_of(wrong)
    for unknown in (b"/%00", b"/\x7f", b"/a\n"):
        with pytest.raises(NotFound):
            segments_of(unknown)


REST = Router(
    RouterEntry(path, app)
    for path in ("/o/{bucket}/{key:path}", "/o/{bucket}", "/o/{bucket}/info/{key:path}")
)


@pytest.mark.parametrize(
    ("path", "template", "values"),
    [
        ("/o/b", "/o/{bucket}", {"bucket": "b"}),
        ("/o/b/a", "/o/{bucket}/{key:path}", {"bucket": "b", "key": "a"}),
        ("/o/b/a%2Fb/c", "/o/{bucket}/{key:path}", {"bucket": "b", "key": "a/b/c"}),
        ("/o/b/a//b/", "/o/{bucket}/{key:path}", {"bucket": "b", "key": "a//b/"}),
        ("/o/b/info/a/b", "/o/{bucket}/info/{key:path}", {"bucket": "b", "key": "a/b"}),
        ("/o/b/info", "/o/{bucket}/{key:path}", {"bucket": "b", "key": "info"}),  # nothing is no rest
        ("/o/b/info/", "/o/{bucket}/{key:path}", {"bucket": "b", "key": "info/"}),
    ],
)
def test_the_last_parameter_may_take_all_the_rest(path: str, template: str, values: dict[str, str]) -> None:
    assert led_to(REST, path) == (template, values)


def test_nothing_stands_behind_the_rest() -> None:
    with pytest.raises(ValueError, match="goes on"):
        Router([RouterEntry("/o/{key:path}/info", app)])
    with pytest.raises(NotFound):
        led_to(REST, "/o/b/")
