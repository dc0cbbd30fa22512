"""Railway's API, asked as every process asks it, of a stand-in that holds documents to the published schema."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from graphql import parse, validate

from ogel.adapters.railway import transport
from ogel.adapters.railway.documents import document, operations
from ogel.platform.platform import Platform
from ogel.platform.railway import railway
from ogel.runtime.railway import Named, Railway, RailwayError, TcpProxy, TokenScope, VariableChange
from ogel.settings import NOWHERE, Settings
from tests.support.railway import RailwayServer, World
from tests.support.railway.server import schema

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Answer = TypeVar("Answer")


class Shop:
    """A project of two environments, with a database that is public and an API that uses it."""

    def __init__(self) -> None:
        self.world = World(now=lambda: NOW)
        self.project = self.world.project("shop")
        self.production = self.project.environment("production")
        self.staging = self.project.environment("staging")
        self.postgres = self.production.service(
            "Postgres",
            image="postgres-ssl:18",
            variables={
                "PGPASSWORD": "s3cret-password",
                "DATABASE_URL": "postgresql://postgres:${{PGPASSWORD}}@${{RAILWAY_PRIVATE_DOMAIN}}:5432/railway",
                "LICENSE": "sealed-value",
            },
            sealed={"LICENSE"},
            metrics={"MEMORY_USAGE_GB": 0.25, "NETWORK_TX_GB": 0.5},
        )
        self.api = self.production.service(
            "api",
            repo="you/shop",
            variables={"DATABASE_URL": "${{Postgres.DATABASE_URL}}", "KEY": "${{shared.KEY}}"},
            metrics={"MEMORY_USAGE_GB": 0.125},
        )
        self.production.shared["KEY"] = "shared-value"


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def server(shop: Shop) -> Iterator[RailwayServer]:
    with RailwayServer(shop.world) as started:
        yield started


def settings_of(server: RailwayServer, **changes: Any) -> Settings:
    given = {"railway_api": server.url, "railway_api_token": server.world.api_token, **changes}
    return replace(NOWHERE, **given)


def ask(server: RailwayServer, question: Callable[[Railway], Awaitable[Answer]], **changes: Any) -> Answer:
    async def asked() -> Answer:
        async with railway(settings_of(server, **changes)) as opened:
            return await question(opened)

    return asyncio.run(asked())


def ask_as_project(
    server: RailwayServer, token: str, question: Callable[[Railway], Awaitable[Answer]]
) -> Answer:
    return ask(server, question, railway_api_token=None, railway_token=token)


@contextmanager
def refused(cause: str) -> Iterator[list[RailwayError]]:
    found: list[RailwayError] = []
    with pytest.raises(RailwayError) as caught:
        yield found
    found.append(caught.value)
    assert caught.value.cause == cause, caught.value.message
    assert "\n" not in caught.value.message


def test_every_document_is_what_the_schema_has() -> None:
    assert len(operations()) > 20
    for name in operations():
        assert validate(schema(), parse(document(name))) == [], name


def a_world() -> World:
    world = World(api_token="token-of-a-process")
    world.project("elsewhere").environment("production")
    return world


def test_the_stand_in_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.support.railway", "--world", f"{__name__}:a_world"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url, token = (process.stdout.readline().strip().partition("=")[2] for _ in range(2))
            chosen = replace(NOWHERE, railway_api=url, railway_api_token=token)

            async def asked() -> list[str]:
                async with railway(chosen) as opened:
                    return [each.name for each in await opened.projects()]

            assert asyncio.run(asked()) == ["elsewhere"]
        finally:
            process.terminate()
        assert process.wait(20) == 0


def test_a_project_is_whole_whatever_the_pages(shop: Shop, server: RailwayServer) -> None:
    shop.postgres.volume("data", "/var/lib/postgresql/data", 5000, 1200.5)
    for number in range(5):
        shop.project.bucket(f"files-{number}", 1000 * number, number)
        shop.production.service(f"more-{number}")
    whole = ask(server, lambda railway: railway.project(shop.project.id))
    assert [each.name for each in whole.environments] == ["production", "staging"]
    assert [each.name for each in whole.services] == [
        "Postgres",
        "api",
        *(f"more-{number}" for number in range(5)),
    ]
    [volume] = whole.volumes
    assert (volume.service_id, volume.environment_id) == (shop.postgres.service_id, shop.production.id)
    assert (volume.mount_path, volume.size_mb, volume.used_mb) == ("/var/lib/postgresql/data", 5000, 1200.5)
    assert len(whole.buckets) == 10
    of_production = [each for each in whole.buckets if each.environment_id == shop.production.id]
    assert [(each.name, each.size_bytes, each.objects) for each in of_production] == [
        (f"files-{number}", 1000.0 * number, number) for number in range(5)
    ]
    assert whole.workspace_id == shop.project.workspace.id
    shop.world.page_size = 2
    assert ask(server, lambda railway: railway.project(shop.project.id)) == whole


def test_instances(shop: Shop, server: RailwayServer) -> None:
    proxy = shop.postgres.tcp_proxy(5432, "shortline.proxy.rlwy.net", 51234)
    shop.api.domain("api-production.up.railway.app", "api.example.com")
    shop.api.replicas = {"us-west2": 2, "europe-west4-drams3a": 1}
    shop.api.limits = {"memoryGB": 2, "vCPUs": 1.5}
    made = shop.api.deployed(commit="4f1c2d3", message="Orders can be paid")

    def asked() -> dict[str, Any]:
        found = ask(server, lambda railway: railway.instances(shop.project.id, shop.production.id))
        return {each.name: each for each in found}

    found = asked()
    postgres, api = found["Postgres"], found["api"]
    assert postgres.proxies == [TcpProxy(proxy.id, "shortline.proxy.rlwy.net", 51234, 5432)]
    assert (postgres.image, postgres.memory_limit_gb, postgres.cpu_limit) == ("postgres-ssl:18", 8.0, 8.0)
    assert postgres.private_domain == "postgres.railway.internal"
    assert postgres.latest is None
    assert api.domains == ["api-production.up.railway.app", "api.example.com"]
    assert api.replicas == {"us-west2": 2, "europe-west4-drams3a": 1}
    assert (api.memory_limit_gb, api.cpu_limit, api.proxies) == (2.0, 1.5, [])
    assert api.latest is not None
    assert (api.latest.id, api.latest.commit, api.latest.commit_message) == (
        made.id,
        "4f1c2d3",
        "Orders can be paid",
    )
    shop.world.page_size = 1
    assert asked() == found
    # Where the configuration does not say how they are called, the private network does.
    shop.world.names_kept = False
    assert asked() == found
    # The configuration has no published shape: what it says otherwise than expected is looked up elsewhere.
    shop.api.replicas = {"us-west2": 3}
    found = asked()
    server.misbehave(
        edit=lambda answer: answer["data"]["environment"].update(config={"services": [7]}),
        times=None,
        when="query Instances",
    )
    assert asked() == found


def test_limits_are_left_out_where_they_are_not_told(shop: Shop, server: RailwayServer) -> None:
    shop.api.limits = None
    found = ask(server, lambda railway: railway.instances(shop.project.id, shop.production.id))
    assert [each.memory_limit_gb for each in found] == [None, None]


def test_variables_rendered_as_written_and_shared(shop: Shop, server: RailwayServer) -> None:
    async def all_of_them(railway: Railway) -> tuple[Any, ...]:
        of = shop.project.id, shop.production.id
        return (
            await railway.variables(*of, shop.api.service_id),
            await railway.variables(*of, shop.api.service_id, rendered=False),
            await railway.variables(*of, None),
            await railway.variables(*of, shop.postgres.service_id),
        )

    rendered, written, shared, of_postgres = ask(server, all_of_them)
    url = "postgresql://postgres:s3cret-password@postgres.railway.internal:5432/railway"
    assert (rendered["DATABASE_URL"], rendered["KEY"]) == (url, "shared-value")
    assert written["DATABASE_URL"] == "${{Postgres.DATABASE_URL}}"
    assert shared == {"KEY": "shared-value"}
    assert "LICENSE" not in of_postgres


def test_changes_are_staged_and_made(shop: Shop, server: RailwayServer) -> None:
    changes = [
        VariableChange(shop.api.service_id, "DATABASE_URL", "${{Postgres.DATABASE_URL}}?sslmode=disable"),
        VariableChange(shop.api.service_id, "KEY", None),
    ]

    async def staged_twice(railway: Railway) -> tuple[Any, ...]:
        before = await railway.staged(shop.production.id)
        await railway.stage(shop.production.id, changes[:1])
        await railway.stage(shop.production.id, changes[1:])
        return before, await railway.staged(shop.production.id)

    before, staged = ask(server, staged_twice)
    assert before == {}
    assert staged == {shop.api.service_id: {each.name: each.value for each in changes}}
    assert shop.api.variables["DATABASE_URL"] == "${{Postgres.DATABASE_URL}}"
    assert ask(server, lambda railway: railway.commit_staged(shop.production.id, "private", deploys=False))
    assert shop.api.variables == {"DATABASE_URL": changes[0].value}
    assert shop.production.commits == ["private"]
    assert shop.api.deployments == []


def test_a_commit_is_waited_for_and_may_be_refused_after_it_was_taken(
    shop: Shop, server: RailwayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ogel.adapters.railway.variables._PAUSE", 0.0)
    change = [VariableChange(shop.api.service_id, "KEY", "hunter2")]
    shop.production.slow = 3
    shop.production.refuses = "Invalid value hunter2\nfor KEY"
    ask(server, lambda railway: railway.stage(shop.production.id, change))
    with refused("refused") as errors:
        ask(server, lambda railway: railway.commit_staged(shop.production.id, "no"))
    assert "Railway refused the staged changes: Invalid value" in errors[0].message
    assert "hunter2" not in errors[0].message
    assert server.operations().count("WorkflowStatus") == 4
    assert shop.api.variables["KEY"] == "${{shared.KEY}}"
    # The same again is taken; but then nobody says what became of it.
    server.misbehave(when="WorkflowStatus", status=503, times=None)
    with refused("away") as errors:
        ask(server, lambda railway: railway.commit_staged(shop.production.id, "yes"))
    assert "whether the staged changes were committed is not known" in errors[0].message
    assert shop.api.variables["KEY"] == "hunter2"


def test_shared_variables_are_staged_too_and_what_else_is_staged_is_told(
    shop: Shop, server: RailwayServer
) -> None:
    """A commit makes all of it real, whoever staged it."""
    shop.production.stage(
        {"services": {shop.postgres.service_id: {"source": {"image": "x"}, "isDeleted": True}}}, True
    )

    async def asked(railway: Railway) -> tuple[Any, Any]:
        await railway.stage(
            shop.production.id, [VariableChange(None, "KEY", "new"), VariableChange(None, "OLD", None)]
        )
        await railway.stage(shop.production.id, [VariableChange(shop.api.service_id, "KEY", None)])
        return await railway.staged(shop.production.id), await railway.staged_elsewhere(shop.production.id)

    variables, elsewhere = ask(server, asked)
    assert variables == {None: {"KEY": "new", "OLD": None}, shop.api.service_id: {"KEY": None}}
    of = f"services.{shop.postgres.service_id}"
    assert elsewhere == [f"{of}.source.image", f"{of}.isDeleted"]
    ask(server, lambda railway: railway.commit_staged(shop.production.id, "all of it", deploys=False))
    assert (shop.production.shared, shop.postgres.image) == ({"KEY": "new"}, "x")
    assert ask(server, lambda railway: railway.staged_elsewhere(shop.production.id)) == []


def test_staged_changes_deploy_unless_they_are_told_not_to_and_can_be_discarded(
    shop: Shop, server: RailwayServer
) -> None:
    change = [VariableChange(shop.api.service_id, "KEY", "another")]

    async def discarded(railway: Railway) -> None:
        await railway.stage(shop.production.id, change)
        await railway.discard_staged(shop.production.id)

    ask(server, discarded)
    assert shop.production.staged == {}
    ask(server, lambda railway: railway.stage(shop.production.id, change))
    ask(server, lambda railway: railway.commit_staged(shop.production.id, "another key"))
    assert len(shop.api.deployments) == 1


def test_deployments_newest_first_and_no_more_than_asked(shop: Shop, server: RailwayServer) -> None:
    made = [shop.api.deployed(at=NOW - number * HOUR, commit=f"c{number}") for number in range(7)]
    shop.world.page_size = 2
    of = shop.project.id, shop.production.id
    found = ask(server, lambda railway: railway.deployments(*of, shop.api.service_id, limit=5))
    assert [each.id for each in found] == [each.id for each in made[:5]]
    assert [each.commit for each in found] == [f"c{number}" for number in range(5)]
    assert len(ask(server, lambda railway: railway.deployments(*of))) == 7


def test_rolling_back_and_deploying(shop: Shop, server: RailwayServer) -> None:
    good = shop.api.deployed(commit="good", at=NOW - 2 * HOUR)
    failed = shop.api.deployed("FAILED", commit="bad", at=NOW - HOUR)

    async def everything(railway: Railway) -> list[str]:
        await railway.rollback(good.id)
        return [
            await railway.redeploy(good.id),
            await railway.deploy(shop.api.service_id, shop.production.id, "4f1c2d3"),
        ]

    redeployed, deployed = ask(server, everything)
    rolled_back, *others = shop.api.deployments[2:]
    assert (rolled_back.meta["reason"], rolled_back.meta["commitHash"]) == ("rollback", "good")
    assert [each.id for each in others] == [redeployed, deployed]
    assert others[1].meta["commitHash"] == "4f1c2d3"
    with refused("refused"):
        ask(server, lambda railway: railway.rollback(failed.id))


def test_following_a_deployment_to_its_end(
    shop: Shop, server: RailwayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage on the way, and too many requests, do not end it."""
    monkeypatch.setattr("ogel.adapters.railway.deployments._PAUSES", ())
    monkeypatch.setattr("ogel.adapters.railway.deployments._LATER", 0.01)
    shop.api.next_deployment("INITIALIZING", "BUILDING", "BUILDING", "DEPLOYING", "FAILED")
    made = shop.api.deploy()
    server.misbehave(status=503, times=2)
    server.misbehave(status=429, headers={"Retry-After": "0.05"})

    async def seen(railway: Railway) -> list[str]:
        return [each.status async for each in railway.follow(made.id)]

    assert ask(server, seen) == ["INITIALIZING", "BUILDING", "DEPLOYING", "FAILED"]


