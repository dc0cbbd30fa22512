"""What each variable that names a public address of its own project would be, or why it stays."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from ogel.features.network.moves.spots import Spot, spots
from ogel.features.network.moves.told import ports_beside, told_outside
from ogel.features.network.moves.view import REFERENCE, Destination, Key, View
from ogel.runtime.railway import Instance

_HTTP = {"http": "http", "https": "http", "ws": "ws", "wss": "ws"}
_STANDARD = ("DATABASE_URL", "DATABASE_UNPOOLED_URL", "REDIS_URL", "MONGO_URL", "MYSQL_URL")
_SAME_SCHEME = {"postgres": "postgresql", "valkey": "redis"}
_FINGERPRINT_LENGTH = 12


class Move(Struct, frozen=True):
    """
    A variable that would be written.

    owner     the service's id; None: it is shared. `service` is how people call it.
    before    as it is written now, with `after`: both may hold passwords, and are not shown.
    leaves    the public addresses that it names now.
    becomes   how it is shown: references, hosts and ports only.
    target    the id of the service that it leads to.
    pair      the variable whose host or port it is: one without the other leads nowhere.
    """

    owner: str | None
    service: str
    name: str
    before: str
    after: str
    leaves: Sequence[str]
    becomes: str
    target: str
    note: str | None = None
    pair: str | None = None

    def __repr__(self) -> str:
        return f"Move({self.service}.{self.name})"

    @property
    def key(self) -> Key:
        return self.owner, self.name


class Left(Struct, frozen=True):
    """A variable that names a public address and stays as it is."""

    service: str
    name: str
    address: str
    reason: str


class Follows(Struct, frozen=True):
    """A variable that need not be written: what it refers to is moved."""

    owner: str | None
    service: str
    name: str


class Plan(Struct, frozen=True):
    moves: Sequence[Move]
    follows: Sequence[Follows]
    left: Sequence[Left]

    @property
    def fingerprint(self) -> str:
        """Of what would be written, and in place of what: another project has another one. Tells nothing of values."""
        what = [(each.owner, each.name, each.before, each.after) for each in self.moves]
        return hashlib.sha256(msgspec.json.encode(what)).hexdigest()[:_FINGERPRINT_LENGTH]


class _Stays(Exception):
    """The reason completes "it stays, because"."""


def plan(view: View, *, also: Sequence[str] = (), without: Sequence[str] = ()) -> Plan:
    """`also`: move these although their names say that they are public, `SERVICE.NAME`; `without`: leave these."""
    return _Planning(view, frozenset(also), frozenset(without)).plan()


class _Planning:
    def __init__(self, view: View, also: frozenset[str], without: frozenset[str]) -> None:
        self._view = view
        self._also = also
        self._without = without
        self._moves: dict[Key, Move] = {}
        self._left: list[Left] = []
        self._follows: list[Follows] = []

    def plan(self) -> Plan:
        public = list(self._public())
        # What names an address itself before what refers to it, which may then follow.
        public.sort(key=lambda key: "${{" in self._written(key))
        for key in public:
            if key not in self._moves:
                self._look_at(key)
        order = {key: place for place, key in enumerate(self._view.in_order())}
        moves = sorted(self._moves.values(), key=lambda each: order[each.key])
        return Plan(moves, self._follows, self._left)

    def _public(self) -> Iterator[Key]:
        for key in self._view.in_order():
            # Railway's own variables are not ours to write; who refers to them is.
            if not key[1].startswith("RAILWAY_") and self._spots(self._rendered(key)):
                yield key

    def _look_at(self, key: Key) -> None:
        service, name = self._view.name_of(key[0]), key[1]
        after = self._view.render(key, self._written(key), self._changed)
        found = self._spots(self._rendered(key))
        if after is not None and not self._spots(after):
            self._follow(key, found[0])
            return
        try:
            if f"{service}.{name}" in self._without:
                raise _Stays("you said so")
            self._move(key, found)
        except _Stays as error:
            self._left.append(Left(service, name, ", ".join(each.address for each in found), str(error)))

    def _follow(self, key: Key, spot: Spot) -> None:
        """Nothing is to be written, save the port of a host that stands by itself."""
        service, name = self._view.name_of(key[0]), key[1]
        if f"{service}.{name}" in self._without:
            reason = "you said so, and it refers to what is moved: leave that, too"
            self._left.append(Left(service, name, spot.address, reason))
            return
        self._follows.append(Follows(key[0], service, name))
        if not spot.alone or spot.port is not None:
            return
        for beside, port in self._ports_beside(key, spot):
            pair = key[0], beside
            if self._view.render(pair, self._written(pair), self._changed) == str(port):
                whole = msgspec.structs.replace(spot, port=port)
                self._write_port(pair, whole, self._destination(whole), name)

    def _move(self, key: Key, found: Sequence[Spot]) -> None:
        text = self._rendered(key)
        http = any(each.scheme in _HTTP or not (each.scheme or _is_proxy(each)) for each in found)
        asked_for = f"{self._view.name_of(key[0])}.{key[1]}" in self._also
        known = [self._view.destination(each.host, each.port) for each in found]
        if any(each is not None and each.instance.service_id == key[0] for each in known):
            raise _Stays("it is the service's own public address")
        if not asked_for and (reason := told_outside(key[1], http)):
            raise _Stays(reason)
        if found[0].alone and found[0].port is None:
            self._move_pair(key, found[0])
            return
        destinations = [self._destination(spot) for spot in found]
        target = destinations[0].instance
        referred = self._reference(target, text, found, destinations)
        if referred is not None:
            self._moves[key] = self._made(key, referred, found, target, referred, _note(found, target))
            return
        written = _replaced(
            text, found, [self._private(*each) for each in zip(found, destinations, strict=True)]
        )
        after, shown = self._rewritten(key, found, destinations, written)
        self._moves[key] = self._made(key, after, found, target, shown, _note(found, target))

    def _made(
        self, key: Key, after: str, found: Sequence[Spot], target: Instance, shown: str, note: str | None
    ) -> Move:
        leaves = [each.address for each in found]
        service = self._view.name_of(key[0])
        before = self._written(key)
        return Move(key[0], service, key[1], before, after, leaves, shown, target.service_id, note)

    def _destination(self, spot: Spot) -> Destination:
        """Where it leads, if the private network leads there, too."""
        found = self._view.destination(spot.host, spot.port)
        if found is None:
            raise _Stays(self._why_unknown(spot))
        instance = found.instance
        if not instance.private_domain:
            raise _Stays(f"{instance.name} has no private name")
        if found.port is not None:
            return found
        if spot.scheme is None:
            raise _Stays("a name of the edge without http:// before it: whoever reads it adds https://")
        if spot.scheme not in _HTTP:
            return found
        port = self._view.variables.get(instance.service_id, {}).get("PORT")
        if port is None or not port.rendered.strip().isdigit():
            raise _Stays(
                f"PORT is not set on {instance.name}: nobody else knows what it listens on; set it, and plan again"
            )
        return Destination(instance, int(port.rendered), edge=True)

    def _why_unknown(self, spot: Spot) -> str:
        there = self._view.abroad.get(spot.address) or self._view.abroad.get(spot.host)
        if there is not None:
            return f"it is in the environment {there}, which the private network does not reach"
        if spot.port is None and _is_proxy(spot):
            return "it has no port, and proxies are told apart by theirs"
        return "it is none of this environment's: what is in another one, or another project, cannot become private"

    def _move_pair(self, key: Key, spot: Spot) -> None:
        """A host alone, whose port has a variable of its own."""
        owner, name = key
        if not _is_proxy(spot):
            self._destination(spot)
        beside, port = next(self._ports_beside(key, spot), (None, 0))
        if beside is None:
            here = ", ".join(ports_beside(name))
            raise _Stays(
                f"its port is not known: no variable beside it ({here}) names one of a proxy in this environment"
            )
        if f"{self._view.name_of(owner)}.{beside}" in self._without:
            raise _Stays(f"you said so of {beside}, which has its port")
        whole = msgspec.structs.replace(spot, port=port)
        destination = self._destination(whole)
        host = f"${{{{{destination.instance.name}.RAILWAY_PRIVATE_DOMAIN}}}}"
        made = self._made(key, host, [whole], destination.instance, host, f"goes with {beside}")
        self._moves[key] = msgspec.structs.replace(made, pair=beside)
        self._write_port((owner, beside), whole, destination, name)

    def _ports_beside(self, key: Key, spot: Spot) -> Iterator[tuple[str, int]]:
        """Variables of the same owner that name the port of a proxy with this host, and which."""
        variables = self._view.variables[key[0]]
        for name in ports_beside(key[1]):
            text = variables[name].rendered.strip() if name in variables else ""
            if text.isdigit() and self._view.destination(spot.host, int(text)) is not None:
                yield name, int(text)

    def _write_port(self, key: Key, spot: Spot, destination: Destination, host: str) -> None:
        port = str(destination.port)
        made = self._made(key, port, [spot], destination.instance, port, f"goes with {host}")
        self._moves[key] = msgspec.structs.replace(made, pair=host)

    def _reference(
        self,
        target: Instance,
        text: str,
        found: Sequence[Spot],
        destinations: Sequence[Destination],
    ) -> str | None:
        """One to a variable of the target that says the same, and perhaps what is to stand behind it."""
        if len(found) != 1 or found[0].begin != 0 or found[0].scheme in _HTTP:
            return None
        [spot] = found
        variables = self._view.variables.get(target.service_id, {})
        names = sorted(variables, key=lambda name: (name not in _STANDARD, name))
        if destinations[0].port is None:
            return self._standard(target, spot)
        wanted = _replaced(text, found, [self._private(spot, destinations[0])])
        for name in names:
            known = variables[name].rendered
            behind = _behind(wanted, known)
            if behind is not None:
                return f"${{{{{target.name}.{name}}}}}{behind}"
        return None

    def _standard(self, target: Instance, spot: Spot) -> str:
        """For what cannot work as it is: Redis at a name of the edge."""
        scheme = _SAME_SCHEME.get(spot.scheme or "", spot.scheme)
        for name in _STANDARD:
            known = self._view.get((target.service_id, name))
            if known is not None and urlsplit(known.rendered).scheme.partition("+")[0] == scheme:
                return f"${{{{{target.name}.{name}}}}}"
        raise _Stays(
            "names of the edge carry HTTP only, so that it never led to"
            f" {target.name}; nothing there says what it should be"
        )

    def _private(self, spot: Spot, destination: Destination) -> tuple[str, str]:
        """The scheme and the place that take those of the spot."""
        scheme = spot.scheme or ""
        if destination.edge:
            scheme = _HTTP.get(scheme, scheme)
        return scheme, f"{destination.instance.private_domain}:{destination.port}"

    def _rewritten(
        self, key: Key, found: Sequence[Spot], destinations: Sequence[Destination], wanted: str
    ) -> tuple[str, str]:
        """The value as it is written, with the private names in it, and how that is shown."""
        written = self._written(key)
        after: str | None
        literal = self._spots(written)
        places = [self._place(each) for each in destinations]
        if [each.address for each in literal] == [each.address for each in found]:
            parts = [
                (self._private(spot, each)[0], place)
                for spot, each, place in zip(found, destinations, places, strict=True)
            ]
            after = _replaced(written, literal, parts)
        else:
            after = self._with_other_references(key, written, destinations)
        if after is None or self._view.render((key[0], key[1]), after, self._changed) != wanted:
            raise _Stays(
                "its value is put together of references in a way that is not understood here: by hand"
            )
        schemes = [self._private(*each)[0] for each in zip(found, destinations, strict=True)]
        shown = [
            f"{scheme}://{place}" if scheme else place for scheme, place in zip(schemes, places, strict=True)
        ]
        return after, ", ".join(shown)

    def _place(self, destination: Destination) -> str:
        name = destination.instance.name
        port = f"${{{{{name}.PORT}}}}" if destination.edge else destination.port
        return f"${{{{{name}.RAILWAY_PRIVATE_DOMAIN}}}}:{port}"

    def _with_other_references(
        self, key: Key, written: str, destinations: Sequence[Destination]
    ) -> str | None:
        """`${{Postgres.RAILWAY_TCP_PROXY_DOMAIN}}:${{Postgres.RAILWAY_TCP_PROXY_PORT}}`, and a service's domain."""
        ports = {each.instance.service_id: each.port for each in destinations}

        def other(reference: re.Match[str]) -> str:
            target = self._view.target(key[0], reference)
            if target is None or target[0] is None or target[0] not in ports:
                return reference[0]
            service = self._view.name_of(target[0])
            if target[1] in ("RAILWAY_TCP_PROXY_DOMAIN", "RAILWAY_PUBLIC_DOMAIN"):
                private = f"${{{{{service}.RAILWAY_PRIVATE_DOMAIN}}}}"
                return (
                    private if target[1].startswith("RAILWAY_TCP") else f"{private}:${{{{{service}.PORT}}}}"
                )
            if target[1] == "RAILWAY_TCP_PROXY_PORT":
                return str(ports[target[0]])
            return reference[0]

        after = REFERENCE.sub(other, written)
        if "RAILWAY_PUBLIC_DOMAIN" in written:
            after = re.sub(r"\bhttps://(?=\$\{\{)", "http://", re.sub(r"\bwss://(?=\$\{\{)", "ws://", after))
        return None if after == written else after

    @property
    def _changed(self) -> Mapping[Key, str]:
        return {key: move.after for key, move in self._moves.items()}

    def _spots(self, text: str) -> Sequence[Spot]:
        return spots(text, self._view.domains)

    def _written(self, key: Key) -> str:
        return self._view.variables[key[0]][key[1]].written

    def _rendered(self, key: Key) -> str:
        return self._view.variables[key[0]][key[1]].rendered


