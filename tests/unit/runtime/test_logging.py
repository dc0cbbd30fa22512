"""Lines of the log: for people on a terminal, JSON elsewhere; whatever is logged, and whoever logs it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.forking import on_path
from tests.support.on_terminal import OnTerminal

ROOT = Path(__file__).parents[3]
BEGIN = """
import logging, sys, threading, warnings
import structlog
from ogel.runtime.log.setup import configure_logging
configure_logging("info", form=None if len(sys.argv) < 2 else sys.argv[1])
log = structlog.get_logger("ogel.test")
"""
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"


def python(environment: Mapping[str, str]) -> str:
    """One that has imported everything, unless it must begin anew for what is asked of it."""
    anew = any(name.startswith("PYTHON") for name in environment)
    return sys.executable if anew else str(on_path() / "python")


def piped(program: str, *arguments: str, **environment: str) -> list[str]:
    finished = subprocess.run(
        [python(environment), "-c", BEGIN + program, *arguments],
        cwd=ROOT, env={"PATH": "/usr/bin", "LANG": "C.UTF-8", **environment},
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert finished.stderr == b""
    return finished.stdout.decode().splitlines()


def shown(program: str, *arguments: str, **environment: str) -> list[str]:
    with OnTerminal(
        [python(environment), "-c", BEGIN + program, *arguments], {"PYTHONPATH": str(ROOT), **environment}
    ) as terminal:
        return terminal.end().splitlines()


def only(lines: list[str]) -> dict[str, Any]:
    [line] = lines
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_terminal_gets_time_level_message_and_fields() -> None:
    [line] = shown(
        "log.warning('redis.away', error='Connection refused', tries=3, queue='webhooks')", NO_COLOR="1"
    )
    assert re.fullmatch(
        STAMP + r'  warning  redis.away  error="Connection refused"  tries=3  queue=webhooks', line
    )


def test_a_pipe_gets_json_with_the_message_first() -> None:
    [line] = piped("log.warning('redis.away', error='Connection refused', logger='x', time='never')")
    assert line.startswith('{"message": "redis.away", "level": "warning", "time": "20')
    assert json.loads(line)["error"] == "Connection refused"


def test_ogel_log_says_which_whatever_it_is_written_to() -> None:
    assert only(shown("log.info('a')", "json"))["message"] == "a"
    assert re.fullmatch(STAMP + "  info     a", *piped("log.info('a')", "text"))


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": ""}, True),
        ({"NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"FORCE_COLOR": "0"}, True),
    ],
)
def test_colours_are_where_they_are_wanted(environment: Mapping[str, str], coloured: bool) -> None:
    [line] = shown("log.error('a', b=1)", **environment)
    assert ("\x1b[" in line) == coloured


def test_colours_reach_a_pipe_only_when_forced() -> None:
    assert "\x1b[" in piped("log.info('a')", "text", FORCE_COLOR="1")[0]
    assert "\x1b[" not in piped("log.info('a')", "text")[0]
    assert "\x1b" not in piped("log.info('a')", FORCE_COLOR="1")[0]


EVIL = "x\n2026-11-28 12:00:00Z  error  forged\r\x1b[2J\x1b]0;title\x07\x9b31m\u202eturned\u2028\x00\ud800"


def test_what_users_write_forges_no_line_and_steers_no_terminal() -> None:
    program = f"evil = {EVIL!r}; log.info(evil, a=1); log.info('a', b=evil); log.info('a', b=[{{'c': evil}}])"
    program += "; log.info('a', **{evil: 1})"
    lines = shown(program, NO_COLOR="1")
    assert len(lines) == 4 and all(line.isprintable() and "forged" in line for line in lines)
    lines = piped(program)
    assert all(line.isprintable() for line in lines)
    message, value, deep, name = (json.loads(line) for line in lines)
    assert (message["message"], value["b"], deep["b"]) == (EVIL, EVIL, [{"c": EVIL}])
    assert EVIL in name


def test_the_standard_librarys_messages_and_tracebacks_forge_nothing_either() -> None:
    program = f"""
