"""What runs there: whether the key may look, which version and commit it is, and on which schema."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec

from ogel.cli.smoke.asking import Suite, read
from ogel.cli.smoke.problem import Problem
from ogel.features.releases.release import Release
from ogel.kernel.principal import Principal
from ogel.runtime.http.me import Me

_LEAST_COMMIT = 7


class Running(msgspec.Struct):
    """`release` is None of a version that does not tell it."""

    version: str
    release: Release | None

    @property
    def since(self) -> datetime | None:
        """When the process that answers was started."""
        return None if self.release is None else self.release.started_at


def admitted(suite: Suite, needed: Collection[str]) -> str:
    """Raises Problem with all scopes that the key lacks."""
    me = suite.read("key", "/api/me", Me)
    if me.kind not in ("key", "admin"):
        raise Problem("key", f"that is no API key, but of a {me.kind}")
    principal = Principal(me.kind, me.id, frozenset(me.scopes))
    if missing := sorted(scope for scope in needed if not principal.may(scope)):
        raise Problem("scopes", f"{me.id} lacks {', '.join(missing)}")
    return f"{me.id} may do all of this"


def running(suite: Suite) -> Running:
    answer = suite.ask("version", "GET", "/api/release", also=(404,))
    if answer.status == 404:
        return Running(suite.read("version", "/api/me", Me).version, None)
    release = read(answer, Release, "version", suite.where)
    return Running(release.version, release)


def expected(found: Running, version: str | None, commit: str | None) -> str:
    """What runs, in words. Raises Problem where it is another one than expected."""
    release = found.release
    there = None if release is None else release.commit
    if version is not None and version != found.version:
        raise Problem("version", f"{found.version} runs, and {version} is expected", passing=True)
    if commit is not None and (there is None or not _same(there, commit)):
        runs = f"{there[:12]} runs" if there else "nothing tells which commit runs"
        raise Problem("version", f"{runs}, and {commit[:12]} is expected", passing=True)
    return " ".join([found.version, *([f"of {there[:12]}"] if there else [])])


def schema(found: Running) -> str:
    if found.release is None:
        return f"not told by {found.version}; it is ready, so it has what it needs"
    state = found.release.schema
    if state.missing:
        raise Problem("schema", f"it lacks {', '.join(state.missing)}: run `ogel migrate`")
    if state.beyond:
        return f"has all it needs, and {len(state.beyond)} of a newer version: {', '.join(state.beyond[:3])}"
    return f"at {state.applied[0].name}" if state.applied else "needs nothing"


def _same(one: str, other: str) -> bool:
    """Commits are told by their beginning."""
    least = min(len(one), len(other))
    return least >= _LEAST_COMMIT and one[:least] == other[:least]