def test_a_stopped_deployment_is_told_from_one_that_runs(shop: Shop, server: RailwayServer) -> None:
    """Railway calls both SUCCESS, and those that start or sleep stopped."""
    starting, running = shop.api.deployed("DEPLOYING"), shop.api.deployed("SUCCESS")

    def is_stopped(id: str) -> bool:
        return ask(server, lambda railway: railway.deployment(id)).stopped

    assert not is_stopped(starting.id)
    assert not is_stopped(running.id)
    running.stopped = True
    assert is_stopped(running.id)


def test_metrics(shop: Shop, server: RailwayServer) -> None:
    found = ask(
        server,
        lambda railway: railway.metrics(
            shop.production.id,
            ["MEMORY_USAGE_GB", "NETWORK_TX_GB"],
            since=NOW - 3 * HOUR,
            until=NOW,
            sample_seconds=3600,
        ),
    )
    by_key = {(each.measurement, each.tags["service_id"]): each.points for each in found}
    memory = by_key["MEMORY_USAGE_GB", shop.postgres.service_id]
    assert [(point.at, point.value) for point in memory] == [
        (NOW - hours * HOUR, 0.25) for hours in (3, 2, 1)
    ]
    sent = by_key["NETWORK_TX_GB", shop.postgres.service_id]
    assert sum(point.value for point in sent) == pytest.approx(1.5)
    assert ("NETWORK_TX_GB", shop.api.service_id) not in by_key


