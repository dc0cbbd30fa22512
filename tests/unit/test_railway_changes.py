"""What `railway config apply` would do, by the rules of Railway's CLI: example environments, and what comes of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ogel.cli.railway.evaluating import evaluate
from ogel.features.releases.configuration.changes import Change, ChangeSet, change_set
from ogel.features.releases.configuration.current import current_resources
from ogel.features.releases.configuration.graph import Graph, graph_of, problems
from ogel.runtime.railway import Bucket, Named, Project

FILE = Path(__file__).parents[2] / "railway" / "railway.py"


@cache
def ours(**settings: str) -> Graph:
    return evaluate(FILE, {"PATH": os.defpath, **settings})


def service(name: str = "api", **fields: Any) -> dict[str, Any]:
    return {"address": f"service.{name}", "type": "service", "name": name, **fields}


def graph(*resources: Mapping[str, Any], partial: str | None = "ogel") -> Graph:
    return graph_of({"partial": partial, "project": {"resources": list(resources)}})


def there(
    services: Mapping[str, Mapping[str, Any]],
    variables: Mapping[str, Mapping[str, str]] | None = None,
    **rest: Any,
) -> Mapping[str, Any]:
    """An environment, by the names of its services: their ids are `id-NAME`."""
    config = {"services": {f"id-{name}": each for name, each in services.items()}, **rest}
    project = Project(
        "p", "shop", [Named("e", "production")], [Named(f"id-{name}", name) for name in services],
        buckets=[Bucket("id-files", "files", "e", None, None)],
    )  # fmt: skip
    return current_resources(
        project, config, {f"id-{name}": each for name, each in (variables or {}).items()}
    )


def told(found: ChangeSet) -> list[tuple[str, str, str]]:
    return [(each.kind, each.what, each.path) for each in found.changes]


def as_it_is(desired: Graph) -> Mapping[str, Any]:
    """The environment that applying the file has left."""
    services, variables = {}, {}
    for each in desired.resources:
        if each["type"] == "service":
            fields = {field: each[field] for field in ("source", "build", "deploy") if field in each}
            written = {name: _stands(value) for name, value in each["variables"].items()}
            services[each["name"]] = {**fields, "variables": {name: {"value": "*****"} for name in written}}
            variables[each["name"]] = written
    buckets = {f"id-{each['name']}": each["config"] for each in desired.resources if each["type"] == "bucket"}
    return there(services, variables, buckets=buckets)


def _stands(value: Mapping[str, str]) -> str:
    if value["type"] == "sharedReference":
        return "${{shared." + value["name"] + "}}"
    if value["type"] == "reference":
        return "${{" + value["resource"].partition(".")[2] + "." + value["output"] + "}}"
    return value["value"]


@pytest.mark.parametrize("layout", ["one", "worker", "queues"])
def test_what_was_applied_is_not_applied_again(layout: str) -> None:
    desired = ours(
        OGEL_RAILWAY_LAYOUT=layout, OGEL_RAILWAY_IMAGE="ghcr.io/you/ogel:1", OGEL_RAILWAY_BUCKET="files"
    )
    assert change_set(desired, as_it_is(desired)) == ChangeSet([], [])


def test_beside_other_services_only_ours_are_made() -> None:
    others = {
        "Postgres": {
            "source": {"image": "ghcr.io/railwayapp-templates/postgres-ssl:18"},
            "networking": {"tcpProxies": {"5432": {}}},
        },
        "Kong": {"source": {"image": "kong:3"}},
    }
    found = change_set(ours(OGEL_RAILWAY_LAYOUT="worker"), there(others))
    assert told(found) == [
        ("create", f"service.{name}", "") for name in ("api", "worker", "scheduler", "realtime")
    ]
    assert not found.refused


def test_out_of_supabases_services_each_step_is_a_short_plan_and_touches_none_of_them() -> None:
    """As railway/README.md has them."""
    others = there({name: {"source": {"image": f"{name}:1"}} for name in ("Kong", "GoTrue", "PostgREST")})
    owners = {"service.api": "ogel"}
    image = {"OGEL_RAILWAY_IMAGE": "ogel:1"}
    beside = ours(**image, OGEL_RAILWAY_AUTH="GoTrue")
    in_front = ours(**image, OGEL_RAILWAY_AUTH="GoTrue", OGEL_RAILWAY_KEEP="rest=PostgREST")
    alone = ours(**image, OGEL_RAILWAY_KEEP="rest=PostgREST")
    assert told(change_set(beside, others, {})) == [("create", "service.api", "")]
    for before, after, variable in (
        (beside, in_front, "OGEL_UPSTREAMS"),
        (in_front, alone, "OGEL_AUTH_LEGACY_JWT_SECRET"),
    ):
        found = change_set(after, {**others, **as_it_is(before)}, owners)
        assert told(found) == [("change", "service.api", f"variables.{variable}")]
        assert found.problems == []


def test_a_step_to_another_layout_makes_and_changes_and_deletes_nothing_it_does_not_own() -> None:
    before = as_it_is(ours(OGEL_RAILWAY_LAYOUT="worker", OGEL_RAILWAY_IMAGE="ogel:1"))
    after = ours(OGEL_RAILWAY_LAYOUT="one", OGEL_RAILWAY_IMAGE="ogel:1")
    owners = {f"service.{name}": "ogel" for name in ("api", "worker", "scheduler")}
    found = change_set(after, before, owners)
    assert told(found) == [
        ("change", "service.api", "deploy.startCommand"),
        ("delete", "service.worker", ""),
        ("delete", "service.scheduler", ""),
    ]
    assert [each.destructive for each in found.changes] == [False, True, True]
    unknown = change_set(after, before)
    assert told(unknown) == [("change", "service.api", "deploy.startCommand")]
    assert [each.what for each in unknown.problems] == [
        "service.worker", "service.scheduler", "service.realtime",
    ]  # fmt: skip
    assert not unknown.refused


def test_a_variable_that_the_file_does_not_know_is_deleted_and_that_is_told() -> None:
    desired = ours()
    before = as_it_is(desired)
    before["service.api"]["variables"]["SHOP_MODE"] = "closed"
    found = change_set(desired, before)
    assert found.changes == [Change("delete", "service.api", "variables.SHOP_MODE", destructive=True)]


def test_variables_are_compared_as_they_are_written_and_kept_where_the_file_says_so() -> None:
    desired = graph(
        service(
            variables={
                "SAME": {"type": "literal", "value": "1"},
                "OTHER": {"type": "literal", "value": "2"},
                "NEW": {"type": "sharedReference", "name": "NEW"},
                "KEPT": {"type": "preserve"},
                "SEALED": {"type": "literal", "value": "x"},
                "URL": {"type": "reference", "resource": "service.web", "output": "URL"},
            }
        )
    )
    config = {"variables": {name: {"value": "*****"} for name in ("SAME", "OTHER", "KEPT", "SEALED", "URL")}}
    written = {"SAME": "1", "OTHER": "1", "KEPT": "secret", "URL": "${{web.URL}}"}
    found = change_set(desired, there({"api": config}, {"api": written}))
    assert told(found) == [
        ("create", "service.api", "variables.NEW"),
        ("change", "service.api", "variables.OTHER"),
        ("change", "service.api", "variables.SEALED"),
    ]
    assert all(each.before is None and each.after is None for each in found.changes)


def test_what_stands_for_nothing_is_nothing() -> None:
    desired = graph(
        service(source={"type": "github", "repo": "a/b", "branch": "main"}, deploy={"startCommand": "x"})
    )
    config = {
        "source": {"repo": "a/b", "checkSuites": False, "commitSha": "123"},
        "build": {"builder": "RAILPACK", "buildEnvironment": "V3"},
        "deploy": {
            "startCommand": "x",
            "runtime": "V2",
            "cronSchedule": None,
            "multiRegionConfig": {"us-west2": {"numReplicas": 1}},
        },
    }
    assert change_set(desired, there({"api": config})).changes == []
    config["deploy"]["multiRegionConfig"]["us-west2"]["numReplicas"] = 3
    config["deploy"]["drainingSeconds"] = 10
    assert told(change_set(desired, there({"api": config}))) == [
        ("change", "service.api", "deploy.drainingSeconds"),
        ("change", "service.api", "deploy.multiRegionConfig.us-west2.numReplicas"),
    ]


def test_replicas_are_those_of_the_region_where_the_service_is() -> None:
    config = {"deploy": {"multiRegionConfig": {"us-west2": {"numReplicas": 2}}}}
    assert change_set(graph(service(deploy={"numReplicas": 2})), there({"api": config})).changes == []
    assert told(change_set(graph(service(deploy={"numReplicas": 3})), there({"api": config}))) == [
        ("change", "service.api", "deploy.multiRegionConfig.us-west2.numReplicas")
    ]


def test_a_file_without_a_name_deletes_what_it_does_not_declare() -> None:
    nameless = graph(service(), partial=None)
    assert [each.severity for each in problems(nameless)] == ["warning"]
    found = change_set(nameless, there({"api": {}, "Postgres": {"source": {"image": "postgres:17"}}}))
    assert told(found) == [("delete", "database.Postgres", "")]


def test_what_railway_refuses_is_refused_here() -> None:
    moved = graph({"type": "bucket", "name": "files", "config": {"region": "sjc"}})
    found = change_set(moved, there({}, buckets={"id-files": {"region": "iad"}}))
    assert found.refused and "stays in its region" in found.problems[0].message
    domain = graph(service(networking={"customDomains": {"ogel.example.com": {}}}))
    for environment in (there({}), there({"api": {}})):
        assert change_set(domain, environment).refused
    known = there({"api": {"networking": {"customDomains": {"ogel.example.com": {"port": 8080}}}}})
    assert not change_set(domain, known).refused
    by_repository = there({"api": {"configFile": "/railway.toml"}})
    assert (
        change_set(graph(service()), by_repository).problems[0].message.startswith("is set by /railway.toml")
    )
    assert change_set(graph(service()), there({}), {"service.api": "shop"}).refused


def test_a_public_proxy_goes_when_it_is_said_to_and_stays_when_nothing_is_said() -> None:
    open_ = there(
        {"Postgres": {"source": {"image": "postgres:17"}, "networking": {"tcpProxies": {"5432": {}}}}}
    )
    kept = service("Postgres", source={"type": "image", "image": "postgres:17"})
    assert change_set(graph(kept), open_).changes == []
    closed = {**kept, "networking": {"tcpProxies": {"5432": None}}}
    assert told(change_set(graph(closed), open_)) == [
        ("delete", "service.Postgres", "networking.tcpProxies.5432")
    ]


def test_what_the_file_itself_gets_wrong_is_named() -> None:
    wrong = graph(
        service("db", source={"image": "postgres:17"}, networking={"tcpProxies": {"5432": {}}}),
        service(deploy={"healthcheck": "/"}, replicas=2, variables={"X": "plain"}),
        service(),
        {"type": "bucket", "name": "files"},
        partial="two words",
    )
    assert [f"{each.what}: {each.message}" for each in problems(wrong)] == [
        "partial: 'two words' is no name: letters, digits, dots, _ and -, 64 at most",
        "service.db: a database with a public TCP proxy",
        "service.api: Railway knows no `replicas`, and would drop it without a word",
        "service.api: Railway knows no `deploy.healthcheck`, and would drop it without a word",
        "service.api: variable X has no type that Railway knows",
        "service.api: stands twice",
        "bucket.files: its region is None; it takes one of ams, iad, sin, sjc",
    ]
    for evaluated in (
        {},
        {"project": None},
        {"project": {"resources": [{}]}},
        {"project": {"resources": "x"}},
    ):
        with pytest.raises(ValueError, match=r"it returns no project|a resource without a name"):
            graph_of(evaluated)
