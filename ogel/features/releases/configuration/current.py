"""What there is on Railway, in the shape of what the file says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ogel.features.releases.configuration.graph import Resource, is_database
from ogel.runtime.railway import Project


def current_resources(
    project: Project, config: Mapping[str, Any], variables: Mapping[str, Mapping[str, str]]
) -> Mapping[str, Resource]:
    """
    By address. `config` is the environment's, and names the variables that somebody has set; `variables` has them by
    service id, as they were written, beside those that Railway adds. A value that is not there is sealed: None.
    """
    found = {}
    names = {each.id: each.name for each in project.services}
    for id, service in _live(config, "services"):
        source = service.get("source")
        image = source.get("image") if isinstance(source, Mapping) else None
        kind = "database" if is_database(image) else "service"
        name = names.get(id, id)
        written = variables.get(id, {})
        known = {each: written.get(each) for each in _names(service.get("variables"))}
        found[f"{kind}.{name}"] = {**service, "type": kind, "name": name, "id": id, "variables": known}
    buckets = {each.id: each.name for each in project.buckets}
    for id, bucket in _live(config, "buckets"):
        name = buckets.get(id, id)
        found[f"bucket.{name}"] = {"type": "bucket", "name": name, "config": bucket}
    return found


def _live(config: Mapping[str, Any], field: str) -> list[tuple[str, Mapping[str, Any]]]:
    several = config.get(field)
    if not isinstance(several, Mapping):
        return []
    return [
        (id, each)
        for id, each in several.items()
        if isinstance(each, Mapping) and each.get("isDeleted") is not True
    ]


def _names(variables: object) -> list[str]:
    if not isinstance(variables, Mapping):
        return []
    return [name for name, value in variables.items() if value is not None]