def test_a_value_that_is_not_known_is_no_zero(shop: Shop, server: RailwayServer) -> None:
    server.misbehave(null="metrics[].values[].value")
    [found] = ask(
        server,
        lambda railway: railway.metrics(
            shop.production.id,
            ["NETWORK_TX_GB"],
            since=NOW - HOUR,
            until=NOW,
            service_id=shop.postgres.service_id,
        ),
    )
    assert [point.value for point in found.points] == [None]


@pytest.mark.parametrize("splits", [False, True])
def test_usage_is_added_up(shop: Shop, server: RailwayServer, splits: bool) -> None:
    shop.world.splits = splits
    shop.project.usage = {"MEMORY_USAGE_GB": 11.0}
    since = NOW - 2 * HOUR
    found = ask(
        server,
        lambda railway: railway.usage(
            shop.project.id, ["MEMORY_USAGE_GB", "NETWORK_TX_GB"], since=since, until=NOW
        ),
    )
    assert {(each.measurement, each.service_id): round(each.value, 9) for each in found} == {
        ("MEMORY_USAGE_GB", shop.postgres.service_id): 0.25 * 120,
        ("MEMORY_USAGE_GB", shop.api.service_id): 0.125 * 120,
        ("MEMORY_USAGE_GB", None): 11.0,
        ("NETWORK_TX_GB", shop.postgres.service_id): 1.0,
    }
    [estimate] = ask(server, lambda railway: railway.estimated_usage(shop.project.id, ["NETWORK_TX_GB"]))
    assert estimate.value == pytest.approx(0.5 * 24 * 30)


