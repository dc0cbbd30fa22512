"""`ogel` where there is nothing but an address and a key: profiles, scopes, and what the API says."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.support.answering import answer, answering
from tests.support.cli import Finished, ogel, ogel_here
from tests.support.contract import settled
from tests.support.on_terminal import OnTerminal
from tests.support.process import ADMIN_KEY, Client, Ogel, free_port
from tests.support.receiver import Answer, Receiver

Run = Callable[..., Finished]
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"OGEL_WEBHOOK_RETRY_DELAYS": "0.1"}


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config"), "OGEL_DATA_DIR": str(tmp_path / "none")}


@pytest.fixture
def run(suite: Ogel, home: dict[str, str]) -> Run:
    """With OGEL_URL and the admin key, unless settings say otherwise; no database, no Redis, no secret."""

    def run(*arguments: str, stdin: str = "", **settings: str) -> Finished:
        there = {"OGEL_URL": f"http://127.0.0.1:{suite.port}/", "OGEL_KEY": ADMIN_KEY}
        with mock.patch.object(sys, "stdin", io.StringIO(stdin)):
            return ogel_here(*arguments, **{**home, **there, **settings})

    return run


@pytest.fixture
def webhook(api: Client) -> Iterator[dict[str, str]]:
    with Receiver(lambda _: Answer(500, b"no")) as receiver:
        new = {"url": receiver.url(), "events": ["elsewhere.*"]}
        id = api.ok("POST", "/api/webhooks", new)["id"]
        event = api.ok("POST", "/api/events", {"type": "elsewhere.a", "data": 1})["id"]
        settled(api, event, "failed")
        delivery = api.ok("GET", f"/api/deliveries?event={event}")["items"][0]["id"]
        yield {"id": id, "event": event, "delivery": delivery}
        api.ok("DELETE", f"/api/webhooks/{id}")


def document(finished: Finished) -> Any:
    assert finished.code == 0, finished.err
    return json.loads(finished.out)


def test_it_says_the_same_as_the_api(api: Client, run: Run, webhook: dict[str, str]) -> None:
    id, delivery, event = webhook["id"], webhook["delivery"], webhook["event"]
    for typed, path in (
        (f"deliveries list --webhook {id}", f"/api/deliveries?webhook={id}"),
        (f"deliveries show {delivery}", f"/api/deliveries/{delivery}"),
        ("schedules list", "/api/schedules?limit=50"),
        (f"events show {event}", f"/api/events/{event}"),
        (f"show {delivery}", f"/api/deliveries/{delivery}"),
        ("jobs list --status dead", "/api/jobs?status=dead"),
        (f"request GET /api/events/{event}", f"/api/events/{event}"),
    ):
        asked = typed.split() if typed.startswith("request") else [*typed.split(), "--json"]
        assert document(run(*asked)) == api.ok("GET", path), typed
    shown = run("webhooks", "show", id).out
    assert "elsewhere.*" in shown and delivery in shown
    paused = run("webhooks", "pause", id)
    assert (paused.code, paused.out) == (0, f"{id} paused, deliveries: 0 waiting or under way\n")
    [record] = api.ok("GET", f"/api/audit-logs?resource_id={id}&action=webhook.update")["items"]
    assert record["actor"] == "admin"


def test_scopes_count(api: Client, run: Run, webhook: dict[str, str], suite_servers: dict[str, str]) -> None:
    made = ogel("keys", "create", "reader", "--scope", "webhooks:read", "--json", **suite_servers)
    answer = json.loads(made.out)
    assert {*answer} >= {"id", "key", "scopes", "networks", "made_by"}  # as the API says it
    key = answer["key"]
    assert webhook["id"] in run("webhooks", "list", OGEL_KEY=key).out
    refused = run("webhooks", "pause", webhook["id"], OGEL_KEY=key)
    assert (refused.code, refused.err) == (2, "ogel: This key lacks the scope 'webhooks:write'.\n")
    unknown = run("webhooks", "list", OGEL_KEY="ogel_nobody")
    assert (unknown.code, unknown.err) == (2, "ogel: This key is not known.\n")
    me = document(run("whoami", "--json", OGEL_KEY=key))
    assert (me["kind"], me["scopes"]) == ("key", ["webhooks:read"])
    assert "webhooks:read" in run("whoami", OGEL_KEY=key).out


def test_from_login_to_logout(run: Run, suite: Ogel, home: dict[str, str], tmp_path: Path) -> None:
    nothing = {"OGEL_URL": "", "OGEL_KEY": ""}
    url = f"http://127.0.0.1:{suite.port}"
    lost = run("jobs", "list", **nothing)
    assert lost.code == 2 and "`ogel login URL`" in lost.err and home["OGEL_DATA_DIR"] in lost.err
    made = run("login", f"{url}/", "--key-stdin", stdin=ADMIN_KEY + "\n", **nothing)
    assert (made.code, made.err) == (0, "")
    assert (
        made.out
        == f"{url} knows you as admin; it is the profile default now, and used where nothing else is said\n"
    )
    file = tmp_path / "config" / "ogel" / "profiles.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert run("jobs", "list", "--status", "dead", **nothing).code == 0
    assert document(run("whoami", "--json", **nothing))["where"] == url
    again = run("login", url, "--profile", "second", "--key-stdin", stdin=ADMIN_KEY, **nothing)
    assert again.code == 0
    assert document(run("--profile", "default", "whoami", "--json", **nothing))["profiles"] == [
        "default",
        "second",
    ]
    wrong = run("--profile", "third", "whoami", **nothing)
    assert wrong.code == 2 and "no profile 'third'; there are default, second" in wrong.err
    assert run("logout", "--profile", "second", **nothing).out == f"the key for {url} is forgotten\n"
    assert run("--profile", "default", "logout", **nothing).code == 0
    assert run("logout", **nothing).code == 1
    assert ADMIN_KEY not in file.read_text()


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["login"], "", "Missing argument 'URL'"),
        (
            ["login", "ogel.example.com", "--key-stdin"],
            "x",
            "URL takes a URL such as https://ogel.example.com",
        ),
        (["login", "https://u:hunter2@ogel.example", "--key-stdin"], "x", "URL names a user"),
        (["login", "http://127.0.0.1:1", "--key-stdin"], "", "the standard input is empty"),
        (["login", "http://127.0.0.1:1", "--key-stdin"], "hunter2\u00fc", "holds no key"),
        (["login", "http://127.0.0.1:1"], "", "say --key-stdin"),
        (["login", "http://127.0.0.1:1", "--key-stdin"], "hunter2", "http://127.0.0.1:1 cannot be reached"),
        (["login", "http://127.0.0.1:1", "--key-stdin", "--profile", "a b"], "x", "is no profile's name"),
    ],
)
def test_a_login_that_cannot_be_keeps_nothing(
    run: Run, tmp_path: Path, arguments: list[str], stdin: str, said: str
) -> None:
    refused = run(*arguments, stdin=stdin)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err and "hunter2" not in refused.err and "Traceback" not in refused.err
    assert not (tmp_path / "config").exists()


def test_whoever_is_not_ogel_gets_no_profile(run: Run, tmp_path: Path) -> None:
    with answering(answer(200, b"<html></html>", "text/html")) as server:
        refused = run("login", server.url, "--key-stdin", stdin="x")
    assert refused.code == 2 and "is this the address of an Ogel?" in refused.err
    with answering(answer(302, location="https://login.example/?next=x")) as server:
        refused = run("login", server.url, "--key-stdin", stdin="x")
    assert refused.code == 2 and "sends us to https://login.example/: if that is your Ogel" in refused.err
    assert not (tmp_path / "config").exists()


def test_the_key_is_asked_for_and_not_shown(suite: Ogel, home: dict[str, str]) -> None:
    command = [sys.executable, "-m", "ogel", "login", f"http://127.0.0.1:{suite.port}"]
    with OnTerminal(command, {**home, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}) as terminal:
        terminal.until(lambda written: "Key for" in written)
        terminal.type(ADMIN_KEY + "\n")
        shown = terminal.end()
    assert "knows you as admin" in shown and ADMIN_KEY not in shown


def test_events_are_published_and_looked_up(api: Client, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_text('{"n": 12345678901234567890, "price": 1.10}')
    made = run("events", "publish", "by.hand", "--data", f"@{file}", "--subject", "order/1", "--id", "hand-1")
    assert (made.code, made.out) == (0, "hand-1 published, deliveries: 0\n")
    assert '"n":12345678901234567890' in run("events", "show", "hand-1", "--json").out.replace(" ", "")
    assert "1.10" in run("show", "hand-1").out
    for number in range(3):
        assert run("events", "publish", "by.number", "--data", str(number)).code == 0
    first = document(run("events", "list", "--type", "by.number", "--limit", "2", "--json"))
    assert [each["data"] for each in first["items"]] == [2, 1]
    rest = document(run("events", "list", "--type", "by.number", "--after", first["next"], "--json"))
    assert ([each["data"] for each in rest["items"]], rest["next"]) == ([0], None)
    assert "there are more: --after" in run("events", "list", "--limit", "1").err
    for arguments, said in (
        (["a b"], "TYPE: takes words of letters"),
        (["a", "--data", "{"], "--data is not JSON"),
        (["a", "--data", "@/nowhere"], "--data: '/nowhere' cannot be read: No such file"),
        (["a", "--id", "a.b"], "--id: takes 1 to 128 letters"),
    ):
        refused = run("events", "publish", *arguments)
        assert refused.code == 2 and said in refused.err


def test_any_call_and_any_id(api: Client, run: Run, webhook: dict[str, str]) -> None:
    for id, said in (
        (webhook["id"], "Last deliveries"), (webhook["event"], "elsewhere.a"), (webhook["delivery"], "Attempt 1"),
    ):  # fmt: skip
        assert said in run("show", id).out
    nothing = run("show", "wh_none")
    assert (nothing.code, nothing.err) == (1, "ogel: Nothing has the id 'wh_none'.\n")
    sent = run("request", "post", "/api/events", "--data", '{"type": "by.request", "data": 1}')
    id = document(sent)["id"]
    lines = run("request", "GET", "/api/events", "-q", "limit=1", "--all").out.splitlines()
    assert json.loads(lines[0])["id"] == id and len(lines) > 1
    refused = run("request", "GET", "/api/events/none")
    assert (refused.code, json.loads(refused.out)["status"]) == (1, 404)
    assert refused.err == "GET /api/events/none: 404\n"
    assert run("request", "GET", "/metrics").out.startswith("# HELP")
    for arguments, said in (
        (["GET", "api/events"], "PATH begins with /"),
        (["GET", "/api/events?x=1"], "its query goes into --query"),
        (["GET", "/api/events", "-q", "limit"], "is not NAME=VALUE"),
        (["POST", "/api/events", "--all"], "--all is of a list"),
        (["BREW", "/coffee"], "'BREW' is not one of"),
    ):
        assert said in run("request", *arguments).err


def test_in_this_process_the_same(suite_servers: dict[str, str], home: dict[str, str], api: Client) -> None:
    here = {**home, **suite_servers}
    with mock.patch("ogel.runtime.log.setup.configure_logging"):
        me = document(ogel_here("whoami", "--json", **here))
        assert (me["kind"], me["id"].partition(":")[0], me["scopes"]) == ("system", "cli", ["*"])
        assert document(ogel_here("request", "GET", "/api/me", **here))["id"] == me["id"]
        refused = ogel_here("request", "POST", "/api/webhooks", "--data", "{}", **here)
        assert refused.code == 2 and "OGEL_SECRET" in refused.err


def test_nobody_at_the_address_is_one_line(home: dict[str, str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    refused = ogel("webhooks", "list", OGEL_URL=url, OGEL_KEY="x", **home)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == f"ogel: {url} cannot be reached: Connection refused\n"


def test_json_is_utf_8_whatever_the_terminal_has(suite: Ogel, home: dict[str, str], api: Client) -> None:
    api.ok("POST", "/api/events", {"type": "of.letters", "data": "注文 \u2028 ü", "id": "letters"})
    there = {"OGEL_URL": f"http://127.0.0.1:{suite.port}", "OGEL_KEY": ADMIN_KEY, **home}
    for encoding in ("ascii", "cp1252"):
        shown = ogel(
            "events", "show", "letters", "--json", PYTHONIOENCODING=encoding, PYTHONUTF8="0", **there
        )
        assert document(shown)["data"] == "注文 \u2028 ü"
        table = ogel("events", "show", "letters", PYTHONIOENCODING=encoding, PYTHONUTF8="0", **there)
        assert table.code == 0 and "of.letters" in table.out, table.err


def test_help_imports_no_client() -> None:
    import subprocess

    code = (
        "import sys; from ogel.cli import cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "print(sorted(m for m in sys.modules if m.startswith(('urllib3', 'aiohttp', 'rich', 'asyncio', 'ssl'))))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert finished.stdout.splitlines()[-1] == "[]"
