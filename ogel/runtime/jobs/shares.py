"""Divides a runner's slots among keys: a key that keeps up gets more, one that does not gets less."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from msgspec import Struct

# An unknown key starts with this many slots; with fewer, the fewer are left for unknown keys.
FIRST_SHARE = 10
# How much a success widens the window of a key that was never overloaded: it triples in each round.
FIRST_GROWTH = 2.0
# A job that takes this long marks its key as suspect before its timeout does.
SLOW_SECONDS = 2.0
# All keys that have not yet shown that they keep up get at most this share of the slots, and the suspect ones half of
# it. The rest is for keys that are known to free their slots.
UNTRUSTED_PART = 0.5
SUSPECT_PART = 0.25
# A key with nothing in flight is forgotten and starts anew: soon if it kept up, later if it was slow.
FORGET_SECONDS, FORGET_SLOW_SECONDS = 1.0, 60.0
MOST_REMEMBERED = 4096


class Share(NamedTuple):
    """Slots of a key: those it may have, the `busy` ones included."""

    key: str
    cap: int
    busy: int


class NewKeys(NamedTuple):
    """
    Slots for one unknown key, and for all unknown keys together. Beyond these each gets one, since otherwise none could
    become known.
    """

    share: int
    together: int


class Division(NamedTuple):
    """The division of a runner's slots among known and unknown keys."""

    shares: Sequence[Share]
    new_keys: NewKeys


UNDIVIDED = Division((), NewKeys(1_000_000, 1_000_000))


class _KeyShare(Struct):
    """
    window      places it may have, growing with every success; like TCP's, fast below `threshold` and by one per round
                above it.
    limit       what its owner allows.
    started     when each claim in flight was made, oldest first.
    shrunk_at   jobs that started before this were part of the overload already answered.
    is_new      it has not shown one success yet.
    unproven    successes it still owes, after an overload, until it is trusted again.
    """

    window: float
    limit: float = math.inf
    threshold: float = math.inf
    started: dict[str, float] = {}
    shrunk_at: float = -math.inf
    is_new: bool = True
    unproven: int = 0
    quiet_at: float = 0.0


class Shares:
    """Times are the event loop's. What this process has learned is its own, and is lost with it."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._untrusted_places = max(1, int(places * UNTRUSTED_PART))
        self._suspect_places = max(1, int(places * SUSPECT_PART))
        self._keys: dict[str, _KeyShare] = {}
        self._turn = 0

    def started(self, key: str, claim: str, limit: float | None, now: float) -> None:
        state = self._keys.get(key)
        if state is None:
            state = self._keys[key] = _KeyShare(FIRST_SHARE)
        if limit is not None:
            state.limit = limit
        state.started[claim] = now

    def ended(self, key: str, claim: str, now: float, *, done: bool, slow: bool) -> None:
        """Records the end of a job. `slow`: the key could not keep up."""
        state = self._keys.get(key)
        if state is None:
            return
        began = state.started.pop(claim, now)
        if done:
            state.is_new = False
            state.unproven = max(0, state.unproven - 1)
            state.window += self._growth(state)
            state.window = min(state.window, max(FIRST_SHARE, state.limit))
        elif slow and began > state.shrunk_at:
            state.window = state.threshold = max(1.0, state.window / 2)
            state.shrunk_at = now
            state.unproven = FIRST_SHARE
        state.quiet_at = now

    def given_back(self, key: str, claim: str, now: float) -> None:
        """Records a job that was given back before it began, which says nothing about the key."""
        state = self._keys.get(key)
        if state is not None:
            state.started.pop(claim, None)
            state.quiet_at = now

    def places(self, wanted: Mapping[str, int], now: float) -> Mapping[str, Iterator[int]] | None:
        """
        Returns so many slots for each key, numbered on from those in flight. None: one of the keys, or all unknown keys
        together, have less room than that.
        """
        division = self.divided(now)
        known = {share.key: share for share in division.shares}
        places, new = {}, 0
        for key, count in wanted.items():
            share = known.get(key)
            busy, cap = (share.busy, share.cap) if share is not None else (0, division.new_keys.share)
            new += count if share is None else 0
            if busy + count > cap or new > division.new_keys.together:
                return None
            places[key] = iter(range(busy + 1, busy + count + 1))
        return places

    def _growth(self, state: _KeyShare) -> float:
        if math.isinf(state.threshold):
            return FIRST_GROWTH
        return 1.0 if state.window < state.threshold else 1.0 / state.window

    def divided(self, now: float) -> Division:
        """Names every key that has jobs in flight or is remembered."""
        self._forget(now)
        self._turn += 1
        trusted: list[Share] = []
        suspects: list[Share] = []
        new: list[Share] = []
        for key, state in self._keys.items():
            busy = len(state.started)
            share = Share(key, max(busy, int(min(state.window, state.limit))), busy)
            (suspects if self._is_suspect(state, now) else new if state.is_new else trusted).append(share)
        busy_suspects = sum(share.busy for share in suspects)
        left = self._untrusted_places - busy_suspects - sum(share.busy for share in new)
        suspects, taken = self._in_turns(suspects, min(left, self._suspect_places - busy_suspects))
        new, taken_by_new = self._in_turns(new, left - taken)
        left = max(0, left - taken - taken_by_new)
        return Division(trusted + suspects + new, NewKeys(max(1, min(FIRST_SHARE, left // 4)), left))

    def _is_suspect(self, state: _KeyShare, now: float) -> bool:
        if state.unproven:
            return True
        oldest = next(iter(state.started.values()), now)
        return now - oldest > SLOW_SECONDS

    def _in_turns(self, shares: Sequence[Share], left: int) -> tuple[list[Share], int]:
        """
        Divides what is left among all of them, the first in line getting most; each keeps what it has. Also returns the
        sum.
        """
        turn = self._turn % len(shares) if shares else 0
        divided, taken = [], 0
        for share in (*islice(shares, turn, None), *islice(shares, turn)):
            more = max(0, min(share.cap - share.busy, left - taken))
            taken += more
            divided.append(Share(share.key, share.busy + more, share.busy))
        return divided, taken

    def _forget(self, now: float) -> None:
        """Forgets quiet keys whose time is up, or the first in line when there are too many."""
        quiet = [key for key, state in self._keys.items() if not state.started]
        over = len(quiet) - MOST_REMEMBERED
        for place, key in enumerate(quiet):
            state = self._keys[key]
            seconds = FORGET_SLOW_SECONDS if state.unproven else FORGET_SECONDS
            if place < over or now - state.quiet_at > seconds:
                del self._keys[key]
