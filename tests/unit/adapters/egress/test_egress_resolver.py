"""Look-ups are shared, remembered for a moment, bounded in number and in time."""

import asyncio
import socket
import threading

import pytest

from ogel.adapters.egress import EgressError, SystemResolver
from ogel.adapters.egress import resolver as resolving
from ogel.adapters.egress.resolver import MAX_CONCURRENT, MAX_SUSPECT
from ogel.adapters.egress.system_names import system_look_up


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
            if self.running >= MAX_CONCURRENT:
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
    assert names.most <= MAX_CONCURRENT + 1  # one for the control question, should this take long


def test_a_look_up_has_a_limit_and_the_impatient_do_not_spoil_it_for_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resolving, "CONTROL_SECONDS", 0.05)
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


class Zones:
    """Look-ups with a fate for each name; names without one (the control question's) have `others`."""

    def __init__(self, others: Exception | None, **fates: Exception | None) -> None:
        self.asked: list[str] = []
        self.hanging = threading.Event()
        self._fates = fates
        self._others = others

    def __call__(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        fate = self._fates.get(host.partition(".")[0], self._others)
        if isinstance(fate, TimeoutError):
            self.hanging.wait(10)
        if fate is not None:
            raise fate
        return ("93.184.216.34",)


AGAIN = socket.gaierror(socket.EAI_AGAIN, "try again")
UNKNOWN = socket.gaierror(socket.EAI_NONAME, "no such name")
HANGS = TimeoutError()


async def fault(resolver: SystemResolver, host: str) -> EgressError:
    with pytest.raises(EgressError) as failed:
        await resolver.resolve(host)
    assert failed.value.reason == "dns"
    return failed.value


@pytest.mark.parametrize("fate", [AGAIN, socket.gaierror(socket.EAI_FAIL, "failed"), HANGS])
@pytest.mark.parametrize(("others", "ours"), [(None, False), (UNKNOWN, False), (AGAIN, True), (HANGS, True)])
def test_a_name_is_blamed_only_if_the_name_servers_answer_something_else(
    monkeypatch: pytest.MonkeyPatch, fate: Exception, others: Exception | None, ours: bool
) -> None:
    monkeypatch.setattr(resolving, "CONTROL_SECONDS", 0.1)
    zones = Zones(others, broken=fate)

    async def story() -> None:
        resolver = SystemResolver(zones, limit_seconds=0.1)
        assert (await fault(resolver, "broken.example")).ours is ours
        controls = [name for name in zones.asked if name != "broken.example"]
        assert [name.partition(".")[2] for name in controls] == ["example.com"]

    try:
        asyncio.run(story())
    finally:
        zones.hanging.set()


def test_no_such_name_needs_no_second_question() -> None:
    zones = Zones(AGAIN, gone=UNKNOWN)

    async def story() -> None:
        assert not (await fault(SystemResolver(zones), "gone.example")).ours

    asyncio.run(story())
    assert zones.asked == ["gone.example"]


def test_another_name_s_answer_saves_the_question_and_a_local_name_s_does_not() -> None:
    zones = Zones(AGAIN, good=None, localhost=None, db=None)

    async def story() -> None:
        resolver = SystemResolver(zones)
        for local in ("localhost", "db", "db.railway.internal"):
            await resolver.resolve(local)
        assert (await fault(resolver, "broken.example")).ours
        await resolver.resolve("good.example")
        asked = len(zones.asked)
        assert not (await fault(resolver, "broken.example")).ours
        assert zones.asked[asked:] == ["broken.example"]

    asyncio.run(story())


def test_an_answer_of_long_ago_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    zones = Zones(AGAIN, good=None)

    async def story() -> None:
        resolver = SystemResolver(zones)
        await resolver.resolve("good.example")
        monkeypatch.setattr(resolving, "CONTROL_FRESH_SECONDS", -60.0)
        assert (await fault(resolver, "broken.example")).ours

    asyncio.run(story())


def test_whoever_leaves_early_can_ask_whose_fault_it_would_be() -> None:
    zones = Zones(None, broken=HANGS)

    async def story() -> None:
        resolver = SystemResolver(zones)
        asking = asyncio.create_task(resolver.resolve("broken.example"))
        while not zones.asked:
            await asyncio.sleep(0)
        assert resolver.is_silent("broken.example")
        assert not resolver.is_silent("unasked.example")
        await resolver.resolve("good.example")
        assert not resolver.is_silent("broken.example")
        zones.hanging.set()
        with pytest.raises(EgressError):
            await asking

    asyncio.run(story())


@pytest.mark.parametrize("error", [OSError(24, "no files"), RuntimeError("can't start new thread")])
def test_what_is_used_up_here_is_ours(error: Exception) -> None:
    async def story() -> None:
        assert (await fault(SystemResolver(Zones(error)), "hooks.example")).ours

    asyncio.run(story())


def test_too_many_look_ups_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "MAX_WAITING", 1)
    names = Names()

    async def story() -> None:
        resolver = SystemResolver(names)
        first = asyncio.create_task(resolver.resolve("first.example"))
        await asyncio.sleep(0)
        assert (await fault(resolver, "second.example")).ours
        names.gate.set()
        await first

    asyncio.run(story())


def test_names_that_hang_cannot_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """All threads but the suspects' share stay free for names that are not below a suspect domain."""
    monkeypatch.setattr(resolving, "CONTROL_SECONDS", 0.2)
    zones = Zones(None, **{f"h{n}": HANGS for n in range(MAX_CONCURRENT * 2)})

    async def story() -> None:
        resolver = SystemResolver(zones, limit_seconds=0.2)
        assert not (await fault(resolver, "h0.evil.example")).ours
        others = [fault(resolver, f"h{n}.evil.example") for n in range(1, MAX_CONCURRENT * 2)]
        failing = asyncio.gather(*others)
        assert await resolver.resolve("good.example") == ("93.184.216.34",)
        # Those that got no thread wait for their own kind: it is still their domain's fault.
        assert not any(error.ours for error in await failing)
        assert sum(name.endswith(".evil.example") for name in zones.asked) == MAX_SUSPECT + 1
        zones.hanging.set()

    try:
        asyncio.run(story())
    finally:
        zones.hanging.set()
