"""`ogel webhooks verify`: valid, or all that is wrong, in words and for machines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Finished, ogel_here
from tests.unit.features.webhooks.secrets.vectors import V1, V2, V3, V3_PUBLIC, Vector

AT = str(V1.timestamp)


@pytest.fixture
def body(tmp_path: Path) -> str:
    path = tmp_path / "body.json"
    path.write_bytes(V1.body)
    return str(path)


def options(vector: Vector = V1, **changed: str | None) -> list[str]:
    given: dict[str, str | None] = {
        "secret": vector.secret,
        "id": vector.id,
        "timestamp": str(vector.timestamp),
        "signature": vector.signature,
        "at": AT,
        **changed,
    }
    return [f"--{name}={value}" for name, value in given.items() if value is not None]


def verify(*arguments: str) -> Finished:
    return ogel_here("webhooks", "verify", *arguments)


@pytest.mark.parametrize(
    "given",
    [
        options(),
        options(V3),
        [*options(V3, secret=None), "--public-key", V3_PUBLIC],
        [*options(secret=V2.secret), "--secret", V1.secret],
        options(at="2021-02-25T15:02:10Z"),
        options(at="2021-02-25T16:07:10+01:00"),
        [*options(at=None), "--tolerance", "none"],
        [*options(at=str(V1.timestamp + 1000)), "--tolerance", "1000"],
        options(signature=f"garbage {V1.signature}"),
    ],
)
def test_a_good_request_is_valid(body: str, given: list[str]) -> None:
    done = verify(*given, body)
    assert (done.code, done.out, done.err) == (0, "valid\n", "")
    assert json.loads(verify(*given, "--json", body).out) == {"valid": True, "problems": []}


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (options(at=None), "too_old", "webhook-timestamp is too old by "),
        (options(at=str(V1.timestamp + 301)), "too_old", "webhook-timestamp is too old by 1 s"),
        (
            options(at=str(V1.timestamp - 310)),
            "too_new",
            "webhook-timestamp is too far in the future by 10 s",
        ),
        ([*options(at=str(V1.timestamp + 2)), "--tolerance", "1"], "too_old", "too old by 1 s"),
        (options(timestamp=None), "missing_header", "webhook-timestamp is missing"),
        (options(timestamp="soon"), "bad_timestamp", "'soon' is no whole number of Unix seconds"),
        (options(secret=V2.secret), "no_match", "no key given made this v1 signature"),
        (options(signature=f"v2,{V1.signature[3:]}"), "unknown_version", "'v2' is no known version"),
        (options(signature="v1,***"), "bad_signature", "what follows 'v1' is not base64"),
        (options(signature=V3.signature), "no_key", "no key to check v1a with was given"),
    ],
)
def test_what_is_wrong_is_named(body: str, given: list[str], code: str, said: str) -> None:
    done = verify(*given, body)
    assert done.code == 1
    first, *problems = done.out.splitlines()
    assert first == "not valid"
    assert [said in problem for problem in problems] == [True]
    machine = verify(*given, "--json", body)
    assert machine.code == 1
    answer: Any = json.loads(machine.out)
    assert not answer["valid"]
    assert [problem["code"] for problem in answer["problems"]] == [code]


def test_headers_come_from_a_file_as_they_were_captured(body: str, tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    lines = ["POST /hook HTTP/1.1", "Host: x:1", *(f"{k.title()}:   {v} " for k, v in V1.headers), "", ""]
    for ending in ("\n", "\r\n"):
        headers.write_bytes(ending.join(lines).encode())
        done = verify("--secret", V1.secret, "--at", AT, "--headers", str(headers), body)
        assert (done.code, done.out) == (0, "valid\n")
    twice = verify("--secret", V1.secret, "--at", AT, "--headers", str(headers), "--id", V1.id, body)
    assert (twice.code, "webhook-id is given more than once" in twice.out) == (1, True)
    headers.write_text("not a header\nat all\n")
    refused = verify("--secret", V1.secret, "--headers", str(headers), body)
    assert (refused.code, "line 1" in refused.err) == (2, True)


def test_a_secret_need_not_be_an_argument(body: str) -> None:
    given = [*options(secret=None), "--secret-from"]
    assert ogel_here("webhooks", "verify", *given, "HOOK", body, HOOK=V1.secret).out == "valid\n"
    both = ogel_here("webhooks", "verify", *given, "A", "--secret-from", "B", body, A=V2.secret, B=V1.secret)
    assert both.out == "valid\n"
    command = [sys.executable, "-m", "ogel", "webhooks", "verify", *given, "-", body]
    assert subprocess.run(command, input=f"{V1.secret}\n".encode(), timeout=60).returncode == 0
    twice = subprocess.run([*command, "--headers", "-"], input=b"", capture_output=True, timeout=60)
    assert (twice.returncode, b"the standard input is one thing only" in twice.stderr) == (2, True)


def test_the_body_may_come_from_a_pipe() -> None:
    command = [sys.executable, "-m", "ogel", "webhooks", "verify", *options(), "-"]
    for piped, code in ((V1.body, 0), (V1.body + b"\n", 1)):
        assert subprocess.run(command, input=piped, capture_output=True, timeout=60).returncode == code


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (options(secret=None), "give --secret, --secret-from or --public-key"),
        (options(secret=""), "--secret has 0 bytes"),
        (options(secret="whsec_"), "--secret has 0 bytes"),
        ([*options(secret=None), "--public-key", V3.secret], "--public-key does not begin with 'whpk_'"),
        (options(at="yesterday"), "'yesterday' is neither"),
        (options(at="2021-02-25T15:02:10"), "is neither Unix seconds nor a time"),
        ([*options(), "--tolerance", "-1"], "'-1' is neither"),
        ([*options(), "--headers", "/nowhere"], "/nowhere"),
        (
            [*options(secret=None), "--secret-from", "NOT_SET"],
            "--secret-from: the variable 'NOT_SET' is not set",
        ),
    ],
)
def test_what_cannot_be_checked_is_said_before_anything(body: str, given: list[str], said: str) -> None:
    done = verify(*given, body)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert V3.secret[5:] not in done.err


def test_no_server_and_no_setting_is_needed() -> None:
    assert ogel_here("webhooks", "--help").code == 0
    code = (
        "import sys; from ogel.cli import main; sys.argv = ['ogel', 'webhooks', '--help']\n"
        "try: main()\n"
        "finally: print([m for m in sys.modules if m.startswith('ogel.cli.webhooks_')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "verify" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "[]"
