"""An environment of a Railway project as it is before anything is moved: services, addresses, variables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from ogel.runtime.railway import Instance

# `${{Postgres.DATABASE_URL}}`, `${{shared.KEY}}`, `${{OWN}}`. Each part has an end: of 64,000 spaces, no one knows
# which are whose.
REFERENCE = re.compile(
    r"\$\{\{\s{0,20}(?:(?P<owner>[^\s{}][^{}]{0,99}?)\s{0,20}\.\s{0,20})?"
    r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s{0,20}\}\}"
)
SHARED = "shared"
_MOST_STEPS = 8


class Written(Struct, frozen=True):
    """A variable: as it was `written`, and with what references stand for, `rendered`."""

    written: str
    rendered: str

    def __repr__(self) -> str:
        return "Written(…)"


Variables = Mapping[str, Written]
# A service's id and a variable's name; None: the variables that services share.
Key = tuple[str | None, str]


class Destination(Struct, frozen=True):
    """
    Where a public address leads.

    port  that the service listens on; None where Railway does not say.
    edge  it is a domain: the edge speaks TLS there, and the service HTTP.
    """

    instance: Instance
    port: int | None
    edge: bool = False


class View(Struct, frozen=True):
    """
    instances  by id.
    variables  by service id, by None those that services share; a service whose variables may not be seen is missing.
    abroad     public addresses of other environments of the same project, with the environment's name.
    """

    project: str
    environment: str
    instances: Mapping[str, Instance]
    variables: Mapping[str | None, Variables]
    abroad: Mapping[str, str] = {}
    notes: Sequence[str] = ()

    def name_of(self, service_id: str | None) -> str:
        return SHARED if service_id is None else self.instances[service_id].name

    def in_order(self) -> Iterator[Key]:
        """Shared ones first: what refers to them follows."""
        for owner in sorted(self.variables, key=lambda each: (each is not None, self.name_of(each).lower())):
            for name in sorted(self.variables[owner]):
                yield owner, name

    def get(self, key: Key) -> Written | None:
        found = self.variables.get(key[0], {}).get(key[1])
        return found or self._of_railway(key)

    def _of_railway(self, key: Key) -> Written | None:
        """Variables that Railway gives each service, where it did not list them."""
        instance = self.instances.get(key[0] or "")
        if instance is None:
            return None
        proxy = instance.proxies[0] if len(instance.proxies) == 1 else None
        values: dict[str, str | None] = {
            "RAILWAY_PRIVATE_DOMAIN": instance.private_domain,
            "RAILWAY_PUBLIC_DOMAIN": instance.domains[0] if instance.domains else None,
            "RAILWAY_TCP_PROXY_DOMAIN": proxy.domain if proxy else None,
            "RAILWAY_TCP_PROXY_PORT": str(proxy.proxy_port) if proxy else None,
            "RAILWAY_TCP_APPLICATION_PORT": str(proxy.application_port) if proxy else None,
        }
        value = values.get(key[1])
        return None if value is None else Written(value, value)

    def target(self, owner: str | None, reference: re.Match[str]) -> Key | None:
        """Which variable a reference in a value of the `owner` means."""
        named = reference["owner"]
        if named is None:
            return owner, reference["name"]
        if named == SHARED:
            return None, reference["name"]
        service = next((each.service_id for each in self.instances.values() if each.name == named), None)
        return None if service is None else (service, reference["name"])

    def render(self, key: Key, written: str, changed: Mapping[Key, str], steps: int = 0) -> str | None:
        """
        What the value would stand for if these were `changed`; None where a reference leads nowhere that is known, or
        round in a circle.
        """
        if steps > _MOST_STEPS:
            return None
        parts, at = [], 0
        for reference in REFERENCE.finditer(written):
            target = self.target(key[0], reference)
            value = None if target is None else self._value(target, changed, steps + 1)
            if value is None:
                return None
            parts += [written[at : reference.start()], value]
            at = reference.end()
        text = "".join([*parts, written[at:]])
        return None if "${{" in text else text

    def _value(self, key: Key, changed: Mapping[Key, str], steps: int) -> str | None:
        if key in changed:
            return self.render(key, changed[key], changed, steps)
        known = self.get(key)
        if known is None:
            return None
        again = self.render(key, known.written, changed, steps)
        # What no change reaches is as Railway says: it knows functions, too.
        untouched = again is None or (changed and again == self.render(key, known.written, {}, steps))
        return known.rendered if untouched or not changed else again

    def destination(self, host: str, port: int | None) -> Destination | None:
        """Of a public address in this environment."""
        for instance in self.instances.values():
            for proxy in instance.proxies:
                if proxy.domain.lower() == host and proxy.proxy_port == port:
                    return Destination(instance, proxy.application_port)
            if host in (domain.lower() for domain in instance.domains):
                return Destination(instance, None, edge=True)
        return None

    @property
    def domains(self) -> set[str]:
        """Public names of this environment and of its neighbours, without ports."""
        own = {domain.lower() for instance in self.instances.values() for domain in instance.domains}
        return own | {address.partition(":")[0] for address in self.abroad}
