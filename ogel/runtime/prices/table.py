"""The price table: prices.json with the day it was checked, and what a file of the operator's says instead."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args

import msgspec
from msgspec import Struct

from ogel.kernel.errors import ConfigError

Resource = Literal["memory", "cpu", "egress", "volume", "backups", "bucket"]
RESOURCES: tuple[Resource, ...] = get_args(Resource)
Unit = Literal["GB-month", "vCPU-month", "GB"]
UNITS: Mapping[Resource, Unit] = {
    "memory": "GB-month",
    "cpu": "vCPU-month",
    "egress": "GB",
    "volume": "GB-month",
    "backups": "GB-month",
    "bucket": "GB-month",
}
# Railway counts in GB of 1024³ bytes: its price of egress is by the KB, and 1024² of them are a GB.
GB_BYTES = 1024**3
_MOST_BYTES = 1024 * 1024
_MOST, _MOST_REQUESTS = 10**6, 10**12
_ENTRIES = ("resources", "plans", "stores")
Entry = TypeVar("Entry", bound=Struct)


class Price(Struct, frozen=True, forbid_unknown_fields=True):
    dollars: Decimal
    per: Unit
    source: str
    as_of: date


class Plan(Struct, frozen=True, forbid_unknown_fields=True):
    """What a month costs at least, and how much usage that pays for, of all projects of a workspace together."""

    fee: Decimal
    included: Decimal
    source: str = ""
    as_of: date | None = None


class Store(Struct, frozen=True, forbid_unknown_fields=True):
    """
    Where objects can be.

    gb_month, gb_sent   by the GB kept, and by the GB sent to the public network.
    free_gb             of what is kept.
    free_sent_gb        of what is sent, each month; `free_sent_times`: so many times what is kept.
    most_sent_times     more than so many times what is kept may not be sent at all.
    least_gb            less than that is billed as that; `whole_gb`: parts of a GB as a whole one.
    million_writes      requests that change or list, with `free_writes` a month; `million_reads` likewise.
    behind_service      nobody but a service of the project reaches it: what is sent goes through that.
    """

    title: str
    gb_month: Decimal
    source: str
    as_of: date
    gb_sent: Decimal = Decimal(0)
    free_gb: Decimal = Decimal(0)
    free_sent_gb: Decimal = Decimal(0)
    free_sent_times: Decimal = Decimal(0)
    most_sent_times: Decimal | None = None
    least_gb: Decimal = Decimal(0)
    whole_gb: bool = False
    million_writes: Decimal = Decimal(0)
    free_writes: int = 0
    million_reads: Decimal = Decimal(0)
    free_reads: int = 0
    behind_service: bool = False


class PriceTable(Struct, frozen=True):
    """`month_minutes`: a month of Railway's, however many days the calendar's has."""

    name: str
    as_of: date
    month_minutes: Decimal
    resources: Mapping[Resource, Price]
    plans: Mapping[str, Plan]
    stores: Mapping[str, Store]

    def of(self, resource: Resource, quantity: Decimal) -> Decimal:
        """Dollars. `quantity`: GB-minutes, vCPU-minutes, or of egress GB."""
        price = self.resources[resource]
        return quantity * price.dollars / (1 if price.per == "GB" else self.month_minutes)

    def a_month(self, resource: Resource, amount: Decimal) -> Decimal:
        """Dollars for so many GB or vCPU throughout a month, or GB sent in it."""
        return amount * self.resources[resource].dollars


def price_table(path: Path | None = None) -> PriceTable:
    """
    `path`: a file that says some prices, or all, otherwise; in the form of prices.json, with what it leaves out as it
    is there. Raises ConfigError, in one line that names the field.
    """
    ours = _parsed((files(__package__) / "prices.json").read_bytes(), "prices.json")
    if path is None:
        return _table(ours, "prices.json", f"price table {ours['as_of']}")
    theirs = _parsed(_read(path), str(path))
    merged = _merged(ours, theirs, path)
    return _table(merged, str(path), f"price table {merged['as_of']}, with {path.name}")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{path}: is larger than 1 MiB, and so no table of prices")
    return content


def _parsed(content: bytes, where: str) -> dict[str, Any]:
    """Numbers are decimals, as they are written."""

    def no_number(word: str) -> NoReturn:
        raise ConfigError(f"{where}: {word} is no price")

    try:
        document = json.loads(content, parse_float=Decimal, parse_constant=no_number)
    except UnicodeDecodeError:
        raise ConfigError(f"{where}: is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"{where}: line {error.lineno}: is no JSON: {error.msg}") from None
    except ValueError:  # of int(), which takes 4300 digits
        raise ConfigError(f"{where}: has a number of too many digits") from None
    except RecursionError:
        raise ConfigError(f"{where}: is nested too deeply") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{where}: takes an object, as prices.json has")
    return document


def _merged(ours: dict[str, Any], theirs: dict[str, Any], path: Path) -> dict[str, Any]:
    """Of each price, plan and store the fields that `theirs` has; what they say is from there, if they do not say."""
    merged = {**ours, **theirs}
    for section in _ENTRIES:
        entries = theirs.get(section, {})
        if not isinstance(entries, dict):
            raise ConfigError(f"{path}: {section}: takes an object, as prices.json has")
        merged[section] = dict(ours[section])
        for name, entry in entries.items():
            if not isinstance(entry, dict):
                raise ConfigError(f"{path}: {section}.{name}: takes an object, as prices.json has")
            from_there = {"source": path.name, "as_of": merged["as_of"]}
            merged[section][name] = {**ours[section].get(name, {}), **from_there, **entry}
    return merged


def _table(document: dict[str, Any], where: str, name: str) -> PriceTable:
    unknown = set(document) - {"as_of", "source", "month_minutes", *_ENTRIES}
    unknown |= {f"resources.{each}" for each in set(document["resources"]) - set(RESOURCES)}
    if unknown:
        raise ConfigError(f"{where}: {min(unknown)}: is nothing that has a price here")
    table = PriceTable(
        name,
        _converted(document["as_of"], date, where, "as_of"),
        _converted(document["month_minutes"], Decimal, where, "month_minutes"),
        {each: _entry(document, "resources", each, Price, where) for each in RESOURCES},
        {each: _entry(document, "plans", each, Plan, where) for each in document["plans"]},
        {each: _entry(document, "stores", each, Store, where) for each in document["stores"]},
    )
    for field, number in _numbers(table):
        most = _MOST if isinstance(number, Decimal) else _MOST_REQUESTS
        # Decimals that are no numbers cannot be compared with any.
        if not Decimal(number).is_finite() or not 0 <= number <= most:
            raise ConfigError(f"{where}: {field}: got {number}; it takes 0 to {most:,}")
    if table.month_minutes == 0:
        raise ConfigError(f"{where}: month_minutes: got 0; a month has some")
    for resource, unit in UNITS.items():
        if (got := table.resources[resource].per) != unit:
            raise ConfigError(f"{where}: resources.{resource}.per: got {got}; it is billed by the {unit}")
    return table


def _entry(document: dict[str, Any], section: str, name: str, kind: type[Entry], where: str) -> Entry:
    return _converted(document[section][name], kind, where, f"{section}.{name}")


Value = TypeVar("Value")


def _converted(value: Any, kind: type[Value], where: str, field: str) -> Value:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        raise ConfigError(f"{where}: {field}{place.removesuffix('`')}: {what[0].lower()}{what[1:]}") from None


def _numbers(table: PriceTable) -> Iterator[tuple[str, Decimal | int]]:
    yield "month_minutes", table.month_minutes
    for section in _ENTRIES:
        for name, entry in getattr(table, section).items():
            for field in entry.__struct_fields__:
                value = getattr(entry, field)
                if isinstance(value, Decimal | int):
                    yield f"{section}.{name}.{field}", value