logging.getLogger("some.library").error("got %s", {EVIL!r}, exc_info=ValueError({EVIL!r}))
"""
    first, *below = shown(program, NO_COLOR="1")
    assert "logger=some.library" in first
    assert below and all(line.startswith("    ") and line.isprintable() for line in below)
    assert EVIL in only(piped(program))["message"]


def test_any_script_is_readable() -> None:
    said = "注文 سفارش Größe 👩‍💻 naïve"
    assert said in shown(f"log.info({said!r}, b={said!r})", NO_COLOR="1", PYTHONUTF8="1")[0]
    [line] = piped(f"log.info('a', b={said!r})")
    assert json.loads(line)["b"] == said and "注文" in line
    ascii_only = piped(f"log.info('a', b={said!r})", PYTHONIOENCODING="ascii", LANG="C")
    assert only(ascii_only)["b"] == said
    assert "\\u6ce8" in shown(f"log.info('a', b={said!r})", PYTHONIOENCODING="ascii", NO_COLOR="1")[0]


def test_a_traceback_stands_below_its_line_on_a_terminal_and_in_it_as_json() -> None:
    program = "try:\n    {}['wanted']\nexcept KeyError:\n    log.exception('job.failed', job='job_1')"
    first, *below = shown(program, NO_COLOR="1")
    assert first.endswith("  error    job.failed  job=job_1")
    assert below[0] == "    Traceback (most recent call last):"
    assert below[-1] == "    KeyError: 'wanted'"
    document = only(piped(program))
    assert document["exception"].endswith("KeyError: 'wanted'")


def test_every_source_writes_the_same_lines() -> None:
    lines = piped("""
logging.getLogger("rq.worker").warning("%s: died", "w1")
logging.getLogger("hypercorn.error").error("late")
logging.getLogger("asyncio").error("Task exception")
logging.getLogger("sentry_sdk.errors").error("no")
for others in ("rq_scheduler.scheduler", "rq.worker", "hypercorn.error"):
    logging.getLogger(others).info("Registering birth")  # what they tell of themselves is left to us
warnings.warn("old\\nway", UserWarning)
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
class A:
    def __del__(self):
        1 / 0
A()
1 / 0
""")
    assert [(each["message"], each["logger"]) for each in map(json.loads, lines)] == [
        ("w1: died", "rq.worker"),
        ("late", "hypercorn.error"),
        ("Task exception", "asyncio"),
        ("no", "sentry_sdk.errors"),
        ("old\nway", "py.warnings"),
        ("thread.failed", "ogel"),
        ("process.ignored_an_error", "ogel"),
        ("process.failed", "ogel"),
    ]


def test_no_secret_is_logged_wherever_it_stands() -> None:
    program = """
try:
    raise OSError("cannot reach redis://:hunter2@ss@redis:6379/0")
except OSError:
    log.exception(
        "postgresql://ogel:hunter2@db/ogel is away", password="hunter2", admin_key="hunter2", set_cookie="hunter2",
        headers={"Authorization": "Bearer hunter2"}, urls=["http://u:hunter2@proxy:3128"],
        deep=[{"a": {"token": "hunter2"}}],
        said="Authorization: Bearer hunter2hunter2 and password=hunter2",
    )
logging.getLogger("lib").warning("using %s", "mongodb://u:hunter2@m/x")
"""
    for text in ("\n".join(piped(program)), "\n".join(shown(program))):
        assert "hunter2" not in text and "ss@redis" not in text
        assert "redis://:***@redis:6379/0" in text and "mongodb://u:***@m/x" in text


def test_whatever_is_logged_is_one_line_that_can_be_read() -> None:
    values = ["float('nan')", "{(1, 2): 3}", "object()", "b'raw'", "{1, 2}", "Exception('x')", "loop"]
    program = "loop = []; loop.append(loop)\n" + "\n".join(
        f"log.info('a', b={value}, c=1)" for value in values
    )
    assert [json.loads(line)["c"] for line in piped(program)] == [1] * len(values)
    assert [line[-3:] for line in shown(program, NO_COLOR="1")] == ["c=1"] * len(values)


def test_secrets_are_found_wherever_a_line_repeats_what_others_said() -> None:
    lines = piped(
        "from ogel.runtime.secrets.scrub import Scrubber\n"
        "configure_logging('info', scrub=Scrubber(['swordfish-1']))\n"
        "log.warning('refused', answers=[{'said': 'not swordfish-1'}], by=('swordfish-1',))\n"
        "log.info('waiting', error='swordfish-1?')\n"
    )
    assert len(lines) == 2 and not [line for line in lines if "swordfish" in line]
