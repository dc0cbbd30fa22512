"""`ogel teams`: a team from a terminal, beside the people in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import structlog

from ogel.kernel.ids import new_id
from tests.support.cli import Finished, ogel_here
from tests.support.factors import somebody
from tests.support.process import ADMIN_KEY, SECRET
from tests.support.world import World

Run = Callable[..., Finished]


@pytest.fixture
def run(suite_servers: dict[str, str]) -> Run:
    """In this process, on the World's database."""

    def run(*arguments: str) -> Finished:
        # Its logging is for whole processes.
        with mock.patch("ogel.runtime.log.setup.configure_logging"), structlog.testing.capture_logs():
            return ogel_here(
                "teams", *arguments, OGEL_ADMIN_KEY=ADMIN_KEY, OGEL_SECRET=SECRET, **suite_servers
            )

    return run


def said(finished: Finished) -> str:
    assert (finished.code, finished.err) == (0, ""), finished.err
    return finished.out


def document(finished: Finished) -> Any:
    return json.loads(said(finished))


def test_people_are_named_by_address_too(api: World, run: Run) -> None:
    anna, ben = somebody(api), somebody(api)
    team = document(run("create", "Green", "--owner", str(anna.user.email), "--json"))["id"]
    assert team in said(run("list", "--user", str(anna.user.email)))
    assert (
        said(run("add", team, str(ben.user.email), "--role", "editor"))
        == f"{ben.user.email} is in {team}: editor\n"
    )
    members = document(run("members", team, "--json"))["items"]
    assert [each["user_id"] for each in members] == [anna.id, ben.id]
    nobody = run("create", "Green", "--owner", "nobody@example.com")
    assert (nobody.code, nobody.err) == (
        1,
        "ogel: There is no user with the address 'nobody@example.com'.\n",
    )


def test_a_team_from_made_to_deleted(api: World, run: Run) -> None:
    anna, ben = somebody(api), somebody(api)
    team = document(run("create", "Blue", "--owner", anna.id, "--json"))["id"]
    assert "Blue" in said(run("show", team)) and team in said(run("list", "--user", anna.id))
    assert said(run("rename", team, "Blue")) == f"{team} is called Blue\n"
    assert said(run("add", team, ben.id, "--role", "editor", "--role", "member")) == (
        f"{ben.id} is in {team}: editor member\n"
    )
    members = document(run("members", team, "--json"))["items"]
    [member] = [each["id"] for each in members if each["user_id"] == ben.id]
    assert "editor member" in said(run("members", team))
    assert said(run("roles", team, member, "--role", "admin")) == f"{member} is admin\n"
    made = said(run("invite", team, "cleo@example.com", "--role", "member", "--no-mail"))
    assert "?team_invitation=" in made
    invitation = made.partition(":")[0]
    assert "cleo@example.com" in said(run("invitations", team))
    assert said(run("revoke", team, invitation)) == f"{invitation} revoked\n"
    assert said(run("remove", team, member)) == f"{member} removed\n"
    assert said(run("delete", team, "--yes")) == f"{team} deleted\n"
    assert said(run("list", "--user", anna.id)).strip() == "no teams"


def test_what_is_wrong_is_told_by_the_name_of_the_option(api: World, run: Run) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    team = document(run("create", "red", "--json"))["id"]
    for arguments, code, words in (
        (("create", "x" * 101), 2, "NAME"),
        (("create", "x", "--owner", nobody), 2, "--owner"),
        (("create", "x", "--owner", "anna"), 2, "--owner"),
        (("add", team, nobody, "--role", "member"), 2, "USER"),
        (("add", team, nobody), 2, "--role"),
        (("invite", team, "nobody", "--role", "x", "--no-mail"), 2, "EMAIL"),
        (("invite", team, "a@example.com", "--role", "x y", "--no-mail"), 2, "--role"),
        (("invite", team, "a@example.com", "--role", "x"), 2, "No mail can be sent"),
        (("show", new_id("team")), 1, "no team"),
    ):
        finished = run(*arguments)
        assert (finished.code, words in finished.err) == (code, True), (arguments, finished.err)
