"""Deployments: which there are, how they go, and making others of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from ogel.adapters.railway.paging import PAGE, Connection, whole
from ogel.adapters.railway.transport import Moment, Transport, changed
from ogel.runtime.railway import Deployment, RailwayError

# What stays as it is until somebody does something.
STAYS = frozenset({"SUCCESS", "FAILED", "CRASHED", "REMOVED", "SKIPPED", "SLEEPING", "NEEDS_APPROVAL"})
FOLLOW_SECONDS = 3600.0
# How often it is looked at: soon at first, for most take ten seconds; an hour of it stays within the limit of Hobby.
_PAUSES = (2.0, 2.0, 3.0, 3.0, 5.0, 5.0)
_LATER = 10.0
# Looks without an answer, one after the other, before it is given up.
_MOST_AWAY = 5


class Found(Struct, rename="camel"):
    id: str
    environment_id: str
    status: str
    created_at: Moment
    # None: of a plugin, as there were before databases were services.
    service_id: str | None = None
    updated_at: Moment | None = None
    can_rollback: bool = False
    deployment_stopped: bool = False
    meta: dict[str, Any] | None = None
    url: str | None = None
    static_url: str | None = None


class _Deployments(Struct):
    deployments: Connection[Found]


class _Deployment(Struct):
    deployment: Found


class _RolledBack(Struct, rename="camel"):
    deployment_rollback: bool


class _Id(Struct):
    id: str


class _Redeployed(Struct, rename="camel"):
    deployment_redeploy: _Id


class _Deployed(Struct, rename={"deployment_id": "serviceInstanceDeployV2"}):
    deployment_id: str


def known(found: Found | None) -> Deployment | None:
    if found is None or found.service_id is None:
        return None
    meta = found.meta or {}
    return Deployment(
        id=found.id,
        service_id=found.service_id,
        environment_id=found.environment_id,
        status=found.status,
        created_at=found.created_at,
        updated_at=found.updated_at,
        can_rollback=found.can_rollback,
        stopped=found.status == "SUCCESS" and found.deployment_stopped,
        commit=_text(meta, "commitHash"),
        commit_message=_text(meta, "commitMessage"),
        branch=_text(meta, "branch"),
        image=_text(meta, "image"),
        url=found.url or found.static_url,
    )


def _text(meta: Mapping[str, Any], name: str) -> str | None:
    value = meta.get(name)
    return value if isinstance(value, str) and value else None


async def deployments(
    transport: Transport, project_id: str, environment_id: str, service_id: str | None, limit: int
) -> Sequence[Deployment]:
    input = {"projectId": project_id, "environmentId": environment_id}
    if service_id is not None:
        input["serviceId"] = service_id

    async def page(after: Mapping[str, str | None]) -> Mapping[str, Connection[Any]]:
        variables = {"input": input, "first": min(limit, PAGE), "after": after["deployments"]}
        return {"deployments": (await transport.call("Deployments", variables, _Deployments)).deployments}

    found = (await whole(page, "deployments", most=limit))["deployments"]
    several = [each for each in map(known, found) if each is not None]
    return sorted(several, key=lambda each: each.created_at, reverse=True)[:limit]


async def deployment(transport: Transport, deployment_id: str) -> Deployment:
    found = known((await transport.call("Deployment", {"id": deployment_id}, _Deployment)).deployment)
    if found is None:
        raise changed("deployment.serviceId", "Expected `str`, got `null`")
    return found


async def rollback(transport: Transport, deployment_id: str) -> None:
    if not (await transport.call("Rollback", {"id": deployment_id}, _RolledBack)).deployment_rollback:
        raise RailwayError("refused", f"Railway did not roll back to deployment {deployment_id}")


async def redeploy(transport: Transport, deployment_id: str) -> str:
    return (await transport.call("Redeploy", {"id": deployment_id}, _Redeployed)).deployment_redeploy.id


async def deploy(transport: Transport, service_id: str, environment_id: str, commit: str | None) -> str:
    variables = {"serviceId": service_id, "environmentId": environment_id, "commitSha": commit}
    return (await transport.call("Deploy", variables, _Deployed)).deployment_id


async def follow(transport: Transport, deployment_id: str) -> AsyncIterator[Deployment]:
    last: tuple[str, bool] | None = None
    until = time.monotonic() + FOLLOW_SECONDS
    looks = missed = 0
    while True:
        pause = _PAUSES[looks] if looks < len(_PAUSES) else _LATER
        looks += 1
        try:
            seen = await deployment(transport, deployment_id)
        except RailwayError as error:
            pause, missed = _patience(error, pause, missed)
        else:
            missed = 0
            if (seen.status, seen.stopped) != last:
                last = seen.status, seen.stopped
                yield seen
            if seen.status in STAYS:
                return
        if time.monotonic() + pause > until:
            raise RailwayError(
                "away", f"deployment {deployment_id} was not done within {FOLLOW_SECONDS:.0f} s"
            )
        await asyncio.sleep(pause)


def _patience(error: RailwayError, pause: float, missed: int) -> tuple[float, int]:
    """How long to wait before the next look, and how many came to nothing. Raises the error that no wait mends."""
    if error.cause == "limited":
        return error.retry_seconds or _LATER, missed
    if error.cause != "away" or missed + 1 >= _MOST_AWAY:
        raise error
    return pause, missed + 1
