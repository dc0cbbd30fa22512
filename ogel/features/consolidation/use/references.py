"""Who refers to a service by its variables: by reference, or by one of the names and places it has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from ogel.runtime.railway import Instance

How = Literal["reference", "private name", "public name", "TCP proxy"]

# What Railway itself gives to every service of a project, whoever uses it (RAILWAY_SERVICE_KONG_URL, …).
_PROVIDED = "RAILWAY_"
_REFERENCE = re.compile(r"\$\{\{\s*([^.{}]{1,100}?)\s*\.\s*([A-Za-z_][A-Za-z0-9_]{0,100})\s*\}\}")
_SHARED = "shared"
MAX_VALUE_CHARACTERS = 64_000


class Reference(Struct, frozen=True):
    """`by` names the service whose `variable` leads to another one. Values are not kept."""

    by_id: str
    by: str
    variable: str
    how: How


class Addresses(Struct, frozen=True):
    """Compiled once for each service: what in a variable's value means it."""

    service: Instance
    private: re.Pattern[str] | None
    public: re.Pattern[str] | None
    proxies: Sequence[tuple[str, str]]


def referrers(
    instances: Sequence[Instance],
    variables: Mapping[str, Mapping[str, str]],
    shared: Mapping[str, str],
) -> Mapping[str, Sequence[Reference]]:
    """
    By the id of the service that is referred to. `variables` are those of each service as they were written, by its id;
    what a service says of itself is no use of it, and neither is what Railway gives to all.
    """
    addresses = [_addresses(each) for each in instances]
    by_name = {each.name: each for each in instances}
    found: dict[str, dict[tuple[str, str], Reference]] = {each.service_id: {} for each in instances}
    for by in instances:
        own = variables.get(by.service_id, {})
        values = set(own.values())
        for name, value in own.items():
            if name.startswith(_PROVIDED):
                continue
            for target, how in _meant(value, shared, by_name, addresses, values):
                if target.service_id != by.service_id:
                    # The first way is the most telling: a reference is looked for before an address.
                    found[target.service_id].setdefault(
                        (by.service_id, name), Reference(by.service_id, by.name, name, how)
                    )
    return {id: list(each.values()) for id, each in found.items()}


def _meant(
    value: str,
    shared: Mapping[str, str],
    by_name: Mapping[str, Instance],
    addresses: Sequence[Addresses],
    beside: set[str],
) -> Iterator[tuple[Instance, How]]:
    value = value[:MAX_VALUE_CHARACTERS]
    for name, variable in _REFERENCE.findall(value):
        if name == _SHARED:
            # One step: what a shared variable says, and not what it refers to in turn.
            yield from _meant(shared.get(variable, ""), {}, by_name, addresses, beside)
        elif name in by_name:
            yield by_name[name], "reference"
    for each in addresses:
        if (how := _addressed(value, each, beside)) is not None:
            yield each.service, how


def _addressed(value: str, target: Addresses, beside: set[str]) -> How | None:
    if target.private is not None and target.private.search(value):
        return "private name"
    if target.public is not None and target.public.search(value):
        return "public name"
    for domain, port in target.proxies:
        # The domain belongs to many services, and the port tells whose it is; it may stand in a variable of its own.
        if f"{domain}:{port}" in value or (value == domain and port in beside):
            return "TCP proxy"
    return None


def _addresses(instance: Instance) -> Addresses:
    private = instance.private_domain
    label = private.partition(".")[0] if private else ""
    # Within a project the first label is enough (`http://kong:8000`), and as a bare word it would mean anything.
    alternatives = [_host(private)] if private else []
    if label and label != private:
        alternatives.append(rf"(?:://|@){re.escape(label)}(?=[:/]|$)")
    return Addresses(
        instance,
        re.compile("|".join(alternatives), re.IGNORECASE) if alternatives else None,
        re.compile("|".join(map(_host, instance.domains)), re.IGNORECASE) if instance.domains else None,
        [(each.domain, str(each.proxy_port)) for each in instance.proxies],
    )


def _host(name: str) -> str:
    return rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)"