def test_billing_and_its_limits(shop: Shop, server: RailwayServer) -> None:
    workspace = shop.project.workspace
    workspace.current_usage, workspace.hard_limit = 12.34, 50
    found = ask(server, lambda railway: railway.billing(workspace.id))
    assert (found.current_usage, found.soft_limit, found.hard_limit) == (12.34, None, 50.0)
    assert found.period_start == datetime(2026, 11, 1, tzinfo=UTC)
    assert found.period_end == datetime(2026, 12, 1, tzinfo=UTC)
    with refused("forbidden"):
        ask_as_project(server, shop.production.token(), lambda railway: railway.billing(workspace.id))


def test_logs_newest_first_chosen_by_railways_words(
    shop: Shop, server: RailwayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ogel.adapters.railway.logs.MOST_AT_ONCE", 4)
    for number in range(10):
        severity = "error" if number % 2 else "info"
        shop.api.log(f"line {number}", at=NOW - timedelta(minutes=number), severity=severity)
    shop.postgres.log("checkpoint", at=NOW)

    def lines(filter: str, limit: int = 1000) -> list[str]:
        window = {"since": NOW - timedelta(minutes=7), "until": NOW, "filter": filter, "limit": limit}
        found = ask(server, lambda railway: railway.logs(shop.production.id, **window))
        return [each.message for each in found]

    assert lines(f"@service:{shop.api.service_id}") == [f"line {number}" for number in range(8)]
    assert lines(f"@service:{shop.api.service_id}", limit=3) == ["line 0", "line 1", "line 2"]
    assert lines('@level:error -"line 3"') == ["line 1", "line 5", "line 7"]
    [line] = ask(
        server, lambda railway: railway.logs(shop.production.id, since=NOW, until=NOW, filter="checkpoint")
    )
    assert (line.service_id, line.severity, line.at) == (shop.postgres.service_id, "info", NOW)


def test_http_logs(shop: Shop, server: RailwayServer) -> None:
    made = shop.api.deployed()
    made.http("GET", "/api/health", 200, 4, at=NOW - HOUR)
    made.http("POST", "/api/events", 503, 2400, at=NOW, sent=77, received=990)
    since = NOW - 2 * HOUR
    found = ask(server, lambda railway: railway.http_logs(made.id, since=since, until=NOW))
    assert [(each.path, each.status, each.duration_ms) for each in found] == [
        ("/api/events", 503, 2400.0),
        ("/api/health", 200, 4.0),
    ]
    assert (found[0].sent_bytes, found[0].received_bytes) == (77, 990)
    failed = ask(
        server, lambda railway: railway.http_logs(made.id, since=since, until=NOW, filter="@httpStatus:>=500")
    )
    assert [each.path for each in failed] == ["/api/events"]


def test_proxies_and_images_are_changed(shop: Shop, server: RailwayServer) -> None:
    proxy = shop.postgres.tcp_proxy(5432, "shortline.proxy.rlwy.net", 51234)

    async def changed(railway: Railway) -> list[Any]:
        of = shop.production.id, shop.postgres.service_id
        before = list(await railway.tcp_proxies(*of))
        await railway.remove_tcp_proxy(proxy.id)
        await railway.set_image(shop.postgres.service_id, shop.production.id, "postgres-ssl:19")
        return [before, list(await railway.tcp_proxies(*of))]

    assert ask(server, changed) == [[TcpProxy(proxy.id, "shortline.proxy.rlwy.net", 51234, 5432)], []]
    assert shop.postgres.image == "postgres-ssl:19"


def test_a_configuration_is_told_without_the_values_of_variables(shop: Shop, server: RailwayServer) -> None:
    config = ask(server, lambda railway: railway.config(shop.production.id))
    assert set(config["services"][shop.api.service_id]["variables"]) == {"DATABASE_URL", "KEY"}
    assert "s3cret-password" not in str(config)


def test_an_account_sees_the_projects_of_all_its_workspaces_and_a_workspace_its_own(
    shop: Shop, server: RailwayServer
) -> None:
    shop.world.page_size = 1
    other = shop.world.workspace("Other")
    blog, wiki = shop.world.project("blog", other), shop.world.project("wiki", other)
    assert ask(server, lambda railway: railway.scope()) == TokenScope("account")
    found = ask(server, lambda railway: railway.projects())
    assert found == [Named(each.id, each.name) for each in (shop.project, blog, wiki)]
    found = ask(server, lambda railway: railway.projects(), railway_api_token=other.token())
    assert found == [Named(each.id, each.name) for each in (blog, wiki)]


def test_a_projects_token_sees_one_environment(shop: Shop, server: RailwayServer) -> None:
    shop.project.bucket("files", 10, 1)
    token = shop.staging.token()
    expected = TokenScope("project", shop.project.id, shop.staging.id)
    assert ask_as_project(server, token, lambda railway: railway.scope()) == expected
    found = ask_as_project(server, token, lambda railway: railway.projects())
    assert found == [Named(shop.project.id, "shop")]
    whole = ask_as_project(server, token, lambda railway: railway.project(shop.project.id))
    assert [each.name for each in whole.environments] == ["staging"]
    assert [each.environment_id for each in whole.buckets] == [shop.staging.id]
    with refused("forbidden") as errors:
        ask_as_project(
            server, token, lambda railway: railway.variables(shop.project.id, shop.production.id, None)
        )
    assert "RAILWAY_TOKEN" in errors[0].message


def test_an_environment_that_may_not_be_looked_into_is_left_out(shop: Shop, server: RailwayServer) -> None:
    """Railway refuses all of a question that asks for a part of it, too."""
    shop.production.restricted = True
    shop.postgres.volume("data", "/data")
    shop.staging.service("Redis").volume("redis-data", "/data").deleted = True
    found = ask(server, lambda railway: railway.project(shop.project.id))
    assert [each.name for each in found.environments] == ["staging"]
    assert found.volumes == []
    with refused("forbidden"):
        ask(server, lambda railway: railway.instances(shop.project.id, shop.production.id))


# What goes wrong.


def project(server: RailwayServer, **changes: Any) -> Any:
    id = server.world.projects[0].id
    return ask(server, lambda railway: railway.project(id), **changes)


def test_no_token_and_two(server: RailwayServer) -> None:
    with refused("no_token") as errors:
        project(server, railway_api_token=None)
    assert "RAILWAY_TOKEN" in errors[0].message and "RAILWAY_API_TOKEN" in errors[0].message
    with refused("bad_token") as errors:
        project(server, railway_token="another")
    assert "RAILWAY_TOKEN and RAILWAY_API_TOKEN are both set" in errors[0].message
    assert server.asked == []
    with refused("no_token"):  # as features have it, which every process builds
        asyncio.run(Platform(NOWHERE).core.railway.projects())


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"railway_api_token": "never-made"}, "RAILWAY_API_TOKEN"),
        ({"railway_api_token": None, "railway_token": "never-made"}, "RAILWAY_TOKEN"),
    ],
)
def test_a_token_that_is_none_is_told_from_one_that_is_for_something_else(
    server: RailwayServer, changes: dict[str, Any], variable: str
) -> None:
    with refused("bad_token") as errors:
        project(server, **changes)
    assert variable in errors[0].message or "Project Token not found" in errors[0].message
    assert "never-made" not in errors[0].message


