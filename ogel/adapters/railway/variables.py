"""Variables, and the changes of them that are staged before they are made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ogel.adapters.railway.transport import Transport, changed
from ogel.runtime.railway import RailwayError, VariableChange
from ogel.runtime.secrets.scrub import Scrubber

COMMIT_SECONDS = 120.0
_PAUSE = 1.0
_NOT_KNOWN = "whether the staged changes were committed is not known"
_SHOWN_CHARACTERS = 300


class _Variables(Struct):
    """A variable without a value is one whose value nobody is told."""

    variables: dict[str, str | None]


class _Value(Struct):
    value: str | None = None


class _Service(Struct):
    variables: dict[str, _Value | None] | None = None


class _Patch(Struct, rename="camel"):
    services: dict[str, _Service | None] | None = None
    shared_variables: dict[str, _Value | None] | None = None


class _StagedPatch(Struct):
    patch: dict[str, Any] | None = None


class _StagedChanges(Struct, rename="camel"):
    environment_staged_changes: _StagedPatch | None = None


class _Id(Struct):
    id: str


class _Changed(Struct, rename="camel"):
    environment_stage_changes: _Id


class _Committed(Struct, rename="camel"):
    environment_patch_commit_staged: str


class _Workflow(Struct):
    status: str
    error: str | None = None


class _WorkflowStatus(Struct, rename="camel"):
    workflow_status: _Workflow


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
    config: dict[str, dict[str, Any]] = {}
    for change in changes:
        if change.service_id is None:
            variables = config.setdefault("sharedVariables", {})
        else:
            service = config.setdefault("services", {}).setdefault(change.service_id, {})
            variables = service.setdefault("variables", {})
        variables[change.name] = None if change.value is None else {"value": change.value}
    given = {"environmentId": environment_id, "input": config, "merge": True}
    values = [change.value for change in changes if change.value]
    await transport.call("StageChanges", given, _Changed, secrets=values)


async def discard_staged(transport: Transport, environment_id: str) -> None:
    """What is staged is replaced by nothing."""
    given = {"environmentId": environment_id, "input": {}, "merge": False}
    await transport.call("StageChanges", given, _Changed)


async def commit_staged(transport: Transport, environment_id: str, message: str, deploys: bool) -> str:
    given = {"environmentId": environment_id, "commitMessage": message, "skipDeploys": not deploys}
    workflow_id = (await transport.call("CommitStaged", given, _Committed)).environment_patch_commit_staged
    await _done(transport, environment_id, workflow_id)
    return workflow_id


async def _done(transport: Transport, environment_id: str, workflow_id: str) -> None:
    """A commit is taken before it is looked at: one wrong value in it, and all of it is refused afterwards."""
    until = time.monotonic() + COMMIT_SECONDS
    while time.monotonic() < until:
        try:
            found = await transport.call("WorkflowStatus", {"workflowId": workflow_id}, _WorkflowStatus)
        except RailwayError as error:
            raise RailwayError(error.cause, f"{_NOT_KNOWN}: {error.message}", error.retry_seconds) from error
        workflow = found.workflow_status
        if workflow.status == "Complete":
            return
        if workflow.status == "Error":
            said = " ".join((workflow.error or "without a word").split())[:_SHOWN_CHARACTERS]
            values = await _staged_values(transport, environment_id)
            raise RailwayError("refused", f"Railway refused the staged changes: {Scrubber(values, 3)(said)}")
        if workflow.status == "NotFound":
            break
        await asyncio.sleep(_PAUSE)
    raise RailwayError("away", _NOT_KNOWN)


async def _staged_values(transport: Transport, environment_id: str) -> list[str]:
    """What an error must not quote. It is still staged."""
    found = await staged(transport, environment_id)
    return [value for values in found.values() for value in values.values() if value]


async def staged(transport: Transport, environment_id: str) -> Mapping[str | None, Mapping[str, str | None]]:
    try:
        patch = msgspec.convert(await _patch(transport, environment_id), _Patch)
    except msgspec.ValidationError as error:
        where = str(error).partition(" - at `$")[2].rstrip("`")
        raise changed(f"environmentStagedChanges.patch{where}", "not the shape of a configuration") from None
    found: dict[str | None, Mapping[str, str | None]] = {}
    for id, service in (patch.services or {}).items():
        if service is not None and service.variables:
            found[id] = _values(service.variables)
    if patch.shared_variables:
        found[None] = _values(patch.shared_variables)
    return found


async def staged_elsewhere(transport: Transport, environment_id: str) -> Sequence[str]:
    paths = _paths(await _patch(transport, environment_id))
    return [".".join(path) for path in paths if not _is_variable(path)]


async def _patch(transport: Transport, environment_id: str) -> Mapping[str, Any]:
    found = await transport.call("StagedChanges", {"environmentId": environment_id}, _StagedChanges)
    changes = found.environment_staged_changes
    return (changes.patch if changes else None) or {}


def _values(variables: Mapping[str, _Value | None]) -> Mapping[str, str | None]:
    return {name: None if each is None else each.value for name, each in variables.items()}


def _paths(config: Mapping[str, Any], to: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _paths(value, (*to, name))
        else:
            yield (*to, name)


def _is_variable(path: tuple[str, ...]) -> bool:
    return path[0] == "sharedVariables" or (path[0] == "services" and path[2:3] == ("variables",))
