"""The recorded calls of a client library, made by the library itself against a suite that runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.golden.compare import compare
from tests.golden.expectation import expected
from tests.golden.gotrue.client_differences import RESULTS
from tests.golden.gotrue.clients.client import Client
from tests.golden.gotrue.compare import compare_mails
from tests.golden.gotrue.differences import DIFFERENCES, everywhere
from tests.golden.gotrue.replay import Replay
from tests.golden.gotrue.stories import STORIES
from tests.golden.gotrue.suites import Mailbox
from tests.golden.gotrue.transcript import HERE, Json, Line, lines_of

# Arguments that were objects of the library, and were not written down as they were.
_ARGS: Mapping[str, Sequence[Any]] = {
    "unlinkIdentity": [{"identity_id": "<uuid:identity2>"}],
    "signInWithPassword (for admin.signOut)": [{"email": "ada@example.com", "password": "Correct-horse-1"}],
    "admin.mfa.list_factors": [{"user_id": "<uuid:user4>"}],
}
_URL = "http://auth.example.com/auth/v1"


def play_calls(file: str, client: Client, replay: Replay, mailbox: Mailbox, url: str) -> list[str]:
    """What came otherwise, a line each. `url` is where the library finds the suite."""
    report = []
    for text in (HERE / file).read_text().splitlines():
        call = json.loads(text)
        lines = lines_of(call)
        try:
            for name in [call["name"], *(line.name for line in lines[1:])]:
                for step in STORIES[file].get(name, ()):
                    step(replay)
            came = _play(file, call, lines, client, replay, mailbox, url)
        except AssertionError as error:
            came = [repr(error)]
        report += [f"{call['name']}: {each}" for each in came]
    return report


def _play(
    file: str,
    call: Json,
    lines: Sequence[Line],
    client: Client,
    replay: Replay,
    mailbox: Mailbox,
    url: str,
) -> list[str]:
    args = replay.labels.fill(_ARGS.get(call["name"], call["args"]))
    called = client.call(_which(call["name"]), _method(call["name"]), args)
    if len(called.answers) != len(lines):
        asked = [f"{each.method} {each.path} {each.status}" for each in called.answers]
        return [f"asked {asked} for {len(lines)} requests, and got {called.result}"]
    report = []
    for line, answer in zip(lines, called.answers, strict=True):
        wanted = expected(line, [*everywhere(line), *DIFFERENCES.get(file, ())])
        if answer.status != wanted["status"]:
            return [*report, f"status {wanted['status']}: came {answer.status} {answer.body}"]
        report += _compare_body(wanted["body"], answer.body, replay)
        report += compare_mails(wanted["mails"], mailbox.mails(len(wanted["mails"])), replay.labels)
    if call["result"] is not None:
        told = json.loads(replay.as_recorded(json.dumps(called.result)).replace(url, _URL))
        report += compare_result(RESULTS.get(call["name"], call["result"]), told, replay)
    return report


def _compare_body(wanted: Any, came: str, replay: Replay) -> list[str]:
    body = json.loads(replay.as_recorded(came)) if came else None
    if isinstance(body, dict) and "url" in body:
        replay.location = json.loads(came)["url"]
    return compare(wanted, body, replay.labels)


def compare_result(recorded: Any, came: Any, replay: Replay, where: str = "result") -> list[str]:
    """`<object>`, `<array of 2>` and `<long string>` stand for any of these."""
    if recorded == "<object>":
        return [] if isinstance(came, dict) else [f"{where}: no object, but {came!r}"]
    if isinstance(recorded, str) and recorded.startswith("<array of "):
        length = len(came) if isinstance(came, list) else None
        return [] if recorded == f"<array of {length}>" else [f"{where}: {recorded}, came {came!r}"]
    if recorded == "<long string>":
        return [] if isinstance(came, str) else [f"{where}: no text, but {came!r}"]
    if isinstance(recorded, dict) and isinstance(came, dict) and recorded.keys() == came.keys():
        parts = [part for part in recorded if not _says_of_go(part, recorded[part])]
        return [
            line
            for part in parts
            for line in compare_result(recorded[part], came[part], replay, f"{where}.{part}")
        ]
    return compare(recorded, came, replay.labels, where)


def _says_of_go(part: str, text: Any) -> bool:
    return part == "message" and isinstance(text, str) and text.startswith("invalid JWT: ")


def _which(name: str) -> str:
    if name.startswith("admin.") and "anon key" not in name:
        return "admin"
    return "pkce" if "pkce" in name or name.startswith("exchangeCodeForSession") else "implicit"


def _method(name: str) -> str:
    return name.removeprefix("pkce ").split(" ")[0]
