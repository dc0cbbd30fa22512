"""Projects, what is in them, and what a token sees of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from ogel.adapters.railway.aliases import asked_in_groups
from ogel.adapters.railway.paging import PAGE, Connection, whole
from ogel.adapters.railway.transport import Moment, Transport, changed
from ogel.runtime.railway import Bucket, Named, Project, RailwayError, TokenScope, Volume

# What a bucket holds is told apart from everything else, and not to everybody.
_MAY_BE_UNKNOWN = ("forbidden", "not_found", "refused")
_DETAILS = (
    "bucketInstanceDetails(bucketId: $bucket{n}, environmentId: $environment{n}) {{ sizeBytes objectCount }}"
)
_PARTS = (
    "environment(id: $environment{n}) {{ config(decryptVariables: false) volumeInstances(first: 100) {{ edges {{"
    " node {{ volume {{ id name }} serviceId mountPath sizeMB currentSizeMB state }} }}"
    " pageInfo {{ hasNextPage endCursor }} }} }}"
)
_GONE = ("DELETED", "DELETING")


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
    can_access: bool = True
    deleted_at: Moment | None = None


class _Head(Struct, rename="camel"):
    id: str
    name: str
    environments: Connection[_Kept]
    services: Connection[_Kept]
    buckets: Connection[Named]
    workspace_id: str | None = None


class _Project(Struct):
    project: _Head


class _VolumeInstance(Struct, rename="camel"):
    volume: Named
    service_id: str | None = None
    mount_path: str | None = None
    size: float | None = field(default=None, name="sizeMB")
    used: float | None = field(default=None, name="currentSizeMB")
    state: str | None = None


class _BucketInstance(Struct, rename="camel"):
    is_deleted: bool | None = None


class _Buckets(Struct):
    """Of the configuration, which holds much more."""

    buckets: dict[str, _BucketInstance | None] | None = None


class _Parts(Struct, rename="camel"):
    """What is in one environment."""

    config: _Buckets
    volume_instances: Connection[_VolumeInstance]


class _Config(Struct):
    config: dict[str, Any]


class _Owners(Struct, rename="camel"):
    """By address, as `service.api`; null where no such file was ever applied."""

    iac_partials: dict[str, str] | None = None


class _Partials(Struct):
    environment: _Owners


class _Environment(Struct):
    environment: _Config


class _Details(Struct, rename="camel"):
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
        named = await transport.call("ProjectName", {"id": (await scope(transport)).project_id}, _ProjectName)
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
    heads: list[_Head] = []

    async def page(after: Mapping[str, str | None]) -> Mapping[str, Connection[Any]]:
        found = await transport.call("Project", {"id": project_id, "first": PAGE, **after}, _Project)
        heads.append(found.project)
        return {name: getattr(found.project, name) for name in after}

    lists = await whole(page, "environments", "services", "buckets")
    environments = await _open_ones(transport, lists["environments"])
    asked = [{"environment": each.id} for each in environments]
    several = dict(zip(environments, await asked_in_groups(transport, _PARTS, asked, _Parts), strict=True))
    volumes = [volume for environment, parts in several.items() for volume in _volumes(environment, parts)]
    return Project(
        id=heads[0].id,
        name=heads[0].name,
        environments=environments,
        services=[Named(each.id, each.name) for each in lists["services"] if each.deleted_at is None],
        volumes=volumes,
        buckets=await _buckets(transport, several, lists["buckets"]),
        workspace_id=heads[0].workspace_id,
    )


async def _open_ones(transport: Transport, found: Sequence[_Kept]) -> list[Named]:
    """Those that may be looked into. A question about another one is refused with all that it asks beside."""
    own = (await scope(transport)).environment_id if transport.token.kind == "project" else None
    return [
        Named(each.id, each.name)
        for each in found
        if each.deleted_at is None and each.can_access and own in (None, each.id)
    ]


def _volumes(environment: Named, parts: _Parts | None) -> list[Volume]:
    if parts is None:
        raise changed("environment", "Expected `object`, got `null`")
    if parts.volume_instances.page_info.has_next_page:
        raise changed("environment.volumeInstances", f"more than {PAGE} volumes in {environment.name}")
    return [
        Volume(
            each.volume.id,
            each.volume.name,
            each.service_id,
            environment.id,
            each.mount_path,
            each.size,
            each.used,
        )
        for each in parts.volume_instances.nodes
        if each.state not in _GONE
    ]


async def config(transport: Transport, environment_id: str) -> Mapping[str, Any]:
    found = await transport.call("EnvironmentConfig", {"environmentId": environment_id}, _Environment)
    return found.environment.config


async def made_by(transport: Transport, environment_id: str) -> Mapping[str, str]:
    variables = {"environmentId": environment_id}
    return (await transport.call("ConfigurationFiles", variables, _Partials)).environment.iac_partials or {}


async def _buckets(
    transport: Transport, several: Mapping[Named, _Parts | None], buckets: Sequence[Named]
) -> list[Bucket]:
    """Each in the environments whose configuration has it."""
    places = [
        (bucket, environment.id)
        for environment, parts in several.items()
        for bucket in buckets
        if parts is not None and _is_there(parts.config, bucket.id)
    ]
    asked = [{"bucket": bucket.id, "environment": environment} for bucket, environment in places]
    try:
        details: Sequence[_Details | None] = await asked_in_groups(transport, _DETAILS, asked, _Details)
    except RailwayError as error:
        if error.cause not in _MAY_BE_UNKNOWN:
            raise
        details = [None] * len(places)
    return [
        Bucket(bucket.id, bucket.name, environment, *_measured(found))
        for (bucket, environment), found in zip(places, details, strict=True)
    ]


def _is_there(config: _Buckets, id: str) -> bool:
    instance = (config.buckets or {}).get(id)
    return instance is not None and not instance.is_deleted


def _measured(found: _Details | None) -> tuple[float | None, int | None]:
    if found is None:
        return None, None
    try:
        return float(found.size_bytes), int(found.object_count)
    except (ValueError, OverflowError):
        raise changed("bucketInstanceDetails", "not numbers") from None
