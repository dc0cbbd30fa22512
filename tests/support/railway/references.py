"""References in the values of variables: `${{Postgres.DATABASE_URL}}`, `${{shared.KEY}}`, `${{OWN}}`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.support.railway.world import Environment, Instance

_REFERENCE = re.compile(r"\$\{\{\s*(?:([^{}]+?)\.)?([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_DEEPEST = 20


def as_written(instance: Instance) -> dict[str, str | None]:
    """What somebody wrote; of sealed ones their names."""
    sealed = dict.fromkeys(instance.sealed & set(instance.variables))
    return {**instance.variables, **sealed}


def rendered(instance: Instance) -> dict[str, str | None]:
    """With what Railway adds."""
    known = {**instance.provided(), **as_written(instance)}
    return {
        name: None if value is None else _render(instance.environment, instance, value)
        for name, value in known.items()
    }


def rendered_shared(environment: Environment) -> Mapping[str, str]:
    return {name: _render(environment, None, value) for name, value in environment.shared.items()}


def _render(environment: Environment, own: Instance | None, value: str, depth: int = 0) -> str:
    """What a reference to nothing stands for is nothing."""
    if depth > _DEEPEST:
        return ""

    def meant(found: re.Match[str]) -> str:
        service, name = found.groups()
        if service == "shared":
            return _render(environment, None, environment.shared.get(name, ""), depth + 1)
        of = own if service is None else next((i for i in environment.instances if i.name == service), None)
        if of is None:
            return ""
        # References reach sealed values, too: only people are not told.
        return _render(environment, of, {**of.provided(), **of.variables}.get(name, ""), depth + 1)

    return _REFERENCE.sub(meant, value)
