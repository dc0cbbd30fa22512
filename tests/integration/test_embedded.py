"""The embedded servers, as `ogel up` and the operator of a machine meet them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

import ogel
from ogel.adapters.embedded import (
    CalledOff,
    EmbeddedServers,
    Revival,
    binaries,
    privileges,
    process,
    revival,
    running_urls,
    server,
    servers,
    stop_stale,
)
from ogel.adapters.embedded.data_dir import DataDir
from ogel.adapters.embedded.launch import NOBODY, NOBODY_ID
from ogel.adapters.embedded.process import Identity, describe, spawn
from ogel.adapters.embedded.record import Record, save_record
from ogel.kernel.errors import ConfigError, Unavailable
from ogel.runtime.database.faults import DatabaseDiskFull
from tests.support.disk import fill, small_disk
from tests.support.embedded import END_SECONDS, left_running, wait_ended

ROOT = Path(ogel.__file__).parent.parent

# Stands for an `ogel up`, with a forked child as RQ's work-horse is one; says who runs and waits to be ended.
LAUNCHER = """
import json, os, signal, sys
from pathlib import Path
from ogel.adapters.embedded import EmbeddedServers
servers = EmbeddedServers.start(Path(sys.argv[1]))
is_there, says_so = os.pipe()
child = os.fork()
if not child:
    os.write(says_so, b".")
else:
    os.read(is_there, 1)
    pids = servers.pids | {"child": child, "ogel": os.getpid()}
    print(json.dumps({"pids": pids, "urls": [servers.database_url, servers.redis_url]}), flush=True)
