"""What each service runs, and what going back means: rules over deployments, without Railway."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from ogel.features.releases.history import (
    ServiceHistory,
    as_in,
    history,
    moved_on,
    of_suite,
    one_step,
    to_deployment,
    until,
)
from ogel.features.releases.release import AppliedMigration, schema_state
from ogel.kernel.errors import Conflict, NotFound
from ogel.runtime.railway import Deployment, Instance

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def deployment(
    service: str, minutes: float, status: str = "REMOVED", commit: str | None = "a", good: bool = True
) -> Deployment:
    id = f"{service}-{minutes:g}"
    return Deployment(id, service, "env", status, at(minutes), can_rollback=good, commit=commit)


def service(name: str, *deployments: Deployment) -> ServiceHistory:
    newest_first = sorted(deployments, key=lambda each: each.created_at, reverse=True)
    return history(Instance(name, name, "env"), newest_first)


def ids(way: object) -> Sequence[tuple[str, str]]:
    return [(each.service.name, each.to.id) for each in way.returns]  # type: ignore[attr-defined]


def test_what_runs_is_the_newest_that_came_to_run() -> None:
    api = service(
        "api",
        deployment("api", 0, "REMOVED"),
        deployment("api", 5, "FAILED", good=False),
        deployment("api", 10, "SUCCESS"),
        deployment("api", 20, "FAILED", good=False),
    )
    assert api.running is not None and api.running.id == "api-10"
    assert [each.id for each in api.before] == ["api-0"]
    assert api.under_way is None
    crashed = service("api", deployment("api", 0), deployment("api", 10, "CRASHED"))
    assert crashed.running is not None and crashed.running.id == "api-10"
    building = service("api", deployment("api", 0, "SUCCESS"), deployment("api", 10, "BUILDING"))
    assert building.running is not None and building.running.id == "api-0"
    assert building.under_way is not None
    assert service("api").running is None


def test_services_of_a_release_go_back_together_and_others_stay() -> None:
    api = service("api", deployment("api", 0), deployment("api", 60, "SUCCESS", commit="b"))
    worker = service("worker", deployment("worker", 1), deployment("worker", 62, "SUCCESS", commit="b"))
    clock = service("scheduler", deployment("scheduler", -99), deployment("scheduler", 2, "SUCCESS"))
    way = one_step([api, worker, clock])
    assert ids(way) == [("api", "api-0"), ("worker", "worker-1")]
    assert way.stays == {"scheduler": "was not deployed along with it"}


def test_a_variable_that_changed_on_one_service_is_undone_there_alone() -> None:
    api = service("api", deployment("api", 0), deployment("api", 60, "REMOVED", commit="b"),
                  deployment("api", 90, "SUCCESS", commit="b"))  # fmt: skip
    worker = service("worker", deployment("worker", 1), deployment("worker", 62, "SUCCESS", commit="b"))
    assert ids(one_step([api, worker])) == [("api", "api-60")]


def test_going_back_twice_does_not_bring_back_what_was_gone_back_from() -> None:
    gone_back = (
        deployment("api", 10, commit="a"),
        deployment("api", 20, commit="bad"),
        deployment("api", 30, "SUCCESS", commit="a"),
    )
    assert ids(one_step([service("api", deployment("api", 0, commit="z"), *gone_back)])) == [("api", "api-0")]
    with pytest.raises(NotFound):
        one_step([service("api", *gone_back)])
    assert ids(to_deployment([service("api", *gone_back)], "api-20")) == [("api", "api-20")]


def test_nothing_is_gone_back_to_that_railway_has_forgotten_or_while_something_is_under_way() -> None:
    old = service("api", deployment("api", 0, good=False), deployment("api", 60, "SUCCESS"))
    with pytest.raises(NotFound, match="api has nothing that Railway could still go back to"):
        one_step([old])
    with pytest.raises(NotFound, match="nothing runs there"):
        one_step([service("api")])
    building = service("api", deployment("api", 0, "SUCCESS"), deployment("api", 10, "BUILDING"))
    for find in (one_step, lambda each: until(each, at(5)), lambda each: to_deployment(each, "api-0")):
        with pytest.raises(Conflict, match="api: deployment api-10 is BUILDING"):
            find([building])


def test_a_moment_is_what_ran_then_also_after_a_deployment_that_never_came_to_run() -> None:
    api = service("api", deployment("api", 0), deployment("api", 60, "SUCCESS", commit="b"))
    failed = service(
        "worker", deployment("worker", 1, "SUCCESS"), deployment("worker", 61, "FAILED", good=False)
    )
    way = until([api, failed], at(30))
    assert ids(way) == [("api", "api-0")]
    assert way.stays == {"worker": "runs what it ran then"}
    assert not until([api, failed], at(99)).returns
    assert until([api], at(-5)).stuck == {"api": "has nothing of then that Railway could still go back to"}


def test_what_ran_at_a_time_that_was_recorded_runs_again() -> None:
    api = service("api", deployment("api", 0), deployment("api", 60, "SUCCESS", commit="b"))
    worker = service("worker", deployment("worker", 1, "SUCCESS"))
    clock = service("scheduler", deployment("scheduler", 0), deployment("scheduler", 61, "SUCCESS"))
    mail = service("worker-mail", deployment("worker-mail", 62, "SUCCESS"))
    way = as_in(
        [api, worker, clock, mail],
        {"api": "api-0", "worker": "worker-1", "scheduler": "scheduler--9", "worker-mail": None},
    )
    assert ids(way) == [("api", "api-0")]
    assert way.stays == {
        "worker": "runs what it ran then",
        "worker-mail": "did not run then",
    }
    assert way.stuck == {"scheduler": "ran scheduler--9, which Railway cannot go back to any more"}


def test_an_image_that_never_came_to_run_does_not_stay_set() -> None:
    ran = Deployment("1", "api", "env", "SUCCESS", at(0), image="ogel:1")
    failed = Deployment("2", "api", "env", "FAILED", at(60), image="ogel:2")
    api = history(Instance("api", "api", "env", image="ogel:2"), [failed, ran])
    assert [each.name for each in until([api], at(30)).restored] == ["api"]
    same = history(Instance("api", "api", "env", image="ogel:1"), [failed, ran])
    assert not until([same], at(30)).restored


def test_one_deployment_takes_those_of_the_same_commit_along() -> None:
    api = service("api", deployment("api", 0), deployment("api", 30, commit="b"),
                  deployment("api", 60, "SUCCESS", commit="c"))  # fmt: skip
    worker = service("worker", deployment("worker", 1), deployment("worker", 62, "SUCCESS", commit="c"))
    clock = service("scheduler", deployment("scheduler", 2, "SUCCESS"))
    mail = service("worker-mail", deployment("worker-mail", 63, "SUCCESS", commit="c"))
    way = to_deployment([api, worker, clock, mail], "api-0")
    assert ids(way) == [("api", "api-0"), ("worker", "worker-1")]
    assert way.stays == {"scheduler": "runs that already"}
    assert way.stuck == {"worker-mail": "has nothing of the same commit or image to go back to"}
    with pytest.raises(NotFound, match="none of the deployments"):
        to_deployment([api], "api-60")


def test_migrations_since_then_are_those_it_never_met() -> None:
    way = until([service("api", deployment("api", 0), deployment("api", 60, "SUCCESS"))], at(30))
    applied = [AppliedMigration("old", at(-10)), AppliedMigration("new", at(59))]
    assert moved_on(way, applied) == ["new"]


def test_the_services_of_a_suite_are_told_by_what_they_start() -> None:
    instances = [
        Instance("1", "worker", "env", start_command="/app/entrypoints/worker"),
        Instance("2", "Postgres", "env"),
        Instance("3", "api", "env", start_command="/app/entrypoints/api --with worker"),
        Instance("4", "shop", "env", start_command="node shop.js"),
        Instance("5", "suite", "env", start_command="ogel up"),
    ]
    assert [each.name for each in of_suite(instances)] == ["api", "suite", "worker"]
    assert [each.name for each in of_suite(instances, ["shop"])] == ["shop"]
    with pytest.raises(NotFound, match=r"no service .wroker.; there are api, Postgres, shop, suite, worker"):
        of_suite(instances, ["wroker"])
    with pytest.raises(NotFound, match="none of Postgres, shop starts a process"):
        of_suite([instances[1], instances[3]])


def test_the_state_of_a_schema_names_what_is_missing_and_what_is_beyond() -> None:
    applied = [AppliedMigration("1", at(0)), AppliedMigration("3", at(1))]
    state = schema_state(["1", "2"], applied)
    assert (state.current, state.missing, state.beyond) == (False, ["2"], ["3"])
    assert [each.name for each in state.applied] == ["3", "1"]
    assert schema_state([], []).current
