"""Variables of a project are moved inside and back, by commands, on a stand-in of Railway's API; whatever happens."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ogel.features.network.moves.planning import Plan, plan
from ogel.features.network.moves.reading import read_view
from ogel.features.network.moves.undo import UndoFiles
from ogel.features.network.moves.writing import Options, Place, Writing
from ogel.kernel.errors import ConfigError, Conflict
from ogel.platform.railway import railway
from ogel.runtime.railway import Railway
from ogel.settings import Settings
from tests.support.cli import Finished, ogel
from tests.support.railway import RailwayServer, World

PASSWORD = "hWkzNQtbPpVdRmXy"
PUBLIC = f"postgresql://postgres:{PASSWORD}@maglev.proxy.rlwy.net:20105/railway"
STUDIO = {
    "POSTGRES_HOST": "maglev.proxy.rlwy.net",
    "POSTGRES_PORT": "20105",
    "API_URL": "https://api-production.up.railway.app/v1",
    "NEXT_PUBLIC_API_URL": "https://api-production.up.railway.app",
}
CHANGES = ("stage", "commit_staged", "discard_staged")


class Shop:
    """A project as it is before anything is moved."""

    def __init__(self) -> None:
        self.world = World()
        self.production = production = self.world.project("shop").environment("production")
        self.postgres = production.service(
            "Postgres",
            variables={
                "POSTGRES_PASSWORD": PASSWORD,
                "DATABASE_URL": "postgresql://postgres:${{POSTGRES_PASSWORD}}@${{RAILWAY_PRIVATE_DOMAIN}}:5432/railway",
            },
            metrics={"NETWORK_TX_GB": 0.05},
        )
        self.postgres.tcp_proxy(5432, "maglev.proxy.rlwy.net", 20105)
        self.api = production.service(
            "api", variables={"OGEL_SECRET": "x" * 32, "PORT": "8080", "DATABASE_URL": "${{shared.DATABASE}}"}
        )
        self.api.domain("api-production.up.railway.app")
        self.studio = production.service("studio", variables=dict(STUDIO))
        production.shared = {"DATABASE": PUBLIC}
        self.planned: Plan | None = None

    @property
    def place(self) -> Place:
        names = {each.service_id: each.name for each in self.production.instances}
        return Place(self.production.project.id, "shop", self.production.id, "production", names)

    @property
    def values(self) -> Mapping[str, Mapping[str, str]]:
        shared = dict(self.production.shared)
        return {"shared": shared, **{each.name: dict(each.variables) for each in self.production.instances}}


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def server(shop: Shop) -> Iterator[RailwayServer]:
    with RailwayServer(shop.world) as server:
        yield server


class Operator:
    """Somebody at a terminal, with a home of their own."""

    def __init__(self, server: RailwayServer, home: Path) -> None:
        self._environment = {**server.variables(), "XDG_STATE_HOME": str(home)}
        self.home = home

    def __call__(self, *arguments: str) -> Finished:
        said = ogel("network", *arguments, at=self.home, **self._environment)
        assert PASSWORD not in said.out + said.err
        assert "Traceback" not in said.err
        return said


@pytest.fixture
def operator(server: RailwayServer, tmp_path: Path) -> Operator:
    return Operator(server, tmp_path)


def test_a_project_is_moved_inside_and_back(shop: Shop, operator: Operator) -> None:
    before = shop.values
    planned = json.loads(operator("plan", "--json").out)
    assert {f"{each['service']}.{each['variable']}": each["becomes"] for each in planned["moves"]} == {
        "shared.DATABASE": "${{Postgres.DATABASE_URL}}",
        "studio.API_URL": "http://${{api.RAILWAY_PRIVATE_DOMAIN}}:${{api.PORT}}",
        "studio.POSTGRES_HOST": "${{Postgres.RAILWAY_PRIVATE_DOMAIN}}",
        "studio.POSTGRES_PORT": "5432",
    }
    assert planned["follows"] == [{"service": "api", "variable": "DATABASE_URL"}]
    assert [each["variable"] for each in planned["left"]] == ["NEXT_PUBLIC_API_URL"]
    # 0.05 GB an hour for 30 days.
    assert planned["egress"]["gb"] == {"Postgres": pytest.approx(36, rel=0.01)}
    assert planned["egress"]["dollars_at_most"] == pytest.approx(1.8, rel=0.01)
    assert shop.values == before

    applied = operator("apply", "--plan", planned["plan"], "--yes")
    assert applied.code == 0, applied.err
    assert shop.values["shared"] == {"DATABASE": "${{Postgres.DATABASE_URL}}"}
    assert shop.values["studio"] == {
        **STUDIO,
        "POSTGRES_HOST": "${{Postgres.RAILWAY_PRIVATE_DOMAIN}}",
        "POSTGRES_PORT": "5432",
        "API_URL": "http://${{api.RAILWAY_PRIVATE_DOMAIN}}:${{api.PORT}}/v1",
    }
    assert "railway ssh --service studio -- getent ahosts postgres.railway.internal" in applied.out
    assert "railway ssh --service api -- ogel network check" in applied.out  # it has it from what is shared
    assert [each.split(" undo_")[0] for each in shop.production.commits] == ["ogel network apply"]
    assert len(shop.studio.deployments) == 1
    assert "nothing is to be moved" in operator("plan").out

    taken = operator("rollback", "--yes")
    assert (taken.code, shop.values) == (0, before)
    again = operator("rollback", "--yes")
    assert again.code == 1 and again.err.startswith("ogel: Nothing was written to shop, production")


def test_it_asks_before_it_writes(shop: Shop, operator: Operator) -> None:
    before = shop.values
    assert operator("apply").code == 130
    assert shop.values == before and not list(operator.home.iterdir())


def test_names_that_others_chose_do_not_steer_the_terminal(shop: Shop, operator: Operator) -> None:
    shop.production.name, shop.studio.name = "prod\x07uction", "stu\x07dio"
    asked, applied, taken = (
        operator(*each) for each in (["apply"], ["apply", "--yes"], ["rollback", "--yes"])
    )
    assert (asked.code, applied.code, taken.code) == (130, 0, 0)
    assert "write 4 variables of prod" in asked.err and "as before: " in taken.out
    assert "\x07" not in "".join(each.out + each.err for each in (asked, applied, taken))


def test_one_is_put_back_with_what_it_goes_with(shop: Shop, operator: Operator) -> None:
    assert operator("apply", "--yes", "--skip-deploys", "--leave", "shared.DATABASE").code == 0
    assert shop.studio.deployments == []
    assert operator("rollback", "--yes", "--variable", "studio.POSTGRES_HOST").code == 0
    assert shop.values["studio"] == {
        **STUDIO,
        "API_URL": "http://${{api.RAILWAY_PRIVATE_DOMAIN}}:${{api.PORT}}/v1",
    }
    assert operator("rollback", "--yes").code == 0
    assert shop.values["studio"] == STUDIO


def test_what_somebody_has_changed_since_is_left(shop: Shop, operator: Operator) -> None:
    operator("apply", "--yes")
    shop.studio.variables["API_URL"] = "http://another.example.com"
    taken = operator("rollback", "--yes")
    assert taken.code == 1 and "changed them since (--force puts them back, too): studio.API_URL" in taken.out
    assert shop.studio.variables == {**STUDIO, "API_URL": "http://another.example.com"}
    assert operator("rollback", "--yes", "--force").code == 0
    assert shop.studio.variables == STUDIO


def test_another_plan_than_was_looked_at_is_not_written(shop: Shop, operator: Operator) -> None:
    seen = json.loads(operator("plan", "--json").out)["plan"]
    shop.studio.variables["POSTGRES_PORT"] = "20106"
    before = shop.values
    refused = operator("apply", "--yes", "--plan", seen)
    assert refused.code == 1 and "look at it again" in refused.err
    assert shop.values == before


def test_what_others_have_staged_is_shown_and_not_made_real(shop: Shop, operator: Operator) -> None:
    before = shop.values
    of_api = {
        "variables": {"SECRET_OF_OTHERS": {"value": "s3cret-of-others"}},
        "source": {"image": "you/api:2"},
    }
    shop.production.stage({"services": {shop.api.service_id: of_api}}, merge=True)
    refused = operator("apply", "--yes")
    assert refused.code == 1 and shop.values == before
    assert "api.SECRET_OF_OTHERS, services.api.source" in refused.err and "s3cret" not in refused.err
    assert operator("apply", "--yes", "--with-staged").code == 0
    assert shop.values["api"]["SECRET_OF_OTHERS"] == "s3cret-of-others"


def test_another_value_that_somebody_has_staged_is_never_overwritten(shop: Shop, operator: Operator) -> None:
    staged = {"variables": {"POSTGRES_HOST": {"value": "elsewhere"}}}
    shop.production.stage({"services": {shop.studio.service_id: staged}}, merge=True)
    refused = operator("apply", "--yes", "--with-staged")
    assert refused.code == 1 and "another value: studio.POSTGRES_HOST" in refused.err


def test_without_a_token_or_with_a_wrong_one_there_is_one_line(server: RailwayServer, tmp_path: Path) -> None:
    for variables in ({}, {"RAILWAY_API_TOKEN": "nobody's"}):
        said = ogel(
            "network", "plan", at=tmp_path, **{**server.variables(), "RAILWAY_API_TOKEN": "", **variables}
        )
        assert said.code == 2 and len(said.err.splitlines()) == 1, said.err


def test_a_variable_that_is_named_must_be_there(operator: Operator) -> None:
    said = operator("plan", "--leave", "studio.NOBODY")
    assert (said.code, said.err) == (1, "ogel: There is no variable studio.NOBODY in production.\n")


class Dying:
    """Railway, until the change of that number: the process ends before it, or when Railway has made it."""

    def __init__(self, railway: Railway, at: int, reached: bool) -> None:
        self._railway, self._left, self._reached = railway, at, reached

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._railway, name)
        if name not in CHANGES:
            return call

        async def called(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                if self._reached:
                    await call(*arguments, **named)
                raise KeyboardInterrupt
            return await call(*arguments, **named)

        return called


async def _planned(asked: Railway, shop: Shop) -> Plan:
    """Looked at once: the tests leave the project as they found it."""
    if shop.planned is None:
        shop.planned = plan(await read_view(asked, shop.production.project.id, shop.production.id))
    return shop.planned


def _settings(server: RailwayServer) -> Settings:
    variables = server.variables()
    return Settings(
        railway_api=variables["OGEL_RAILWAY_API"], railway_api_token=variables["RAILWAY_API_TOKEN"]
    )


def applied(shop: Shop, server: RailwayServer, folder: Path, dies_at: int, reached: bool) -> bool:
    """Whether it got to its end."""

    async def run() -> bool:
        async with railway(_settings(server)) as asked:
            planned = await _planned(asked, shop)
            dying: Any = Dying(asked, dies_at, reached)
            try:
                await Writing(dying, UndoFiles(folder), shop.place, lambda _: None).apply(planned, Options())
            except KeyboardInterrupt:
                return False
            return True

    return asyncio.run(run())


def taken_back(
    shop: Shop, server: RailwayServer, folder: Path, dies_at: int = 0, reached: bool = False
) -> bool:
    """By another process, and without anything of the first one but its files. Whether it got to its end."""

    async def run() -> bool:
        files = UndoFiles(folder)
        async with railway(_settings(server)) as asked:
            dying: Any = Dying(asked, dies_at, reached)
            for undo in files.of(shop.production.id):
                try:
                    await Writing(dying, files, shop.place, lambda _: None).rollback(undo, None, Options())
                except KeyboardInterrupt:
                    return False
            return True

    return asyncio.run(run())


@pytest.mark.parametrize("reached", [False, True])
def test_a_crash_between_any_two_steps_can_be_taken_back(
    server: RailwayServer, shop: Shop, tmp_path: Path, reached: bool
) -> None:
    before = shop.values
    ended, step = False, 0
    while not ended:
        step += 1
        folder = tmp_path / str(step)
        ended = applied(shop, server, folder, step, reached)
        assert taken_back(shop, server, folder)
        assert shop.values == before, step
        assert not shop.production.staged.get("services"), step
        assert not list(folder.glob("*.undo"))
    assert step == 3


@pytest.mark.parametrize("reached", [False, True])
def test_a_rollback_that_is_cut_off_can_be_finished(
    server: RailwayServer, shop: Shop, tmp_path: Path, reached: bool
) -> None:
    before = shop.values
    ended, step = False, 0
    while not ended:
        step += 1
        folder = tmp_path / str(step)
        assert applied(shop, server, folder, 0, False)
        ended = taken_back(shop, server, folder, step, reached)
        assert taken_back(shop, server, folder)
        assert (shop.values, shop.production.staged) == (before, {}), step
    assert step == 3


def test_what_changes_while_it_is_written_is_refused(
    server: RailwayServer, shop: Shop, tmp_path: Path
) -> None:
    """Between the look and the write, and between staging and committing."""

    async def run(change: str) -> None:
        async with railway(_settings(server)) as asked:
            planned = await _planned(asked, shop)

            def told(step: str) -> None:
                if step.startswith("staging"):
                    other = {"variables": {"OTHER": {"value": "x"}}}
                    shop.production.stage({"services": {shop.api.service_id: other}}, merge=True)

            if change == "value":
                shop.studio.variables["POSTGRES_PORT"] = "1"
            heard = told if change == "staged" else lambda _: None
            await Writing(asked, UndoFiles(tmp_path / change), shop.place, heard).apply(planned, Options())

    with pytest.raises(Conflict, match=r"changed since the plan: studio\.POSTGRES_PORT"):
        asyncio.run(run("value"))
    shop.studio.variables["POSTGRES_PORT"] = "20105"
    before = shop.values
    with pytest.raises(Conflict, match=r"api\.OTHER"):
        asyncio.run(run("staged"))
    assert shop.values == before


def test_the_way_back_is_sealed_and_only_its_owners(shop: Shop, operator: Operator) -> None:
    operator("apply", "--yes")
    folder = operator.home / "ogel" / "network"
    files = sorted(folder.iterdir())
    assert [each.suffix for each in files] == ["", ".undo"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    assert not any(PASSWORD.encode() in each.read_bytes() for each in files)
    (folder / "key").write_text("another-key-of-32-characters-0123")
    said = operator("rollback", "--yes")
    assert said.code == 2 and "sealed under another key" in said.err and len(said.err.splitlines()) == 1


def test_where_nothing_can_be_kept_nothing_is_written(
    shop: Shop, server: RailwayServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    before = shop.values
    with pytest.raises(ConfigError, match="the way back cannot be kept"):
        applied(shop, server, tmp_path / "file" / "below", 0, False)
    assert shop.values == before


def test_a_service_whose_variables_may_not_be_seen_is_a_note(
    server: RailwayServer, operator: Operator
) -> None:
    server.misbehave(error="variables", message="You do not have permission", when="query Variables")
    found = json.loads(operator("plan", "--json").out)
    assert any("were not seen" in each for each in found["notes"])


def test_a_commit_that_railway_refuses_leaves_a_way_back(
    shop: Shop, server: RailwayServer, operator: Operator
) -> None:
    before = shop.values
    server.misbehave(status=429, headers={"Retry-After": "7"}, when="mutation CommitStaged")
    refused = operator("apply", "--yes")
    assert refused.code == 2 and "enough requests" in refused.err
    assert "not all of it was done; `ogel network rollback --undo undo_" in refused.out
    assert shop.production.staged["services"]
    assert operator("rollback", "--yes").code == 0
    assert (shop.values, shop.production.staged) == (before, {})


def test_machines_are_told_in_one_document(shop: Shop, operator: Operator) -> None:
    assert "--json asks nobody" in operator("apply", "--json").err
    applied = json.loads(operator("apply", "--yes", "--json").out)
    assert applied["undo"].startswith("undo_") and len(applied["moves"]) == 4
    assert json.loads(operator("apply", "--yes", "--json").out)["undo"] is None
    taken = json.loads(operator("rollback", "--yes", "--json").out)
    assert (taken["undo"], len(taken["back"]), taken["changed"]) == (applied["undo"], 4, [])
