"""Variables, and the changes of them that are staged before they are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from ogel.adapters.railway.transport import Transport
from ogel.runtime.railway import VariableChange


class _Variables(Struct):
    """A variable without a value is one whose value nobody is told."""

    variables: dict[str, str | None]


class _Value(Struct):
    value: str | None = None


class _Service(Struct):
    variables: dict[str, _Value | None] | None = None


class _Patch(Struct):
    services: dict[str, _Service | None] | None = None


class _StagedPatch(Struct):
    patch: _Patch | None = None


class _StagedChanges(Struct, rename="camel"):
    environment_staged_changes: _StagedPatch | None = None


class _Id(Struct):
    id: str


class _Changed(Struct, rename="camel"):
    environment_stage_changes: _Id


class _Committed(Struct, rename="camel"):
    environment_patch_commit_staged: str


async def variables(
    transport: Transport, project_id: str, environment_id: str, service_id: str | None, rendered: bool
) -> Mapping[str, str]:
    given = {
        "projectId": project_id,
        "environmentId": environment_id,
        "serviceId": service_id,
        "unrendered": not rendered,
    }
    found = (await transport.call("Variables", given, _Variables)).variables
    return {name: value for name, value in found.items() if value is not None}


async def stage(transport: Transport, environment_id: str, changes: Sequence[VariableChange]) -> None:
    services: dict[str, dict[str, dict[str, Any]]] = {}
    for change in changes:
        of_service = services.setdefault(change.service_id, {"variables": {}})
        of_service["variables"][change.name] = None if change.value is None else {"value": change.value}
    given = {"environmentId": environment_id, "input": {"services": services}, "merge": True}
    values = [change.value for change in changes if change.value]
    await transport.call("StageChanges", given, _Changed, secrets=values)


async def discard_staged(transport: Transport, environment_id: str) -> None:
    """What is staged is replaced by nothing."""
    given = {"environmentId": environment_id, "input": {}, "merge": False}
    await transport.call("StageChanges", given, _Changed)


async def commit_staged(transport: Transport, environment_id: str, message: str, deploys: bool) -> str:
    given = {"environmentId": environment_id, "commitMessage": message, "skipDeploys": not deploys}
    return (await transport.call("CommitStaged", given, _Committed)).environment_patch_commit_staged


async def staged(transport: Transport, environment_id: str) -> Mapping[str, Mapping[str, str | None]]:
    found = await transport.call("StagedChanges", {"environmentId": environment_id}, _StagedChanges)
    changes = found.environment_staged_changes
    services = (changes.patch.services if changes and changes.patch else None) or {}
    return {
        id: {name: None if each is None else each.value for name, each in service.variables.items()}
        for id, service in services.items()
        if service is not None and service.variables
    }