def test_a_token_that_was_taken_away_is_told_by_a_process_that_goes_on(
    shop: Shop, server: RailwayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "GOOD_SECONDS", 0.0)

    async def before_and_after(railway: Railway) -> None:
        await railway.project(shop.project.id)
        del shop.world.tokens[shop.world.api_token]
        await railway.project(shop.project.id)

    with refused("bad_token"):
        ask(server, before_and_after)


def test_a_projects_token_in_the_wrong_variable(shop: Shop, server: RailwayServer) -> None:
    with refused("bad_token"):
        project(server, railway_api_token=shop.production.token())


def test_what_is_not_there(shop: Shop, server: RailwayServer) -> None:
    nowhere = "00000000-0000-0000-0000-000000000000"
    with refused("not_found"):
        ask(server, lambda railway: railway.project(nowhere))
    with refused("not_found"):
        ask(server, lambda railway: railway.deployment(nowhere))
    with refused("forbidden") as errors:  # Railway says no more than that
        ask(server, lambda railway: railway.staged(nowhere))
    assert "not there, or not for RAILWAY_API_TOKEN" in errors[0].message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "7"}, 7.0), ({}, None), ({"X-RateLimit-Reset": "4102444800"}, 3600.0)],
)
def test_too_many_requests(server: RailwayServer, headers: dict[str, str], seconds: float | None) -> None:
    server.misbehave(status=429, headers=headers, body="slow down")
    with refused("limited") as errors:
        project(server)
    assert errors[0].retry_seconds == seconds


