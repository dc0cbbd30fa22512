"""Who refers to a service by its variables: by reference, or by one of the names and places it has."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from ogel.runtime.railway import Instance

How = Literal["reference", "private name", "public name", "TCP proxy"]

# What Railway itself gives to every service of a project, whoever uses it (RAILWAY_SERVICE_KONG_URL, …).
_PROVIDED = "RAILWAY_"
# Each part has an end: of 64,000 spaces, no one knows which are whose.
_REFERENCE = re.compile(
    r"\$\{\{\s{0,20}([^\s.{}][^.{}]{0,99}?)\s{0,20}\.\s{0,20}([A-Za-z_][A-Za-z0-9_]{0,100})\s{0,20}\}\}"
)
_SHARED = "shared"
# A host, what stands before it where it is one for sure, and its port. Each value is gone through once, whatever it is.
_HOST = re.compile(r"(://|@)?([A-Za-z0-9_.-]{1,253})(?::([0-9]{1,5})(?![0-9]))?")
_USER = re.compile(r"[^/@\s]{0,300}@")
MAX_VALUE_CHARACTERS = 64_000


class Reference(Struct, frozen=True):
    """`by` names the service whose `variable` leads to another one. Values are not kept."""

    by_id: str
    by: str
    variable: str
    how: How


class Places:
    """What in a variable's value means which service."""

    def __init__(self, instances: Sequence[Instance]) -> None:
        self.by_name = {each.name: each for each in instances}
        self._private: dict[str, Instance] = {}
        self._labels: dict[str, Instance] = {}
        self._public: dict[str, Instance] = {}
        self._proxies: dict[str, dict[str, Instance]] = {}
        for each in instances:
            if each.private_domain:
                self._private[each.private_domain.lower()] = each
                self._labels[each.private_domain.lower().partition(".")[0]] = each
            self._public |= dict.fromkeys((domain.lower() for domain in each.domains), each)
            for proxy in each.proxies:
                self._proxies.setdefault(proxy.domain.lower(), {})[str(proxy.proxy_port)] = each

    def meant(self, value: str, beside: Collection[str]) -> Iterator[tuple[Instance, How]]:
        """`beside`: values of the same service's other variables."""
        for found in _HOST.finditer(value):
            before, text, port = found.groups()
            host = text.lower().strip(".")
            if (service := self._private.get(host)) is not None:
                yield service, "private name"
            elif (service := self._public.get(host)) is not None:
                yield service, "public name"
            elif host in self._proxies:
                yield from self._by_proxy(self._proxies[host], value == text, port, beside)
            elif before and (service := self._labels.get(host)) is not None and _is_label(found, value):
                yield service, "private name"

    def _by_proxy(
        self, ports: Mapping[str, Instance], alone: bool, port: str | None, beside: Collection[str]
    ) -> Iterator[tuple[Instance, How]]:
        """The domain is of many services, and the port tells whose; it may stand in a variable of its own."""
        for each, service in ports.items():
            if each == port or (alone and each in beside):
                yield service, "TCP proxy"


def _is_label(found: re.Match[str], value: str) -> bool:
    """
    Within a project the first label is enough (`http://kong:8000`). As a bare word it would mean anything, and before
    an `@` it is a user.
    """
    end = found.end()
    if end < len(value) and value[end] not in "/:?#,":
        return False
    return found[1] == "@" or _USER.match(value, end) is None


def referrers(
    instances: Sequence[Instance],
    variables: Mapping[str, Mapping[str, str]],
    shared: Mapping[str, str],
) -> Mapping[str, Sequence[Reference]]:
    """
    By the id of the service that is referred to. `variables` are those of each service as they were written, by its id;
    what a service says of itself is no use of it, and neither is what Railway gives to all.
    """
    places = Places(instances)
    found: dict[str, dict[tuple[str, str], Reference]] = {each.service_id: {} for each in instances}
    for by in instances:
        own = variables.get(by.service_id, {})
        values = frozenset(own.values())
        for name, value in own.items():
            if name.startswith(_PROVIDED):
                continue
            for target, how in _meant(value, shared, places, values):
                if target.service_id != by.service_id:
                    # The first way is the most telling: a reference is looked for before an address.
                    found[target.service_id].setdefault(
                        (by.service_id, name), Reference(by.service_id, by.name, name, how)
                    )
    return {id: list(each.values()) for id, each in found.items()}


def _meant(
    value: str, shared: Mapping[str, str], places: Places, beside: Collection[str]
) -> Iterator[tuple[Instance, How]]:
    value = value[:MAX_VALUE_CHARACTERS]
    for name, variable in _REFERENCE.findall(value):
        if name == _SHARED:
            # One step: what a shared variable says, and not what it refers to in turn.
            yield from _meant(shared.get(variable, ""), {}, places, beside)
        elif name in places.by_name:
            yield places.by_name[name], "reference"
    yield from places.meant(value, beside)
