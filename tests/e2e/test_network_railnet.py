"""
A suite that is configured over a public proxy, in a private network as Railway's is: found by `check`, moved by `plan`
and `apply`, proven private from inside, and taken back, while events flow and none is lost.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.cli import ogel
from tests.support.process import ADMIN_KEY, Ogel, eventually
from tests.support.railnet import NETWORK, Railnet, Way, why_not
from tests.support.railway import RailwayServer, World
from tests.support.railway.references import rendered
from tests.support.receiver import Receiver

PROXY = "maglev.proxy.rlwy.net"
POSTGRES_PORT, REDIS_PORT = 20105, 31999
SERVICES = ("postgres", "redis", "api", "worker", "receiver")


class Publisher(threading.Thread):
    """An event every few milliseconds, each asked for again until it is accepted, as a client that means it does."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.port = 0
        self.accepted: list[str] = []
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.02):
            id = f"order-{len(self.accepted)}"
            while not self._publish(id):
                if self._ended.wait(0.05):
                    return
            self.accepted.append(id)

    def end(self) -> None:
        self._ended.set()
        self.join(30)

    def goes_on(self) -> None:
        before = len(self.accepted)
        eventually(lambda: len(self.accepted) > before + 10, 60, "events to be accepted")

    def _publish(self, id: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        headers = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
        try:
            body = json.dumps({"id": id, "type": "order.created", "data": {}})
            connection.request("POST", "/api/events", body=body, headers=headers)
            return connection.getresponse().status == 202
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Suite:
    """The project on Railway, its private network, and the processes of its services api and worker."""

    def __init__(self, folder: Path, stack: ExitStack, database_url: str, redis_url: str) -> None:
        self._folder = folder
        self._running = stack.enter_context(ExitStack())
        self._deployments = 0
        self.net = stack.enter_context(Railnet(SERVICES, [PROXY]))
        self._receiver = stack.enter_context(Receiver())
        self.project(database_url, redis_url)
        database, redis = _dial(database_url), _dial(redis_url)
        stack.enter_context(Way(self.net.listen("postgres", 5432), database))
        stack.enter_context(Way(self.net.listen("redis", 6379), redis))
        receiver = _dial(self._receiver.url())
        stack.enter_context(Way(self.net.listen("receiver", 9000), receiver))
        self.proxies = [
            stack.enter_context(Way(self.net.public_port(POSTGRES_PORT), database)),
            stack.enter_context(Way(self.net.public_port(REDIS_PORT), redis)),
        ]
        self.publisher = Publisher()

    def project(self, database_url: str, redis_url: str) -> None:
        database, redis = urlsplit(database_url), urlsplit(redis_url)
        login, _, _ = database.netloc.rpartition("@")
        redis_login = f"{redis.netloc.rpartition('@')[0]}@" if "@" in redis.netloc else ""
        self.world = World()
        self.production = production = self.world.project("shop").environment("production")
        private = "${{RAILWAY_PRIVATE_DOMAIN}}"
        of_postgres = {"DATABASE_URL": f"postgresql://{login}@{private}:5432{database.path}"}
        of_redis = {"REDIS_URL": f"redis://{redis_login}{private}:6379{redis.path}"}
        production.service("postgres", variables=of_postgres).tcp_proxy(5432, PROXY, POSTGRES_PORT)
        production.service("redis", variables=of_redis).tcp_proxy(6379, PROXY, REDIS_PORT)
        public = {
            "DATABASE_URL": f"postgresql://{login}@{PROXY}:{POSTGRES_PORT}{database.path}",
            "REDIS_URL": f"redis://{redis_login}{PROXY}:{REDIS_PORT}{redis.path}",
            "OGEL_WEBHOOK_ALLOW_NETS": f"{NETWORK}::/48",
            "OGEL_HOST": "::",
        }
        for name in ("api", "worker"):
            production.service(name, variables=dict(public))

    def deploy(self) -> None:
        """Both services anew, with the variables of now."""
        self._running.close()
        self._deployments += 1
        self.api = self._started("api", "api")
        self._started("worker", "worker", "--all")
        self.publisher.port = self.api.port

    def variables(self, name: str) -> Mapping[str, str]:
        [instance] = [each for each in self.production.instances if each.name == name]
        return {**rendered(instance), **instance.provided()}

    def _started(self, name: str, *arguments: str) -> Ogel:
        log = self._folder / f"{name}-{self._deployments}.log"
        program = self.net.program(name)
        made = Ogel(program, *arguments, log=log, module="-c", **self.variables(name))
        listener = socket.create_server(("127.0.0.1", made.port))
        self._running.enter_context(Way(listener, self.net.dial(name, made.port)))
        return self._running.enter_context(made)

    def checked(self, name: str) -> tuple[int, Mapping[str, Any]]:
        """From inside, as `railway ssh --service NAME -- ogel network check` asks it."""
        environment = {**self.api.environment, **self.variables(name)}
        done = ogel(self.net.program(name), "network", "check", "--json", module="-c", **environment)
        assert done.out, done.err
        return done.code, json.loads(done.out)

    def everything_arrived(self) -> None:
        ids = set(self.publisher.accepted)
        eventually(lambda: ids <= set(self._receiver.ids()), 60, f"all of {len(ids)} events to arrive")


def _dial(url: str) -> Any:
    port = urlsplit(url).port
    return lambda: socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.fixture
def suite(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Suite]:
    if missing := why_not():
        pytest.skip(f"SKIPPED: {missing}")
    with ExitStack() as stack:
        yield Suite(tmp_path, stack, database_url, redis_url)


def test_a_suite_is_moved_inside_and_back_and_loses_nothing(suite: Suite, tmp_path: Path) -> None:
    suite.deploy()
    hook = {"url": "http://receiver.railway.internal:9000/hook", "events": ["order.*"]}
    suite.api.api.ok("POST", "/api/webhooks", hook)
    suite.publisher.start()
    suite.publisher.goes_on()

    before = suite.variables("api")
    code, found = suite.checked("api")
    hops = {each["variable"]: each["host"] for each in found["servers"] if each["place"] == "public hop"}
    assert (code, hops) == (1, {"DATABASE_URL": PROXY, "REDIS_URL": PROXY})
    warned = [line for line in suite.api.log_text().splitlines() if "network.public_hop" in line]
    assert [json.loads(line)["variable"] for line in warned] == ["DATABASE_URL", "REDIS_URL"]

    with RailwayServer(suite.world) as railway:
        operator = {**railway.variables(), "XDG_STATE_HOME": str(tmp_path)}
        assert "api.DATABASE_URL" in ogel("network", "plan", at=tmp_path, **operator).out
        applied = ogel("network", "apply", "--yes", at=tmp_path, **operator)
        assert applied.code == 0, applied.err
        assert "railway ssh --service api -- ogel network check" in applied.out
        suite.deploy()

        code, found = suite.checked("worker")
        assert code == 0 and found["inside"], found
        assert {each["host"] for each in found["servers"]} == {
            "postgres.railway.internal",
            "redis.railway.internal",
        }
        for each in found["servers"]:
            assert (each["place"], each["v4"], len(each["v6"]), each["pings"]) == ("private", [], 1, 20)
        assert "network.public_hop" not in suite.api.log_text()
        eventually(lambda: not any(each.open for each in suite.proxies), 30, "nobody to hold the proxy")
        carried = [each.carried for each in suite.proxies]
        suite.publisher.goes_on()
        suite.everything_arrived()
        assert [each.carried for each in suite.proxies] == carried

        taken = ogel("network", "rollback", "--yes", at=tmp_path, **operator)
        assert taken.code == 0, taken.err
    assert suite.variables("api") == before
    assert suite.checked("api")[0] == 1
    suite.publisher.end()
    suite.everything_arrived()


def test_what_is_wrong_inside_is_said_of_each() -> None:
    """A service that listens on IPv4 alone, a name that nobody has, a CNAME that leads outside."""
    if missing := why_not():
        pytest.skip(f"SKIPPED: {missing}")
    aliases = {"db.example.test": PROXY}
    with Railnet(["api", "old"], [PROXY], aliases) as net:
        old = net.listen("old", 3000, "0.0.0.0", family=socket.AF_INET)
        hosts = ("old.railway.internal", "gone.railway.internal", "db.example.test")
        upstreams = ",".join(f"/{host.partition('.')[0]}=http://{host}:3000" for host in hosts)
        done = ogel(net.program("api"), "network", "check", module="-c", OGEL_UPSTREAMS=upstreams)
        old.close()
    said = " ".join(done.out.split())
    assert done.code == 1, done
    assert "upstream /old did not answer: Connection refused; it must listen on that port, and on ::" in said
    assert "upstream /gone did not answer: its name cannot be looked up: Name or service not known" in said
    assert f"public hop: OGEL_UPSTREAMS leads to db.example.test:3000 ({PROXY})" in said
    assert "railway ssh" not in said  # that is where it was asked
