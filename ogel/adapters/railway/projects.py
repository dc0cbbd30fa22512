"""Projects, what is in them, and what a token sees of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from ogel.adapters.railway.aliases import asked_in_groups
from ogel.adapters.railway.paging import PAGE, Connection, whole
from ogel.adapters.railway.transport import Transport, changed
from ogel.runtime.railway import Bucket, Named, Project, RailwayError, TokenScope, Volume

# What a bucket holds is told apart from everything else, and not to everybody.
_MAY_BE_UNKNOWN = ("forbidden", "not_found", "refused")
_BUCKET = (
    "bucketInstanceDetails(bucketId: $bucket{n}, environmentId: $environment{n}) {{ sizeBytes objectCount }}"
)


class _Scope(Struct, rename="camel"):
    project_id: str
    environment_id: str


class _ProjectToken(Struct, rename="camel"):
    project_token: _Scope


class _Id(Struct):
    id: str


class _Workspaces(Struct):
    workspaces: list[_Id]


class _ApiToken(Struct, rename="camel"):
    api_token: _Workspaces


class _Projects(Struct):
    projects: Connection[Named]


class _ProjectName(Struct):
    project: Named


class _Kept(Struct, rename="camel"):
    id: str
    name: str
    deleted_at: datetime | None = None


class _VolumeInstance(Struct, rename="camel"):
    environment_id: str
    service_id: str | None = None
    mount_path: str | None = None
    size: float | None = field(default=None, name="sizeMB")
    used: float | None = field(default=None, name="currentSizeMB")
    deleted_at: datetime | None = None


class _Volume(Struct, rename="camel"):
    id: str
    name: str
    volume_instances: Connection[_VolumeInstance]


class _Parts(Struct, rename="camel"):
    id: str
    name: str
    environments: Connection[_Kept]
    services: Connection[_Kept]
    volumes: Connection[_Volume]
    buckets: Connection[Named]
    workspace_id: str | None = None


class _Project(Struct):
    project: _Parts


class _Config(Struct):
    config: dict[str, Any]


class _Environment(Struct):
    environment: _Config


class _BucketDetails(Struct, rename="camel"):
    """BigInt is written as a number or as a text."""

    size_bytes: int | float | str
    object_count: int | float | str


async def scope(transport: Transport) -> TokenScope:
    if transport.token.kind == "account":
        await transport.call("ApiToken", {}, _ApiToken)
        return TokenScope("account")
    found = (await transport.call("ProjectToken", {}, _ProjectToken)).project_token
    return TokenScope("project", found.project_id, found.environment_id)


async def projects(transport: Transport) -> Sequence[Named]:
    if transport.token.kind == "project":
        found = await transport.call("ProjectToken", {}, _ProjectToken)
        named = await transport.call("ProjectName", {"id": found.project_token.project_id}, _ProjectName)
        return [named.project]
    token = await transport.call("ApiToken", {}, _ApiToken)
    several = [await _projects_of(transport, each.id) for each in token.api_token.workspaces]
    return list({project.id: project for found in several for project in found}.values())


async def _projects_of(transport: Transport, workspace_id: str) -> Sequence[Named]:
    async def page(after: Mapping[str, str | None]) -> Mapping[str, Connection[Any]]:
        variables = {"workspaceId": workspace_id, "first": PAGE, "after": after["projects"]}
        return {"projects": (await transport.call("Projects", variables, _Projects)).projects}

    return (await whole(page, "projects"))["projects"]


async def project(transport: Transport, project_id: str) -> Project:
    head: list[_Parts] = []

    async def page(after: Mapping[str, str | None]) -> Mapping[str, Connection[Any]]:
        found = await transport.call("Project", {"id": project_id, "first": PAGE, **after}, _Project)
        head.append(found.project)
        return {name: getattr(found.project, name) for name in after}

    parts = await whole(page, "environments", "services", "volumes", "buckets")
    environments = _living(parts["environments"])
    return Project(
        id=head[0].id,
        name=head[0].name,
        environments=environments,
        services=_living(parts["services"]),
        volumes=[instance for volume in parts["volumes"] for instance in _instances(volume)],
        buckets=await _buckets(transport, environments, parts["buckets"]),
        workspace_id=head[0].workspace_id,
    )


def _living(found: Sequence[_Kept]) -> list[Named]:
    return [Named(each.id, each.name) for each in found if each.deleted_at is None]


def _instances(volume: _Volume) -> list[Volume]:
    if volume.volume_instances.page_info.has_next_page:
        raise changed("project.volumes.volumeInstances", f"a volume in more than {PAGE} environments")
    return [
        Volume(
            volume.id,
            volume.name,
            each.service_id,
            each.environment_id,
            each.mount_path,
            each.size,
            each.used,
        )
        for each in volume.volume_instances.nodes
        if each.deleted_at is None
    ]


async def config(transport: Transport, environment_id: str) -> Mapping[str, Any]:
    found = await transport.call("EnvironmentConfig", {"environmentId": environment_id}, _Environment)
    return found.environment.config


async def _buckets(
    transport: Transport, environments: Sequence[Named], buckets: Sequence[Named]
) -> list[Bucket]:
    """Each in the environments whose configuration has it."""
    if not buckets:
        return []
    configs = await asyncio.gather(*(_bucket_ids(transport, each.id) for each in environments))
    places = [
        (bucket, environment.id)
        for environment, ids in zip(environments, configs, strict=True)
        for bucket in buckets
        if bucket.id in ids
    ]
    asked = [{"bucket": bucket.id, "environment": environment} for bucket, environment in places]
    try:
        details: Sequence[_BucketDetails | None] = await asked_in_groups(
            transport, _BUCKET, asked, _BucketDetails
        )
    except RailwayError as error:
        if error.cause not in _MAY_BE_UNKNOWN:
            raise
        details = [None] * len(places)
    return [
        Bucket(bucket.id, bucket.name, environment, *_measured(found))
        for (bucket, environment), found in zip(places, details, strict=True)
    ]


async def _bucket_ids(transport: Transport, environment_id: str) -> set[str]:
    """A project's token does not see the other environments of its project."""
    try:
        found = (await config(transport, environment_id)).get("buckets")
    except RailwayError as error:
        if error.cause in _MAY_BE_UNKNOWN and transport.token.kind == "project":
            return set()
        raise
    if found is None:
        return set()
    try:
        instances = msgspec.convert(found, dict[str, dict[str, Any] | None])
    except msgspec.ValidationError:
        raise changed("environment.config.buckets", "not an object of objects") from None
    return {id for id, each in instances.items() if each is not None and not each.get("isDeleted")}


def _measured(found: _BucketDetails | None) -> tuple[float | None, int | None]:
    if found is None:
        return None, None
    try:
        return float(found.size_bytes), int(found.object_count)
    except (ValueError, OverflowError):
        raise changed("bucketInstanceDetails", "not numbers") from None
