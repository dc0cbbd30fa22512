"""Look-ups are shared, remembered for a moment, bounded in number and in time."""

import asyncio
import socket
import threading

import pytest

from ogel.adapters.egress import EgressError, SystemResolver
from ogel.adapters.egress.resolver import MAX_CONCURRENT, system_look_up


class Names:
    """A look-up that the test lets go, and that counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.running = 0
        self.most = 0
        self.gate = threading.Event()
        self.full = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, host: str) -> tuple[str, ...]:
        with self._lock:
            self.asked.append(host)
            self.running += 1
            self.most = max(self.most, self.running)
            if self.running == MAX_CONCURRENT:
                self.full.set()
        self.gate.wait(10)
        with self._lock:
            self.running -= 1
        return ("93.184.216.34",)


def test_requests_for_one_name_share_one_look_up_and_its_answer() -> None:
    names = Names()

    async def story() -> None:
        resolver = SystemResolver(names)
        asking = [asyncio.create_task(resolver.resolve("example.com")) for _ in range(50)]
        await asyncio.sleep(0)
        assert resolver.cached("example.com") is None
        names.gate.set()
        assert set(await asyncio.gather(*asking)) == {("93.184.216.34",)}
        assert resolver.cached("example.com") == ("93.184.216.34",)
        assert resolver.cached("example.org") is None

    asyncio.run(story())
    assert names.asked == ["example.com"]


def test_the_number_of_threads_is_bounded() -> None:
    names = Names()

    async def story() -> None:
        resolver = SystemResolver(names)
        asking = [asyncio.create_task(resolver.resolve(f"{n}.example")) for n in range(MAX_CONCURRENT * 2)]
        assert await asyncio.to_thread(names.full.wait, 10)
        names.gate.set()
        await asyncio.gather(*asking)

    asyncio.run(story())
    assert names.most == MAX_CONCURRENT


def test_a_look_up_has_a_limit_and_the_impatient_do_not_spoil_it_for_the_others() -> None:
    names = Names()

    async def story() -> None:
        patient, hasty = SystemResolver(names), SystemResolver(names, limit_seconds=0.05)
        with pytest.raises(EgressError) as failed:
            await hasty.resolve("example.com")
        assert failed.value.reason == "dns"
        waiting = asyncio.create_task(patient.resolve("example.com"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await patient.resolve("example.com")
        names.gate.set()
        assert await waiting == ("93.184.216.34",)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no"), "the name does not exist"),
        (socket.gaierror(socket.EAI_AGAIN, "no"), "the name servers did not answer"),
        (OSError("no"), "the name could not be resolved"),
        (UnicodeError("no"), "the name could not be resolved"),
    ],
)
def test_failures_are_explained_and_not_remembered(error: Exception, message: str) -> None:
    def look_up(host: str) -> tuple[str, ...]:
        raise error

    async def story() -> None:
        resolver = SystemResolver(look_up)
        with pytest.raises(EgressError) as failed:
            await resolver.resolve("example.com")
        assert (failed.value.reason, failed.value.message) == ("dns", message)
        assert resolver.cached("example.com") is None

    asyncio.run(story())


def test_names_with_a_dot_are_absolute_and_hosts_of_one_label_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def getaddrinfo(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [
            (0, 0, 0, "", ("10.0.0.1", 0)),
            (0, 0, 0, "", ("::1", 0, 0, 0)),
            (0, 0, 0, "", ("10.0.0.1", 0)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert system_look_up("example.com") == ("10.0.0.1", "::1")
    system_look_up("receiver")
    assert asked == ["example.com.", "receiver"]


def test_localhost_is_found_by_the_system_itself() -> None:
    async def story() -> None:
        assert "127.0.0.1" in await SystemResolver().resolve("localhost")

    asyncio.run(story())