def _replaced(text: str, found: Sequence[Spot], parts: Sequence[tuple[str, str]]) -> str:
    """With another scheme and another place at each spot."""
    pieces, at = [], 0
    for spot, (scheme, place) in zip(found, parts, strict=True):
        between = text[spot.begin : spot.start]
        if spot.scheme is not None and spot.begin >= at:
            pieces += [text[at : spot.begin], scheme, between[len(spot.scheme) :], place]
        else:
            pieces += [text[at : spot.start], place]
        at = spot.end
    return "".join([*pieces, text[at:]])


def _behind(wanted: str, known: str) -> str | None:
    """The options that one URL has behind the other one; None: it is another one."""
    if "://" not in known:
        return None
    for url in (known, known.replace("postgresql://", "postgres://", 1)):
        rest = wanted.removeprefix(url)
        if rest != wanted and (not rest or (rest.startswith("?") and "?" not in url)):
            return rest
    return None


def _is_proxy(spot: Spot) -> bool:
    return spot.host.endswith(".rlwy.net")


def _note(found: Sequence[Spot], target: Instance) -> str | None:
    scheme = found[0].scheme or ""
    if scheme in _HTTP:
        return f"{target.name} must listen on ::, not on 0.0.0.0 alone"
    if scheme.startswith("redis"):
        return "ioredis before 5.8.2 needs ?family=0 behind it where the private name has an AAAA only"
    return None
