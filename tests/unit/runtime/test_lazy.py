"""A platform in parts: nothing is built before it is needed, and nothing is unknown because it is not built."""

from __future__ import annotations

import pytest

from ogel.runtime.feature import Feature
from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.lazy import LazyFeature, LazyKinds


async def perform(job: Job, _: object) -> None: ...


class World:
    """Three features of one kind each; `built` says which are there."""

    def __init__(self) -> None:
        self.built: list[str] = []
        self.parts = [
            LazyFeature(name, lambda name=name: self._build(name), [name])
            for name in ("mail", "audit", "stats")
        ]
        self.kinds = LazyKinds(self.parts)

    def _build(self, name: str) -> Feature:
        self.built.append(name)
        return Feature(name, jobs=[JobKind(f"{name}.do", name, perform)])


def test_a_part_is_built_once_and_when_it_is_asked_for() -> None:
    world = World()
    assert not world.parts[1].is_built
    assert world.parts[1].feature is world.parts[1].feature
    assert world.built == ["audit"]


def test_a_kind_that_is_there_builds_nothing_else() -> None:
    world = World()
    _ = world.parts[1].feature
    assert world.kinds["audit.do"].queue == "audit"
    assert world.built == ["audit"]


def test_a_kind_of_a_part_that_is_not_built_is_known() -> None:
    world = World()
    _ = world.parts[1].feature
    known = JobQueue(world.kinds).kind("stats.do")
    assert known is not None
    assert known.queue == "stats"
    assert world.built == ["audit", "stats"]


def test_a_kind_that_is_not_called_after_its_feature_is_known_too() -> None:
    other = LazyFeature(
        "mail", lambda: Feature("mail", jobs=[JobKind("letters.send", "mail", perform)]), ["mail"]
    )
    assert "letters.send" in LazyKinds([other])


def test_parts_that_are_built_later_are_known_too() -> None:
    world = World()
    _ = world.parts[0].feature
    assert "mail.do" in world.kinds
    _ = world.parts[2].feature
    assert world.kinds["stats.do"].queue == "stats"
    assert world.built == ["mail", "stats"]


def test_a_kind_of_no_part_is_unknown() -> None:
    world = World()
    assert JobQueue(world.kinds).kind("gone.do") is None
    assert sorted(world.built) == ["audit", "mail", "stats"]


def test_looking_through_all_kinds_builds_all() -> None:
    assert sorted(World().kinds) == ["audit.do", "mail.do", "stats.do"]
    assert len(World().kinds) == 3


async def hear(tx: object, events: object) -> None: ...


@pytest.mark.parametrize(
    "part",
    [
        LazyFeature("mail", lambda: Feature("mail", jobs=[JobKind("mail.do", "mail", perform)]), []),
        LazyFeature("mail", lambda: Feature("mail"), ["mail"]),
        LazyFeature("mail", lambda: Feature("mail"), hears=True),
        LazyFeature("mail", lambda: Feature("mails")),
        LazyFeature("mail", lambda: Feature("mail", subscribers=[hear])),  # type: ignore[list-item]
    ],
)
def test_a_part_that_says_something_else_than_its_manifest_is_refused(part: LazyFeature) -> None:
    with pytest.raises(ValueError, match="the platform says"):
        _ = part.feature


def test_two_kinds_of_one_name_are_refused() -> None:
    parts = [
        LazyFeature("mail", lambda: Feature("mail", jobs=[JobKind("mail.do", "mail", perform)]), ["mail"])
    ] * 2
    with pytest.raises(ValueError, match="two job kinds are called"):
        list(LazyKinds(parts))
