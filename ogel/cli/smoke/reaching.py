"""Whether somebody is there: an Ogel that is ready, well, and the one that is expected."""

from __future__ import annotations

import msgspec

from ogel.cli.smoke.asking import Suite
from ogel.cli.smoke.problem import Problem

# What the status of a state is told by besides.
_UNREADY = (503,)


class _Alive(msgspec.Struct):
    status: str


class _State(msgspec.Struct):
    status: str
    reasons: dict[str, str] = {}

    @property
    def why(self) -> str:
        return "; ".join(f"{name}: {reason}" for name, reason in sorted(self.reasons.items()))


def reach(suite: Suite) -> str:
    if suite.read("not_ogel", "/health/live", _Alive).status != "alive":
        raise Problem("not_ogel", f"{suite.where} does not say that it is alive: is it an Ogel?")
    state = suite.read("not_ogel", "/health/ready", _State, also=_UNREADY)
    if state.status != "ready":
        raise Problem("not_ready", f"it is {state.status}: {state.why}", passing=True)
    return "alive and ready"


def health(suite: Suite) -> str:
    state = suite.read("not_ogel", "/api/health", _State, also=_UNREADY)
    if state.status != "healthy":
        raise Problem("unhealthy", f"it is {state.status}: {state.why}")
    return "everything it leans on answers"
