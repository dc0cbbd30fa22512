"""The JSON schemas of an OpenAPI document, with readable names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

Json = dict[str, Any]
_REF = "#/components/schemas/{name}"


class Schemas:
    """Schemas are made together, so that types with equal names can be told apart. Query structs become parameters."""

    def __init__(self, bodies: Sequence[Any], queries: Sequence[Any]) -> None:
        types = [*bodies, *queries]
        schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
        names = {name: _readable(name) for name in components}
        if len(set(names.values())) < len(names):
            raise ValueError(f"two types share a name: {sorted(names.values())}")
        self._by_type = {kind: _edited(each, names) for kind, each in zip(types, schemas, strict=True)}
        # Code generators name classes after titles, which may be equal for different types.
        self._components = {
            names[name]: {**_edited(each, names), "title": names[name]} for name, each in components.items()
        }
        self._spelled_out = {self._name(query) for query in queries}

    def of(self, kind: Any) -> Json:
        schema: Json = self._by_type[kind]
        return schema

    def fields(self, query: Any) -> Iterator[tuple[str, Json, bool]]:
        """Returns name, schema and whether it is required, for each field of a query struct."""
        struct = self._components[self._name(query)]
        for name, schema in struct["properties"].items():
            yield name, _without_null(schema), name in struct["required"]

    def components(self) -> Json:
        return {name: each for name, each in self._components.items() if name not in self._spelled_out}

    def _name(self, kind: Any) -> str:
        reference: str = self.of(kind)["$ref"]
        return reference.rpartition("/")[2]


def _readable(name: str) -> str:
    """
    Makes names readable. `Page_Thing_` is a generic type and becomes `ThingPage`;
    `ogel.features.keys.key.Rotation`, one of several types of that name, becomes `KeysRotation`.
    """
    if page := re.fullmatch(r"Page_(.+)_", name):
        return f"{_readable(page[1])}Page"
    if "." in name:
        feature, struct = name.split(".")[2], name.rpartition(".")[2]
        return feature.title().replace("_", "") + struct
    return name


def _edited(schema: Any, names: dict[str, str]) -> Any:
    """
    Edits a schema: references get readable names; pairs become arrays of two, because many generators know no tuples;
    defaults of null are dropped, because some generators take a field with a default for one that is always there.
    """
    if isinstance(schema, list):
        return [_edited(each, names) for each in schema]
    if not isinstance(schema, dict):
        return schema
    edited = {key: _edited(value, names) for key, value in schema.items()}
    if edited.get("default", ...) is None:
        del edited["default"]
    if isinstance(reference := edited.get("$ref"), str):
        path, _, name = reference.rpartition("/")
        edited["$ref"] = f"{path}/{names[name]}"
    places = edited.get("prefixItems")
    if places and all(each == places[0] for each in places):
        del edited["prefixItems"]
        edited["items"] = places[0]
    return edited


def _without_null(schema: Json) -> Json:
    """Drops null from a query parameter's type: clients leave an unwanted parameter out."""
    kept = {key: value for key, value in schema.items() if key != "anyOf"}
    options = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(options) == 1:
        return {**options[0], **kept}
    return {**kept, "anyOf": options} if options else kept