def test_nobody_is_asked_again_before_the_time_is_over(shop: Shop, server: RailwayServer) -> None:
    server.misbehave(
        error="project",
        message="You are being ratelimited: rate limit exceeded",
        headers={"Retry-After": "60"},
    )

    async def twice(railway: Railway) -> None:
        for _ in range(2):
            with refused("limited"):
                await railway.project(shop.project.id)

    ask(server, twice)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("oddity", "cause", "words"),
    [
        ({"status": 500, "body": "<html>oops</html>"}, "away", "answered 500"),
        ({"status": 502}, "away", "answered 502"),
        ({"status": 404, "body": "not here"}, "refused", "OGEL_RAILWAY_API"),
        ({"status": 302, "headers": {"Location": "https://example.com"}, "body": ""}, "refused", "302"),
        ({"body": "<html>Sign in to the Wi-Fi</html>"}, "changed", "text/html"),
        ({"body": "[]"}, "changed", "no JSON"),
        ({"body": "{}"}, "changed", "data"),
        ({"body": '{"errors": [{"message": null, "path": 7, "extensions": []}]}'}, "refused", "without a message"),
        ({"body": '{"errors": ["no"], "data": null}'}, "changed", "no JSON"),
        ({"null": "project"}, "changed", "project"),
        ({"null": "project.name"}, "changed", "project.name"),
        ({"missing": "project.services.pageInfo"}, "changed", "pageInfo"),
        ({"null": "project.services.edges[].node.id"}, "changed", "project.services.edges[0].node.id"),
        ({"error": "project.volumes"}, "refused", "project.volumes"),
        ({"error": "project.volumes", "message": ""}, "refused", "without a message"),
        ({"status": 401, "body": "{}"}, "forbidden", "401"),
        ({"status": 403, "body": "error code: 1010"}, "refused", "answered 403"),
        ({"error": "project", "message": "Two Factor Authentication Required"}, "forbidden", "Two Factor"),
        ({"error": "project", "message": 'Cannot query field "volumes" on type "Project".'}, "changed", "volumes"),
    ],
)  # fmt: skip
def test_every_odd_answer_is_one_clear_line(
    server: RailwayServer, oddity: dict[str, Any], cause: str, words: str
) -> None:
    server.misbehave(**oddity)
    with refused(cause) as errors:
        project(server)
    assert words in errors[0].message


