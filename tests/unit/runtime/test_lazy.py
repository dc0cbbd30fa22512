"""Features that are built late: nothing before it is needed, and nothing is unknown because it is not built."""

from __future__ import annotations

import pytest

from ogel.runtime.alerts import Sample
from ogel.runtime.feature import Feature
from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.lazy import Features, LazyFeature, LazyKinds


async def perform(job: Job, _: object) -> None: ...


async def hear(tx: object, events: object) -> None: ...


async def take_samples() -> list[Sample]:
    return []


class World:
    """Three features of one kind each; `built` says which are there."""

    def __init__(self) -> None:
        self.built: list[str] = []
        lines = [LazyFeature(name, [name]) for name in ("mail", "audit", "stats")]
        self.features = Features(lines, self._build)
        self.kinds = LazyKinds(self.features)

    def _build(self, line: LazyFeature) -> Feature:
        self.built.append(line.name)
        return Feature(line.name, jobs=[JobKind(f"{line.name}.do", line.name, perform)])


def features_of(*pairs: tuple[LazyFeature, Feature]) -> Features:
    made = {line.name: feature for line, feature in pairs}
    return Features([line for line, _ in pairs], lambda line: made[line.name])


def test_a_feature_is_built_once_and_when_it_is_asked_for() -> None:
    world = World()
    assert world.features.built == []
    assert world.features["audit"] is world.features["audit"]
    assert world.built == ["audit"]


def test_a_feature_that_needs_itself_is_refused_by_name() -> None:
    features = Features([LazyFeature("mail"), LazyFeature("audit")], lambda line: others[line.name]())
    others = {"mail": lambda: features["audit"], "audit": lambda: features["mail"]}
    with pytest.raises(RuntimeError, match="mail needs audit needs mail"):
        _ = features["mail"]


def test_those_that_bring_something_are_found_without_building_the_others() -> None:
    line = LazyFeature("mail", brings=["subscribers"])
    features = features_of(
        (LazyFeature("audit"), Feature("audit")),
        (line, Feature("mail", subscribers={"mail": hear})),  # type: ignore[dict-item]
    )
    assert [feature.name for feature in features.bringing("subscribers")] == ["mail"]
    assert [feature.name for feature in features.built] == ["mail"]


def test_all_but_one_are_given_to_the_one_that_asks() -> None:
    assert [feature.name for feature in World().features.all(but="audit")] == ["mail", "stats"]


def test_a_kind_that_is_there_builds_nothing_else() -> None:
    world = World()
    _ = world.features["audit"]
    assert world.kinds["audit.do"].queue == "audit"
    assert world.built == ["audit"]


def test_a_kind_of_a_feature_that_is_not_built_is_known() -> None:
    world = World()
    _ = world.features["audit"]
    known = JobQueue(world.kinds).kind("stats.do")
    assert known is not None
    assert known.queue == "stats"
    assert world.built == ["audit", "stats"]


def test_a_kind_that_is_not_called_after_its_feature_is_known_too() -> None:
    feature = Feature("mail", jobs=[JobKind("letters.send", "mail", perform)])
    assert "letters.send" in LazyKinds(features_of((LazyFeature("mail", ["mail"]), feature)))


def test_features_that_are_built_later_are_known_too() -> None:
    world = World()
    _ = world.features["mail"]
    assert "mail.do" in world.kinds
    _ = world.features["stats"]
    assert world.kinds["stats.do"].queue == "stats"
    assert world.built == ["mail", "stats"]


def test_a_kind_of_no_feature_is_unknown() -> None:
    world = World()
    assert JobQueue(world.kinds).kind("gone.do") is None
    assert sorted(world.built) == ["audit", "mail", "stats"]


def test_looking_through_all_kinds_builds_all() -> None:
    assert sorted(World().kinds) == ["audit.do", "mail.do", "stats.do"]
    assert len(World().kinds) == 3


@pytest.mark.parametrize(
    ("line", "feature"),
    [
        (LazyFeature("mail"), Feature("mail", jobs=[JobKind("mail.do", "mail", perform)])),
        (LazyFeature("mail", ["mail"]), Feature("mail")),
        (LazyFeature("mail", brings=["streams"]), Feature("mail")),
        (LazyFeature("mail"), Feature("mail", samples=[take_samples])),
        (LazyFeature("mail"), Feature("mails")),
        (LazyFeature("mail"), Feature("mail", subscribers={"mail": hear})),  # type: ignore[dict-item]
        (LazyFeature("mail"), Feature("mail", streams=list)),
    ],
)
def test_a_line_that_says_something_else_than_the_manifest_is_refused(
    line: LazyFeature, feature: Feature
) -> None:
    with pytest.raises(ValueError, match="its line in the platform says"):
        _ = Features([line], lambda _: feature)["mail"]


def test_two_kinds_of_one_name_are_refused() -> None:
    kind = JobKind("letters.send", "mail", perform)
    features = features_of(
        (LazyFeature("mail", ["mail"]), Feature("mail", jobs=[kind])),
        (LazyFeature("letters", ["mail"]), Feature("letters", jobs=[kind])),
    )
    with pytest.raises(ValueError, match="two job kinds are called"):
        list(LazyKinds(features))
