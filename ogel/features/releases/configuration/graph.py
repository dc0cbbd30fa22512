"""What such a file says, once evaluated: resources by their address, and what Railway would make nothing of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

Resource = Mapping[str, Any]
Severity = Literal["error", "warning"]

# One that is not named owns its whole environment, and deletes what it does not declare.
PARTIAL = re.compile(r"[a-zA-Z0-9._-]{1,64}")
BUCKET_REGIONS = frozenset({"sjc", "iad", "ams", "sin"})
VARIABLE_TYPES = frozenset({"literal", "reference", "sharedReference", "preserve", "raw"})
# fmt: off
# By field of a service, what Railway takes there; other keys it drops without a word.
KEYS: Mapping[str, frozenset[str]] = {
    "": frozenset({
        "address", "type", "kind", "name", "source", "build", "deploy", "variables", "networking",
        "volumeAttachments", "groupId", "tracing",
    }),
    "source": frozenset({
        "type", "repo", "branch", "image", "rootDirectory", "commitSha", "checkSuites", "autoUpdates",
        "upstreamUrl",
    }),
    "build": frozenset({
        "builder", "buildCommand", "buildEnvironment", "dockerfilePath", "watchPatterns", "railpackVersion",
        "nixpacksConfigPath", "nixpacksPlan", "nixpacksVersion",
    }),
    "deploy": frozenset({
        "startCommand", "preDeployCommand", "healthcheckPath", "healthcheckTimeout", "numReplicas",
        "multiRegionConfig", "cronSchedule", "restartPolicyType", "restartPolicyMaxRetries", "sleepApplication",
        "overlapSeconds", "drainingSeconds", "requiredMountPath", "ipv6EgressEnabled", "registryCredentials",
        "limitOverride",
    }),
    "networking": frozenset({"serviceDomains", "customDomains", "tcpProxies", "privateNetworkEndpoint"}),
}
# fmt: on
_DATABASES = ("postgres", "redis", "mysql", "mongo", "valkey", "mariadb")


class Problem(Struct, frozen=True):
    """`what`: the address of a resource, or `partial`."""

    severity: Severity
    what: str
    message: str


class Graph(Struct, frozen=True):
    """`partial`: None for a file that owns the whole environment."""

    partial: str | None
    resources: Sequence[Resource]

    @property
    def by_address(self) -> Mapping[str, Resource]:
        return {address_of(each): each for each in self.resources}


class _Source(Struct):
    image: str | None = None
    repo: str | None = None


class _Deploy(Struct, rename="camel"):
    multi_region_config: dict[str, dict[str, Any] | None] | None = None


class _Config(Struct):
    region: str | None = None


class _Shape(Struct):
    """Of a resource, what is looked into; Railway itself says what else is wrong."""

    name: str
    type: str = "service"
    address: str | None = None
    source: _Source | None = None
    deploy: _Deploy | None = None
    variables: dict[str, Any] | None = None
    config: _Config | None = None


def graph_of(evaluated: Mapping[str, Any]) -> Graph:
    """Of what the file evaluates to. Raises ValueError for what is no project."""
    project = evaluated.get("project")
    resources = project.get("resources") if isinstance(project, Mapping) else None
    if not isinstance(resources, Sequence) or isinstance(resources, str):
        raise ValueError("it returns no project with `resources`")
    for each in resources:
        if not isinstance(each, Mapping) or not isinstance(each.get("name"), str):
            raise ValueError(f"a resource without a name: {str(each)[:100]}")
        try:
            msgspec.convert(each, _Shape)
        except msgspec.ValidationError as error:
            raise ValueError(f"{each['name']}: {error}") from None
    partial = evaluated.get("partial")
    return Graph(partial.strip() or None if isinstance(partial, str) else None, resources)


def address_of(resource: Resource) -> str:
    address = resource.get("address")
    return address if isinstance(address, str) else f"{resource.get('type', 'service')}.{resource['name']}"


def is_database(image: object) -> bool:
    """As Railway tells them from other services."""
    return isinstance(image, str) and any(each in image for each in _DATABASES)


def problems(graph: Graph) -> Iterator[Problem]:
    """What is wrong with the file itself, whatever there is."""
    if graph.partial is None:
        yield Problem(
            "warning", "partial", "the file has no PARTIAL: it owns the environment, and what it does not"
            " declare is deleted"
        )  # fmt: skip
    elif not PARTIAL.fullmatch(graph.partial):
        yield Problem(
            "error", "partial", f"{graph.partial!r} is no name: letters, digits, dots, _ and -, 64 at most"
        )
    seen: set[str] = set()
    for each in graph.resources:
        address = address_of(each)
        if address in seen:
            yield Problem("error", address, "stands twice")
        seen.add(address)
        if each.get("type", "service") == "service":
            yield from _of_service(address, each)
        elif each.get("type") == "bucket":
            yield from _of_bucket(address, each)


def _of_service(address: str, service: Resource) -> Iterator[Problem]:
    for field, known in KEYS.items():
        part = service if not field else service.get(field)
        for key in part if isinstance(part, Mapping) else ():
            if key not in known:
                where = f"{field}.{key}" if field else key
                yield Problem(
                    "error", address, f"Railway knows no `{where}`, and would drop it without a word"
                )
    for name, value in _mapping(service, "variables").items():
        if not isinstance(value, Mapping) or str(value.get("type")) not in VARIABLE_TYPES:
            yield Problem("error", address, f"variable {name} has no type that Railway knows")
    source = _mapping(service, "source")
    if is_database(source.get("image")) and _mapping(_mapping(service, "networking"), "tcpProxies"):
        yield Problem("error", address, "a database with a public TCP proxy")


def _of_bucket(address: str, bucket: Resource) -> Iterator[Problem]:
    region = _mapping(bucket, "config").get("region")
    if region not in BUCKET_REGIONS:
        names = ", ".join(sorted(BUCKET_REGIONS))
        yield Problem("error", address, f"its region is {region!r}; it takes one of {names}")


def _mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = value.get(name)
    return part if isinstance(part, Mapping) else {}