def test_what_is_new_does_not_matter(shop: Shop, server: RailwayServer) -> None:
    shop.api.deployed()

    def news(answer: dict[str, Any]) -> None:
        answer["extensions"] = {"cost": 12}
        for each in answer["data"]["deployments"]["edges"]:
            each["node"] |= {"status": "HIBERNATING", "somethingNew": {"deep": [1]}}

    server.misbehave(edit=news)
    of = shop.project.id, shop.production.id
    [found] = ask(server, lambda railway: railway.deployments(*of))
    assert found.status == "HIBERNATING"


def test_a_part_of_the_usage_is_no_usage(shop: Shop, server: RailwayServer) -> None:
    """An error beside data, a null among values: never a total without them."""
    for oddity, cause in (({"error": "usage"}, "refused"), ({"null": "usage[].value"}, "changed")):
        server.misbehave(**oddity)
        with refused(cause):
            ask(
                server,
                lambda railway: railway.usage(
                    shop.project.id, ["MEMORY_USAGE_GB"], since=NOW - HOUR, until=NOW
                ),
            )


def test_lists_that_do_not_end(shop: Shop, server: RailwayServer) -> None:
    def forever(answer: dict[str, Any]) -> None:
        answer["data"]["project"]["services"]["pageInfo"] |= {"hasNextPage": True, "endCursor": "0"}

    def nowhere(answer: dict[str, Any]) -> None:
        answer["data"]["project"]["services"]["pageInfo"] |= {"hasNextPage": True, "endCursor": None}

    for edit in (forever, nowhere):
        server.misbehave(edit=edit, times=None)
        with refused("changed") as errors:
            project(server)
        assert "services" in errors[0].message
        server.behave()


