"""
What `railway config apply` would do: the rules by which Railway's CLI compares the file with what there is. Values of
variables are compared, and never told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from ogel.features.releases.configuration.graph import Graph, Problem, Resource, address_of

Kind = Literal["create", "change", "delete"]

_ENTRYPOINTS = "/app/entrypoints/"
# What stands for the same as nothing.
_DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "source": {"checkSuites": False, "branch": "main", "rootDirectory": ""},
    "build": {
        "builder": "RAILPACK",
        "buildEnvironment": "V3",
        "buildCommand": "",
        "dockerfilePath": "Dockerfile",
    },
    "deploy": {"useLegacyStacker": False, "ipv6EgressEnabled": False, "runtime": "V2"},
}
# What is never compared: Railway's own notes, and what it does not tell.
_LEFT_OUT: Mapping[str, frozenset[str]] = {
    "source": frozenset({"type", "commitSha", "upstreamUrl"}),
    "build": frozenset(),
    "deploy": frozenset({"registryCredentials"}),
}
_TEMPLATE_IMAGE = re.compile(
    r"(?:railwayapp/|ghcr\.io/railwayapp-templates/)?(redis|mysql|mongo|postgres)(?:-ssl)?:(\d+)(?:\.\d+)*"
)
# What a service is set by that is still under the scheme before.
_OF_REPOSITORY = re.compile(r"railway\.(json|toml)$")


class Change(Struct, frozen=True):
    """
    what         the address of a resource.
    path         `variables.PORT`, `deploy.startCommand`; empty: all of it.
    before, after  of everything but variables, which stay None.
    destructive  `apply` asks for --confirm-destructive.
    deploys      the service is deployed anew.
    """

    kind: Kind
    what: str
    path: str = ""
    before: Any = None
    after: Any = None
    destructive: bool = False
    deploys: bool = True


class ChangeSet(Struct, frozen=True):
    changes: Sequence[Change]
    problems: Sequence[Problem]

    @property
    def refused(self) -> bool:
        return any(each.severity == "error" for each in self.problems)


def change_set(
    graph: Graph, current: Mapping[str, Resource], owners: Mapping[str, str] | None = None
) -> ChangeSet:
    """`owners`: by address, the named file that made it; None: Railway does not tell."""
    changes: list[Change] = []
    problems: list[Problem] = []
    for each in graph.resources:
        address = address_of(each)
        owner = (owners or {}).get(address)
        before = current.get(address) or current.get(_sibling(address))
        if owner is not None and owner != graph.partial:
            problems.append(Problem("error", address, f"belongs to the file named {owner!r}"))
        elif before is None:
            problems += _new_domains(address, each, {})
            changes.append(Change("create", address, after=each, deploys=each.get("type") != "bucket"))
        elif _OF_REPOSITORY.search(str(before.get("configFile") or "")):
            problems.append(
                Problem(
                    "error",
                    address,
                    f"is set by {before['configFile']} in its repository; take that away first",
                )
            )
        else:
            problems += _of_existing(address, each, before)
            changes += _differences(address, each, before)
    declared = graph.by_address
    for address, before in current.items():
        if address not in declared and _sibling(address) not in declared:
            gone, told = _undeclared(graph, address, before, owners)
            changes += gone
            problems += told
    return ChangeSet(changes, problems)


def _undeclared(
    graph: Graph, address: str, before: Resource, owners: Mapping[str, str] | None
) -> tuple[Sequence[Change], Sequence[Problem]]:
    deploys = before.get("type") != "bucket"
    deletion = [Change("delete", address, destructive=True, deploys=deploys)]
    if graph.partial is None:
        return deletion, []
    if owners is not None:
        return (deletion if owners.get(address) == graph.partial else []), []
    if str(_part(before, "deploy").get("startCommand", "")).startswith(_ENTRYPOINTS):
        message = "is not in the file; whether the file made it, and `apply` deletes it, cannot be seen"
        return [], [Problem("warning", address, message)]
    return [], []


def _sibling(address: str) -> str:
    """Railway takes a service that runs a database's image for a database, whatever the file calls it."""
    kind, _, name = address.partition(".")
    other = {"service": "database", "database": "service"}.get(kind, kind)
    return f"{other}.{name}"


