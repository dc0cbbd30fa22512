"""Receivers that mean harm, in a process of their own: how they are reached, and how long each visitor stayed."""

from __future__ import annotations

from typing import NamedTuple, Self

from tests.support.receivers.child import Child


class Stay(NamedTuple):
    """A connection as a receiver saw it, in time.monotonic(); `closed` is None while it is open."""

    opened: float
    closed: float | None


class HostileReceivers(Child):
    """`urls` has one for each way of doing harm, by its name."""

    def __init__(self) -> None:
        super().__init__("hostile_server.py")
        self.urls: dict[str, str] = {}

    def __enter__(self) -> Self:
        super().__enter__()
        self.urls = {
            way: f"{scheme}://127.0.0.1:{port}/{way}" for way, scheme, port in self.ask("open", seconds=60)
        }
        return self

    def stays(self) -> dict[str, list[Stay]]:
        return {way: [Stay(*stay) for stay in stays] for way, stays in self.ask("stays").items()}