def test_only_what_reads_is_asked_once_more(shop: Shop, server: RailwayServer) -> None:
    server.misbehave(cut=True)
    assert project(server).name == "shop"
    assert server.operations()[:2] == ["Project", "Project"]
    server.asked.clear()
    server.misbehave(cut=True, times=None)
    with refused("away"):
        project(server)
    assert server.operations() == ["Project", "Project"]
    server.asked.clear()
    with refused("away") as errors:
        ask(server, lambda railway: railway.deploy(shop.api.service_id, shop.production.id))
    assert server.operations() == ["Deploy"]
    assert "whether it was done is not known" in errors[0].message
    server.behave()
    server.misbehave(status=504, body="error code: 504")
    with refused("away") as errors:
        ask(server, lambda railway: railway.redeploy(shop.api.deployments[0].id))
    assert "answered 504; whether it was done is not known" in errors[0].message


def test_an_answer_has_its_time_and_its_size(server: RailwayServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 100)
    with refused("changed"):
        project(server)
    monkeypatch.setattr(transport, "TIMEOUT_SECONDS", 0.1)
    server.misbehave(seconds=5.0)
    with refused("away") as errors:
        project(server)
    assert "too long" in errors[0].message


def test_nobody_there(server: RailwayServer) -> None:
    with refused("away"):
        project(server, railway_api="http://127.0.0.1:1/graphql/v2")


def test_errors_quote_neither_the_token_nor_a_value(shop: Shop, server: RailwayServer) -> None:
    token = shop.world.api_token
    server.misbehave(error="project", message=f"token {token} is odd\nand on two lines")
    with refused("refused") as errors:
        project(server)
    assert token not in errors[0].message
    server.misbehave(error="environmentStageChanges", message='got invalid value "hunter2" for KEY')
    change = VariableChange(shop.api.service_id, "KEY", "hunter2")
    with refused("refused") as errors:
        ask(server, lambda railway: railway.stage(shop.production.id, [change]))
    assert "hunter2" not in errors[0].message
    with refused("not_found"):
        unknown = VariableChange("nobody", "KEY", "hunter2")
        ask(server, lambda railway: railway.stage(shop.production.id, [unknown]))