signal.pause()
"""

# Stands for the first process of a container: what its descendants leave becomes its own, and it takes note of nobody.
INIT = """
import ctypes, signal, subprocess, sys
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
child = subprocess.Popen(sys.argv[1:])
signal.pause()
"""


def remember(servers: EmbeddedServers, value: str) -> None:
    with psycopg.connect(servers.database_url or "") as database:
        database.execute("DROP TABLE IF EXISTS kept")
        database.execute("CREATE TABLE kept (value text)")
        database.execute("INSERT INTO kept VALUES (%(value)s)", {"value": value})
    with redis.Redis.from_url(servers.redis_url or "") as store:
        store.delete("kept")
        store.rpush("kept", value)
        # Of this connection's writes: while the server is busy syncing, what it has acknowledged is only in its memory.
        store.waitaof(1, 0, END_SECONDS * 1000)


def recall(servers: EmbeddedServers) -> tuple[list[str], list[str]]:
    with psycopg.connect(servers.database_url or "") as database:
        rows = [row[0] for row in database.execute("SELECT value FROM kept")]
    with redis.Redis.from_url(servers.redis_url or "", decode_responses=True) as store:
        return rows, store.lrange("kept", 0, -1)


@contextmanager
def launched(
    data_dir: Path, python: str = sys.executable, under: Sequence[str] = (), **options: Any
) -> Iterator[tuple[subprocess.Popen[str], dict[str, int], list[str]]]:
    command = [*under, python, "-c", LAUNCHER, str(data_dir)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **options) as process:
        assert process.stdout is not None
        started = next((line for line in process.stdout if line.startswith("{")), "")
        assert started, "the launcher ended before its servers were up"
        said = json.loads(started)
        try:
            yield process, said["pids"], said["urls"]
        finally:
            process.kill()
            os.kill(said["pids"]["child"], signal.SIGKILL)


def python_for_nobody(environment: dict[str, str]) -> str | None:
    """Ours, or the system's of the same version when ours lies where only root can read."""
    for python in (sys.executable, shutil.which(f"python3.{sys.version_info.minor}", path=os.defpath)):
        command = [python or sys.executable, "-c", "import ogel.adapters.embedded, psycopg"]
        try:
            subprocess.run(
                command, cwd=ROOT, env=environment, user=NOBODY_ID, check=True, timeout=END_SECONDS
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return python
    return None


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests that do not mind what was there before, for initdb takes its time."""
    path = tmp_path_factory.mktemp("embedded") / "data"
    with EmbeddedServers.start(path):
        pass
    return path


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory in a place that every user can pass through, which pytest's are not."""
    path = Path(tempfile.mkdtemp(prefix="ogel-test-"))
    yield path
    shutil.rmtree(path)


def test_a_restart_keeps_rows_and_keys_and_leaves_nothing_behind(tmp_path):
    data_dir = tmp_path / "new" / "data"
    with EmbeddedServers.start(data_dir) as first:
        remember(first, "before")
        assert set(first.pids) == {"postgres", "redis"}
        assert running_urls(data_dir) == (first.database_url, first.redis_url)
    assert left_running(data_dir) == []
    assert running_urls(data_dir) == (None, None)

    with EmbeddedServers.start(data_dir) as second:
        assert recall(second) == (["before"], ["before"])
    open_to_others = [path for path in data_dir.iterdir() if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert open_to_others == []


def test_both_servers_ask_for_the_password_and_keep_what_they_confirm(data_dir):
    with EmbeddedServers.start(data_dir) as embedded:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect((embedded.database_url or "").replace("ogel:", "ogel:wrong"))
        with (
            redis.Redis.from_url((embedded.redis_url or "").replace("//:", "//:wrong")) as store,
            pytest.raises(redis.exceptions.AuthenticationError),
        ):
            store.ping()
        with psycopg.connect(embedded.database_url or "") as database:
            settings = database.execute(
                "SELECT current_setting('fsync'), current_setting('synchronous_commit'), datcollate,"
                " current_setting('listen_addresses'), pg_encoding_to_char(encoding)"
                " FROM pg_database WHERE datname = current_database()"
            ).fetchone()
            assert settings == ("on", "on", "C.UTF-8", "127.0.0.1", "UTF8")
        with redis.Redis.from_url(embedded.redis_url or "") as store:
            config = store.config_get("*")
            assert config["appendfsync"] == "everysec"
            assert config["maxmemory-policy"] == "noeviction"
            assert config["bind"] == "127.0.0.1"


def test_two_instances_run_side_by_side(data_dir, tmp_path):
    with EmbeddedServers.start(data_dir) as a, EmbeddedServers.start(tmp_path) as b:
        remember(a, "in a")
        remember(b, "in b")
        assert recall(a) == (["in a"], ["in a"])
        assert recall(b) == (["in b"], ["in b"])


def test_a_second_ogel_on_the_same_directory_is_refused(tmp_path):
    with EmbeddedServers.start(tmp_path, postgres=False) as first:
        with pytest.raises(ConfigError, match=rf"^OGEL_DATA_DIR=.* ogel process {os.getpid()}: [^\n]*$"):
            EmbeddedServers.start(tmp_path)
        with pytest.raises(ConfigError, match="in use"):
            stop_stale(tmp_path)
        assert set(first.pids) == {"redis"}
        assert first.database_url is None


def test_a_killed_ogel_is_followed_by_one_with_all_its_data(data_dir):
    with EmbeddedServers.start(data_dir) as first:
        remember(first, "before")
    with launched(data_dir) as (process, pids, _):
        process.kill()
        process.wait(END_SECONDS)
        # At once, so that the servers of the dead one are still on their way out; its forked child lives on.
        with EmbeddedServers.start(data_dir) as second:
            assert recall(second) == (["before"], ["before"])
            assert set(second.pids.values()).isdisjoint(pids.values())
            assert describe(pids["child"]) is not None
            wait_ended(pids["postgres"])
            wait_ended(pids["redis"])


def test_servers_end_when_their_ogel_is_killed(data_dir):
    with launched(data_dir) as (process, pids, _):
        process.kill()
        wait_ended(pids["postgres"])
        wait_ended(pids["redis"])


def test_a_stale_server_that_does_not_listen_is_killed(data_dir, monkeypatch):
    monkeypatch.setattr(servers, "_STOP_TIMEOUT_SECONDS", 1.0)
    with launched(data_dir) as (process, pids, _):
        os.kill(pids["redis"], signal.SIGSTOP)
        process.kill()
        process.wait(END_SECONDS)
        stop_stale(data_dir)
        wait_ended(pids["redis"])
    assert left_running(data_dir) == []


def test_a_stranger_with_a_recorded_pid_is_left_alone(tmp_path):
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            seen = describe(stranger.pid)
            assert seen is not None
            save_record(DataDir(tmp_path), "redis", Record(seen.identity, 1))
            save_record(DataDir(tmp_path), "postgres", Record(Identity(os.getpid(), "0"), 1))
            assert running_urls(tmp_path) == (None, None)
            stop_stale(tmp_path)
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_servers_that_are_zombies_of_an_init_that_does_not_wait_are_dead(data_dir):
    with EmbeddedServers.start(data_dir) as first:
        remember(first, "before")
    with launched(data_dir, under=[sys.executable, "-c", INIT]) as (_, pids, _):
        for name in ("postgres", "redis", "ogel"):
            os.kill(pids[name], signal.SIGKILL)
        for name in ("postgres", "redis", "ogel"):
            wait_ended(pids[name])
            assert Path(f"/proc/{pids[name]}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        assert running_urls(data_dir) == (None, None)
        for _ in range(2):
            with EmbeddedServers.start(data_dir) as again:
                assert recall(again) == (["before"], ["before"])


@pytest.fixture
def lock_file(data_dir: Path) -> Path:
    """As PostgreSQL leaves it when it is killed."""
    with EmbeddedServers.start(data_dir, redis=False):
        lock = data_dir / "postgres" / "postmaster.pid"
        content = lock.read_text()
    lock.write_text(content)
    return lock


def test_a_lock_file_of_nobody_does_not_stop_postgres(data_dir, lock_file, tmp_path):
    _, _, rest = lock_file.read_text().partition("\n")
    idle = threading.Event()
    thread = threading.Thread(target=idle.wait)
    thread.start()
    # Our own pid would be passed over as a parent's, so take a bystander's, as after a restarted container.
    with subprocess.Popen(["sleep", "60"]) as stranger, EmbeddedServers.start(tmp_path, redis=False) as other:
        try:
            taken = [stranger.pid, thread.native_id, os.getppid(), 1, -1, other.pids["postgres"], 2**40]
            for left in [*(f"{pid}\n{rest}" for pid in taken), "", "\n", "what\n", "\0\0\0"]:
                lock_file.write_text(left)
                with EmbeddedServers.start(data_dir, redis=False) as again:
                    assert set(again.pids) == {"postgres"}
            assert stranger.poll() is None
            assert set(other.pids) == {"postgres"}
        finally:
            stranger.kill()
            idle.set()


def test_a_server_started_by_hand_is_left_alone(data_dir, tmp_path):
    with EmbeddedServers.start(data_dir, redis=False) as first:
        command = Path(f"/proc/{first.pids['postgres']}/cmdline").read_bytes().decode().split("\0")[:-1]
        way = privileges.probe(Path(command[0])).way
    by_hand = [part.replace(DataDir(data_dir).marker, "by-hand") for part in command]
    with (tmp_path / "log").open("wb") as output:
        hand = spawn(by_hand, way=way, death_signal=signal.SIGINT, output=output.fileno())
    try:
        while b"ready to accept" not in (tmp_path / "log").read_bytes():
            assert hand.poll() is None
        with pytest.raises(Unavailable, match=r"postmaster\.pid.* already exists"):
            EmbeddedServers.start(data_dir, redis=False)
        assert hand.poll() is None
    finally:
        hand.send_signal(signal.SIGINT)
        hand.wait(END_SECONDS)


def test_servers_whose_ogel_died_before_it_recorded_them_are_found(data_dir, monkeypatch):
    monkeypatch.setattr(server, "_ORPHANS_TIMEOUT_SECONDS", 1.0)
    with launched(data_dir) as (process, pids, _):
        for name in ("postgres", "redis"):
            os.kill(pids[name], signal.SIGSTOP)  # so that they outlive it
            (data_dir / f"{name}.running.json").unlink()
        process.kill()
        process.wait(END_SECONDS)
        with EmbeddedServers.start(data_dir) as again:
            assert set(again.pids.values()).isdisjoint(pids.values())
            wait_ended(pids["postgres"])
            wait_ended(pids["redis"])


@pytest.mark.parametrize("hidden", [PermissionError, FileNotFoundError])
def test_servers_start_where_proc_says_nothing(data_dir, lock_file, hidden, monkeypatch):
    """Mounted with hidepid=1, or not at all."""

    def refuse(*_: object, **__: object) -> None:
        raise hidden

    for name in ("read_text", "read_bytes"):
        real = getattr(Path, name)
        monkeypatch.setattr(
            Path, name, lambda path, *a, _real=real, **b: (
                refuse() if str(path).startswith("/proc/") else _real(path, *a, **b)
            ),
        )  # fmt: skip
    if hidden is FileNotFoundError:
        monkeypatch.setattr(
            process.os.path, "isdir", lambda path, _real=os.path.isdir: path != "/proc" and _real(path)
        )
    with EmbeddedServers.start(data_dir) as started:
        remember(started, "unseen")
    with EmbeddedServers.start(data_dir) as again:
        assert recall(again) == (["unseen"], ["unseen"])


def test_without_proc_ps_knows_a_zombie_too(monkeypatch):
    """As on macOS."""
    if shutil.which("ps", path=os.defpath) is None:
        pytest.skip("NOT TESTED: no ps")
    monkeypatch.setattr(sys, "platform", "darwin")
    with subprocess.Popen(["sleep", "5"]) as child:
        seen = describe(child.pid)
        assert seen is not None
        assert seen.command == "sleep 5"
        assert describe(child.pid) == seen
        os.kill(child.pid, signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert describe(child.pid) is None
    assert describe(child.pid) is None


RESTARTS = "ogel_embedded_restarts_total"


class Kept:
    """Servers that are revived while the block runs."""

    def __init__(self, embedded: EmbeddedServers, **options: Any) -> None:
        self.embedded = embedded
        self.stop = asyncio.Event()
        self._registry = CollectorRegistry()
        self.revival = Revival(embedded, **options)
        self.revival.count_in(self._registry)

    async def __aenter__(self) -> Kept:
        self.running = asyncio.create_task(self.revival.run(self.stop))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await self.running

    def restarts(self, name: str) -> float:
        return self._registry.get_sample_value(RESTARTS, {"server": name}) or 0.0

    async def kill(self, *names: str) -> None:
        """Returns once they are back, or given up."""
        expected = {name: self.restarts(name) + 1 for name in names}
        for name in names:
            os.kill(self.embedded.pids[name], signal.SIGKILL)
        async with asyncio.timeout(END_SECONDS):
            while any(self.restarts(name) < count for name, count in expected.items()):
                if self.running.done():
                    return
                await asyncio.sleep(0.02)


def test_a_server_that_dies_is_back_with_its_address_and_data(data_dir):
    async def story(embedded: EmbeddedServers) -> None:
        async with Kept(embedded) as kept:
            await kept.kill("redis")
            await kept.kill("postgres")
            await kept.kill("postgres", "redis")
            assert (kept.restarts("postgres"), kept.restarts("redis")) == (2, 2)

    with EmbeddedServers.start(data_dir) as embedded, capture_logs() as logs:
        remember(embedded, "before")
        urls = embedded.database_url, embedded.redis_url
        asyncio.run(story(embedded))
        assert (embedded.database_url, embedded.redis_url) == urls
        assert recall(embedded) == (["before"], ["before"])
    assert left_running(data_dir) == []
    died = [line for line in logs if line["event"] == "embedded.server_died"]
    assert all("killed by SIGKILL" in line["error"] for line in died)
    assert len(died) == 4


def test_a_server_that_dies_again_and_again_is_given_up(data_dir):
    async def story(embedded: EmbeddedServers) -> None:
        async with Kept(embedded, pauses_seconds=(0.0, 0.1)) as kept:
            for _ in range(3):
                await kept.kill("redis")
            assert kept.restarts("redis") == 2
            assert kept.stop.is_set()

    with (
        EmbeddedServers.start(data_dir) as embedded,
        pytest.raises(Unavailable, match=r"^the embedded Valkey died again and again.* 2 times.*redis\.log"),
    ):
        asyncio.run(story(embedded))
    assert left_running(data_dir) == []


def test_a_server_that_stayed_up_may_die_as_often_as_before(data_dir):
    async def story(embedded: EmbeddedServers) -> None:
        async with Kept(embedded, pauses_seconds=(0.0,), steady_seconds=0.0) as kept:
            for _ in range(3):
                await kept.kill("redis")
            assert kept.restarts("redis") == 3

    with EmbeddedServers.start(data_dir, postgres=False) as embedded:
        asyncio.run(story(embedded))


def test_a_server_whose_disk_is_full_is_started_when_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr(revival, "FULL_SECONDS", 0.1)

    async def story(embedded: EmbeddedServers, disk: Path, logs: list[Any]) -> None:
        async with Kept(embedded, pauses_seconds=(0.0,)) as kept:
            assert kept.revival.database_fault() is None
            filler = fill(disk)
            killing = asyncio.create_task(kept.kill("postgres"))
            async with asyncio.timeout(END_SECONDS):
                while sum(line["event"] == "embedded.server_not_back" for line in logs) < 3:
                    await asyncio.sleep(0.02)
            assert isinstance(kept.revival.database_fault(), DatabaseDiskFull)
            filler.unlink()
            await killing
            assert kept.revival.database_fault() is None

    with (
        small_disk(tmp_path / "disk", 120) as disk,
        EmbeddedServers.start(disk / "data", redis=False) as embedded,
        capture_logs() as logs,
    ):
        asyncio.run(story(embedded, disk, logs))


def test_a_server_whose_data_is_gone_does_not_begin_anew(tmp_path):
    async def story(embedded: EmbeddedServers) -> None:
        async with Kept(embedded, pauses_seconds=(0.0, 0.0)) as kept:
            shutil.rmtree(tmp_path / "postgres")
            await kept.kill("postgres")

    with (
        EmbeddedServers.start(tmp_path, redis=False) as embedded,
        pytest.raises(Unavailable, match="is gone"),
    ):
        asyncio.run(story(embedded))
    assert not (tmp_path / "postgres").exists()


def test_a_stop_between_two_tries_is_obeyed(data_dir):
    async def story(embedded: EmbeddedServers) -> None:
        async with Kept(embedded, pauses_seconds=(60.0,)):
            os.kill(embedded.pids["redis"], signal.SIGKILL)
            async with asyncio.timeout(END_SECONDS):
                while embedded.pids.get("redis"):
                    await asyncio.sleep(0.02)

    with EmbeddedServers.start(data_dir, postgres=False) as embedded:
        asyncio.run(story(embedded))


def test_a_start_may_be_called_off_whenever_it_waits(tmp_path):
    """The first start, with initdb, and the next on what the one before left."""
    asked = 0
    for patience in (0, 1, 5, 15, 0, 1, 3, 10_000):

        def interrupted(limit: int = patience) -> bool:
            nonlocal asked
            asked += 1
            return asked > limit

        asked = 0
        try:
            with EmbeddedServers.start(tmp_path, interrupted=interrupted) as started:
                remember(started, "started")
        except CalledOff:
            assert patience < 10_000
        assert left_running(tmp_path) == []
        assert not list(tmp_path.glob("initdb-*"))
    assert (tmp_path / "postgres").exists()


def test_each_server_comes_back_with_its_port_and_data(data_dir):
    with EmbeddedServers.start(data_dir) as embedded:
        remember(embedded, "before")
        urls = embedded.database_url, embedded.redis_url
        embedded.stop_redis()
        with redis.Redis.from_url(embedded.redis_url or "") as store, pytest.raises(redis.ConnectionError):
            store.ping()
        assert set(embedded.pids) == {"postgres"}
        embedded.start_redis()
        embedded.stop_postgres()
        embedded.start_postgres()
        postmaster = embedded.pids["postgres"]
        os.kill(postmaster, signal.SIGKILL)
        wait_ended(postmaster)
        embedded.start_postgres()
        assert (embedded.database_url, embedded.redis_url) == urls
        assert recall(embedded) == (["before"], ["before"])


def test_stop_may_be_called_twice_and_kills_who_does_not_obey(data_dir):
    embedded = EmbeddedServers.start(data_dir)
    for pid in embedded.pids.values():
        os.kill(pid, signal.SIGSTOP)
    embedded.stop(timeout_seconds=0.2)
    assert left_running(data_dir) == []
    embedded.stop()
    assert embedded.pids == {}
    assert embedded.redis_url is None


def test_prepared_servers_have_addresses_and_hold_the_directory_before_they_run(tmp_path):
    prepared = EmbeddedServers.prepare(tmp_path)
    assert prepared.pids == {}
    urls, secret = (prepared.database_url, prepared.redis_url), prepared.secret("admin_key")
    with pytest.raises(ConfigError, match="in use"):
        EmbeddedServers.prepare(tmp_path)
    with pytest.raises(CalledOff):
        prepared.run(lambda: True)
    assert left_running(tmp_path) == []
    with EmbeddedServers.start(tmp_path, postgres=False) as servers:  # the directory was given back
        assert servers.secret("admin_key") == secret
    assert None not in urls


def test_missing_programs_are_named_with_the_url_to_set_instead(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"^OGEL_PG_BIN=.* bin directory\.$"):
        EmbeddedServers.start(tmp_path, postgres_bin=tmp_path)
    with pytest.raises(ConfigError, match=r"^OGEL_REDIS_BIN=.*"):
        EmbeddedServers.start(tmp_path, redis_bin=tmp_path / "no-such-program")
    monkeypatch.setattr(binaries, "_postgres_places", lambda: iter(()))
    monkeypatch.setattr(binaries, "_redis_places", lambda: iter(()))
    with pytest.raises(ConfigError, match=r"^[^\n]*DATABASE_URL[^\n]*$"):
        EmbeddedServers.start(tmp_path, redis=False)
    with pytest.raises(ConfigError, match=r"^[^\n]*REDIS_URL[^\n]*$"):
        EmbeddedServers.start(tmp_path, postgres=False)


def test_a_server_that_fails_to_start_takes_the_other_down_and_says_why(data_dir, tmp_path):
    broken = tmp_path / "broken-redis"
    broken.write_text("#!/bin/sh\necho the moon is in the wrong phase\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(Unavailable, match=r"^Valkey .* exit code 3: .*the wrong phase$"):
        EmbeddedServers.start(data_dir, redis_bin=broken)
    assert left_running(data_dir) == []
    with EmbeddedServers.start(data_dir) as repaired:
        remember(repaired, "after")


def test_a_directory_that_cannot_serve_is_explained_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"^OGEL_DATA_DIR=[^\n]*$"):
        EmbeddedServers.start(tmp_path / "file")
    (tmp_path / "old" / "postgres").mkdir(parents=True)
    (tmp_path / "old" / "postgres" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(ConfigError, match=r"postgres\.password is missing"):
        EmbeddedServers.start(tmp_path / "old", redis=False)
    (tmp_path / "old" / "postgres.password").write_text("x")
    with pytest.raises(ConfigError, match=r"^[^\n]*made by PostgreSQL 9\.6[^\n]*OGEL_PG_BIN[^\n]*$"):
        EmbeddedServers.start(tmp_path / "old", redis=False)


def test_a_lost_password_is_noticed_at_once(data_dir):
    password = data_dir / "postgres.password"
    right = password.read_text()
    password.write_text("0" * 48)
    try:
        with pytest.raises(ConfigError, match=r"postgres\.password does not open"):
            EmbeddedServers.start(data_dir, redis=False)
    finally:
        password.write_text(right)
    assert left_running(data_dir) == []


def test_an_ordinary_user_needs_no_root(open_dir):
    if os.geteuid() != 0:
        pytest.skip(
            "NOT TESTED: only root can become another user here; all other tests ran as an ordinary one"
        )
    environment = {"PYTHONPATH": sysconfig.get_path("purelib")}
    python = python_for_nobody(environment)
    if python is None:
        pytest.skip(f"NOT TESTED: user {NOBODY_ID} can run no Python {sys.version_info.minor} with {ROOT}")
    os.chown(open_dir, NOBODY_ID, NOBODY_ID)
    nobody = {"user": NOBODY_ID, "group": NOBODY_ID, "extra_groups": []}
    with launched(open_dir, python, env=environment, **nobody) as (process, pids, urls):
        assert os.stat(f"/proc/{pids['postgres']}").st_uid == NOBODY_ID
        with psycopg.connect(urls[0]) as database:
            database.execute("SELECT 1")
        process.kill()
        wait_ended(pids["postgres"])
    # Root takes the directory over, as after `sudo ogel up`.
    with EmbeddedServers.start(open_dir) as by_root:
        remember(by_root, "by root")


def test_root_without_user_namespaces_runs_postgres_as_nobody(open_dir, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: needs root")
    monkeypatch.setattr(privileges, "_ways", lambda: (NOBODY,))
    with EmbeddedServers.start(open_dir) as embedded:
        assert os.stat(f"/proc/{embedded.pids['postgres']}").st_uid == NOBODY_ID
        remember(embedded, "as nobody")
    monkeypatch.undo()
    with EmbeddedServers.start(open_dir) as embedded:
        assert os.stat(f"/proc/{embedded.pids['postgres']}").st_uid == 0
        assert recall(embedded) == (["as nobody"], ["as nobody"])
