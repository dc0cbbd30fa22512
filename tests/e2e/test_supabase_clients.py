"""
Client libraries of Supabase as npm and PyPI have them, against `ogel up`: sign-up, sign-in, codes, recovery, a second
factor, another site's account, administration, and tabs of a browser that refresh at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.conftest import Servers, migrated
from tests.golden.gotrue.clients import javascript
from tests.golden.gotrue.clients.play import play_calls
from tests.golden.gotrue.clients.python import PythonClient
from tests.golden.gotrue.differences import FORMATS
from tests.golden.gotrue.profiles import PROFILES
from tests.golden.gotrue.replay import Replay
from tests.golden.gotrue.suites import RunningSuite, connected, write_templates
from tests.support import npm
from tests.support.issuer import Issuer, an_issuer
from tests.support.markdown import ROOT, blocks, run_python
from tests.support.process import ADMIN_KEY, Ogel

TABS = 10
PAGE = ROOT / "docs" / "accounts.md"
# What a browser has, and node does not before version 22; and the digits of the newest mail.
BESIDE = """
import fs from "node:fs";
globalThis.WebSocket ??= class {};
async function digits(outbox) {
  for (let left = 100; left > 0; left -= 1) {
    const names = fs.existsSync(outbox) ? fs.readdirSync(outbox) : [];
    const newest = names.filter((name) => name.endsWith(".eml")).sort().at(-1);
    if (newest) return fs.readFileSync(`${outbox}/${newest}`, "utf8").match(/^\\d{6}\\b/m)[0];
    await new Promise((done) => setTimeout(done, 100));
  }
}
"""
needs_npm = npm.needs_npm("@supabase/auth-js")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with an_issuer() as started:
        yield started


@pytest.fixture
def suite(
    servers: Servers, _template: str, redis_url: str, tmp_path: Path, issuer: Issuer
) -> Iterator[tuple[RunningSuite, str]]:
    """With the URL that client libraries are told."""
    write_templates(tmp_path / "templates")
    settings = {
        **PROFILES["confirm"],
        **issuer.settings,
        "REDIS_URL": redis_url,
        "OGEL_DATA_DIR": str(tmp_path / "data"),
        "OGEL_MAIL_TEMPLATES": str(tmp_path / "templates"),
    }
    with (
        migrated(servers, _template) as url,
        Ogel("up", log=tmp_path / "ogel.log", DATABASE_URL=url, **settings) as ogel,
        connected(url) as connection,
    ):
        running = RunningSuite(ogel.api, connection, tmp_path / "data" / "outbox")
        yield running, f"http://127.0.0.1:{ogel.port}/auth/v1"


@needs_npm
def test_auth_js_gets_what_it_got(suite: tuple[RunningSuite, str], issuer: Issuer, supabase_js: Path) -> None:
    running, url = suite
    keys = running.keys()
    with (
        Replay(lambda _: nullcontext(running), FORMATS, issuer) as replay,
        javascript.JavaScriptClient(supabase_js, url, keys["<anon_key>"], ADMIN_KEY) as client,
    ):
        report = play_calls("client_auth_js.jsonl", client, replay, running, url)
    assert not report, "\n".join(report)


def test_supabase_auth_gets_what_it_got(suite: tuple[RunningSuite, str], issuer: Issuer) -> None:
    running, url = suite
    client = PythonClient(url, running.keys()["<anon_key>"], ADMIN_KEY)
    with Replay(lambda _: nullcontext(running), FORMATS, issuer) as replay, client:
        report = play_calls("client_supabase_auth_py.jsonl", client, replay, running, url)
    assert not report, "\n".join(report)


@needs_npm
def test_tabs_that_refresh_at_once_stay_signed_in(suite: tuple[RunningSuite, str], supabase_js: Path) -> None:
    running, url = suite
    anon_key = running.keys()["<anon_key>"]
    person = {"email": "ada@example.com", "password": "Correct-horse-1"}
    running.world.ok("POST", "/auth/v1/admin/users", {**person, "email_confirm": True})

    with javascript.JavaScriptClient(supabase_js, url, anon_key, ADMIN_KEY) as client:
        client.call("implicit", "signInWithPassword", [person])
        tabs = client.call("implicit", "tabs", [TABS]).result
    assert [tab["error"] for tab in tabs] == [None] * TABS
    assert len({tab["token"] for tab in tabs}) == 1

    with PythonClient(url, anon_key, ADMIN_KEY) as python:
        token = python.sign_in(person)
        with ThreadPoolExecutor(TABS) as threads:
            refreshed = list(threads.map(python.refresh_elsewhere, [token] * TABS))
    assert len(set(refreshed)) == 1


@needs_npm
def test_what_the_page_shows_in_javascript(
    suite: tuple[RunningSuite, str], supabase_js: Path, tmp_path: Path
) -> None:
    running, url = suite
    outbox = str(tmp_path / "data" / "outbox")
    [shown] = _code_of_page("js", running, url)
    shown = shown.replace('"123456"', f"await digits({outbox!r})")
    assert javascript.run(supabase_js, BESIDE + shown) == "ada@example.com\n"


def test_what_the_page_shows_in_python(suite: tuple[RunningSuite, str]) -> None:
    running, url = suite
    person = {"email": "ada@example.com", "password": "correct horse battery"}
    running.world.ok("POST", "/auth/v1/admin/users", {**person, "email_confirm": True})
    printed = [run_python(code) for code in _code_of_page("python", running, url)]
    assert "".join(printed) == "ada@example.com\n"


def _code_of_page(language: str, running: RunningSuite, url: str) -> list[str]:
    """With this suite's address and keys in place of those that a reader has."""
    instead = {
        "http://localhost:8080": url.removesuffix("/auth/v1"),
        "ogel_publishable_…": running.keys()["<anon_key>"],
        "ogel_…": ADMIN_KEY,
    }
    shown = [block.text for block in blocks(PAGE) if block.language == language]
    for here, there in instead.items():
        shown = [text.replace(here, there) for text in shown]
    return shown
