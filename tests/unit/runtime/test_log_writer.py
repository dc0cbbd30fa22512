"""Lines that a thread writes: none is lost when a process ends, and nobody waits for who does not read them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ogel.runtime.log.writer import MOST_LINES

ROOT = Path(__file__).parents[3]
BEGIN = """
import logging, os, sys, threading, time
import structlog
from ogel.runtime.log.setup import configure_logging
configure_logging("info", form="json", beside=True)
log = structlog.get_logger("ogel.test")
"""


def started(program: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + program],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def said(program: str) -> list[dict[str, Any]]:
    out, err = started(program).communicate(timeout=60)
    assert err == b""
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize(
    "end",
    [
        "",
        "sys.exit(3)",
        "1 / 0",
        "logging.shutdown(); os.execv(sys.executable, [sys.executable, '-c', ''])",
        "logging.shutdown(); os._exit(1)",
    ],
)
def test_every_line_is_there_in_order_however_the_process_ends(end: str) -> None:
    lines = said(f"""
for n in range(3000):
    (log.info if n % 3 else log.warning)("a", n=n)
    if not n % 100:
        logging.getLogger("lib").error("from a library", extra={{"n": n}})
{end}
""")
    assert [each["n"] for each in lines if each["message"] == "a"] == list(range(3000))
    libs = [place for place, each in enumerate(lines) if each["message"] == "from a library"]
    assert [lines[place]["n"] for place in libs] == [lines[place - 1]["n"] for place in libs]
    assert [each["message"] for each in lines if each["level"] == "critical"] == ["process.failed"] * (
        end == "1 / 0"
    )


def test_a_line_is_out_soon_though_the_process_goes_on() -> None:
    process = started("log.info('a'); time.sleep(60)")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["message"] == "a"
    process.kill()
    process.communicate()


def test_who_does_not_read_keeps_nobody_waiting_and_hears_what_was_lost() -> None:
    process = started(f"""
for n in range({3 * MOST_LINES}):
    log.info("a", n=n, text="x" * 100)
sys.stderr.write("done\\n"); sys.stderr.flush()
sys.stdin.read()  # until what is read makes room
""")
    assert process.stdout is not None and process.stderr is not None
    assert process.stderr.readline() == b"done\n"  # and none of it has been read
    lines = [json.loads(line) for line in process.communicate()[0].splitlines()]
    written = [each["n"] for each in lines if each["message"] == "a"]
    lost = [each for each in lines if each["message"] == "log.lines_lost"]
    assert written == sorted(written) and len(written) >= MOST_LINES
    assert len(written) + sum(each["lines"] for each in lost) == 3 * MOST_LINES
    assert {each["level"] for each in lost} == {"warning"}


def test_a_reader_that_is_gone_ends_nobody() -> None:
    process = started("""
sys.stdin.read()
for n in range(100):
    log.info("a", n=n)
    time.sleep(0.001)
sys.exit(3)
""")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    process.stdout = None
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 3


def test_what_ends_while_nobody_reads_ends_all_the_same() -> None:
    process = started(f"for n in range({MOST_LINES}): log.info('a', text='x' * 100)")
    process.wait(60)
    process.communicate()


def test_a_pipe_that_somebody_made_non_blocking_gets_every_line() -> None:
    lines = said("""
os.set_blocking(1, False)
for n in range(3000):
    log.info("a", n=n, text="x" * 100)
""")
    assert [each["n"] for each in lines] == list(range(3000))


def test_a_forked_child_writes_its_own_lines_once_and_none_of_ours() -> None:
    lines = said("""
for n in range(100):
    log.info("ours", n=n)
child = os.fork()
log.info("theirs" if child == 0 else "ours", n=100)
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
""")
    assert sorted(each["n"] for each in lines if each["message"] == "ours") == list(range(101))
    assert [each["n"] for each in lines if each["message"] == "theirs"] == [100]


def test_threads_lose_nothing_to_each_other() -> None:
    lines = said("""
def say(who):
    for n in range(500):
        log.info("a", who=who, n=n)
threads = [threading.Thread(target=say, args=(who,)) for who in range(4)]
for each in threads: each.start()
for each in threads: each.join()
""")
    for who in range(4):
        assert [each["n"] for each in lines if each["who"] == who] == list(range(500))