def _of_existing(address: str, after: Resource, before: Resource) -> Iterator[Problem]:
    yield from _new_domains(address, after, _part(_part(before, "networking"), "customDomains"))
    if after.get("type") == "bucket":
        regions = _part(before, "config").get("region"), _part(after, "config").get("region")
        if regions[0] != regions[1]:
            message = f"a bucket stays in its region, which is {regions[0]!r}: make another one"
            yield Problem("error", address, message)


def _new_domains(address: str, after: Resource, before: Mapping[str, Any]) -> Iterator[Problem]:
    for domain in _part(_part(after, "networking"), "customDomains"):
        if domain not in before:
            message = f"Railway's configuration registers no domains: `railway domain {domain} --service …`"
            yield Problem("error", address, message)


def _differences(address: str, after: Resource, before: Resource) -> Iterator[Change]:
    if after.get("type") == "bucket":
        return
    yield from _variables(address, after, before)
    for field in _DEFAULTS:
        there = _flat(_normal(field, _part(before, field)))
        wanted = _flat(_normal(field, _placed(_part(after, field), _part(before, field))))
        for path in sorted({*there, *wanted}):
            if there.get(path) != wanted.get(path):
                yield Change("change", address, f"{field}.{path}", there.get(path), wanted.get(path))
    yield from _networking(address, after, before)


def _variables(address: str, after: Resource, before: Resource) -> Iterator[Change]:
    there, wanted = _part(before, "variables"), _part(after, "variables")
    written = {
        name: _written(value)
        for name, value in wanted.items()
        if isinstance(value, Mapping) and value.get("type") != "preserve"
    }
    for name in sorted({*written} - {*there}):
        yield Change("create", address, f"variables.{name}")
    for name in sorted({*written} & {*there}):
        if there[name] != written[name]:
            yield Change("change", address, f"variables.{name}")
    for name in sorted({*there} - {*wanted}):
        yield Change("delete", address, f"variables.{name}", destructive=True)


def _written(value: Mapping[str, Any]) -> object:
    """As it stands in the service."""
    match value.get("type"):
        case "sharedReference":
            return "${{" + f"shared.{value.get('name')}" + "}}"
        case "reference":
            name = str(value.get("resource", "")).partition(".")[2]
            return "${{" + f"{name}.{value.get('output')}" + "}}"
        case "raw":
            return _part(value, "value").get("value")
    return value.get("value")


def _placed(after: Mapping[str, Any], before: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replicas without a region are those of the region where the service is, if that is one."""
    regions = [name for name, each in _part(before, "multiRegionConfig").items() if each is not None]
    if "numReplicas" not in after or "multiRegionConfig" in after or len(regions) != 1:
        return after
    others = {key: value for key, value in after.items() if key != "numReplicas"}
    return {**others, "multiRegionConfig": {regions[0]: {"numReplicas": after["numReplicas"]}}}


def _networking(address: str, after: Resource, before: Resource) -> Iterator[Change]:
    """A sparse patch: what is not mentioned stays, and a port that is null is closed."""
    there = _part(_part(before, "networking"), "tcpProxies")
    for port, wanted in _part(_part(after, "networking"), "tcpProxies").items():
        if (wanted is None) == (port in there):
            kind: Kind = "delete" if wanted is None else "create"
            yield Change(kind, address, f"networking.tcpProxies.{port}")


def _normal(field: str, part: Mapping[str, Any]) -> Mapping[str, Any]:
    normal = {
        key: value
        for key, value in part.items()
        if value is not None and key not in _LEFT_OUT[field] and _DEFAULTS[field].get(key, _NEVER) != value
    }
    if isinstance(image := normal.get("image"), str) and (found := _TEMPLATE_IMAGE.fullmatch(image)):
        normal["image"] = f"{found[1]}:{found[2]}"
    if isinstance(normal.get("multiRegionConfig"), Mapping):
        regions = {
            name: {"numReplicas": each["numReplicas"]}
            for name, each in normal.pop("multiRegionConfig").items()
            if isinstance(each, Mapping) and each.get("numReplicas") is not None
        }
        if [each["numReplicas"] for each in regions.values()] not in ([], [1]):
            normal["multiRegionConfig"] = regions
    return normal


_NEVER = object()


def _flat(part: Mapping[str, Any], prefix: str = "") -> Mapping[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in part.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = value.get(name)
    return part if isinstance(part, Mapping) else {}
