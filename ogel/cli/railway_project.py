"""What commands about a project on Railway share: their options, the rule which project is meant, and who to ask."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click
from msgspec import Struct

from ogel.cli.operator import within_settings
from ogel.cli.process import settings_of_environment
from ogel.kernel.errors import Invalid, NotFound
from ogel.kernel.text import no_such
from ogel.runtime.railway import Named, Project, Railway, TokenScope

if TYPE_CHECKING:
    from ogel.settings import Settings

Answered = TypeVar("Answered")
Command = TypeVar("Command", bound=Callable[..., object])


class Place(Struct, frozen=True):
    project: Project
    environment: Named


project_option = click.option(
    "--project", metavar="NAME|ID", help="Instead of RAILWAY_PROJECT_ID, or the token's."
)


def place_options(command: Command) -> Command:
    """`--project` and `--environment`; the command takes both, as text or None, and hands them to `place_of`."""
    environment = click.option(
        "--environment", metavar="NAME|ID", help="Instead of RAILWAY_ENVIRONMENT_ID, or the token's."
    )
    return project_option(environment(command))


def ask_railway(question: Callable[[Railway, Settings], Awaitable[Answered]]) -> Answered:
    """Asks with the token and the place of the environment's variables; needs no database."""
    from ogel.platform.railway import railway

    settings = settings_of_environment()
    return within_settings(settings, railway, lambda asked: question(asked, settings))


async def place_of(
    railway: Railway, settings: Settings, project: str | None, environment: str | None
) -> Place:
    """
    What the options name; else what the settings do; else what a project's token is for; else the only one there is.
    Raises NotFound for a name that nothing has, Invalid where several could be meant, RailwayError.
    """
    scope = await _scope(railway, settings)
    found = await railway.project(await _project_id(railway, settings, scope, project))
    return Place(found, _environment(found, settings, scope, environment))


async def project_id_of(railway: Railway, settings: Settings, wanted: str | None) -> str:
    """For what is about all environments of a project. Raises what `place_of` does."""
    return await _project_id(railway, settings, await _scope(railway, settings), wanted)


async def _scope(railway: Railway, settings: Settings) -> TokenScope:
    """That of an account is known without asking."""
    return await railway.scope() if settings.railway_token else TokenScope("account")


async def _project_id(railway: Railway, settings: Settings, scope: TokenScope, wanted: str | None) -> str:
    if wanted is not None:
        return wanted if _is_id(wanted) else _named("project", wanted, await railway.projects()).id
    known = settings.railway_project_id or scope.project_id
    return known or _only("project", await railway.projects()).id


def _environment(project: Project, settings: Settings, scope: TokenScope, wanted: str | None) -> Named:
    """What the settings and the token say counts for the project that they are of."""
    if wanted is not None:
        return _named("environment", wanted, project.environments)
    for known in (settings.railway_environment_id, scope.environment_id):
        for each in project.environments:
            if each.id == known:
                return each
    return _only("environment", project.environments)


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _named(what: str, wanted: str, several: Sequence[Named]) -> Named:
    """By id, by name, or by name but for its capitals, whichever fits first."""
    fits: Sequence[Callable[[Named], bool]] = (
        lambda each: each.id == wanted,
        lambda each: each.name == wanted,
        lambda each: each.name.casefold() == wanted.casefold(),
    )
    for fit in fits:
        found = [each for each in several if fit(each)]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(each.id for each in found)
            raise Invalid(
                f"there are {len(found)} {what}s called {wanted!r}; give --{what} one of their ids: {ids}"
            )
    names = [each.name for each in several]
    raise NotFound(f"there is {no_such(what, wanted, names)}" if names else f"the token sees no {what}")


def _only(what: str, several: Sequence[Named]) -> Named:
    if len(several) == 1:
        return several[0]
    if not several:
        raise NotFound(f"the token sees no {what}")
    names = ", ".join(sorted(each.name for each in several))
    raise Invalid(f"which {what}? Give --{what} one of: {names}")
