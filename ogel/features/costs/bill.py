"""What was used, priced: a line for each service and resource, in cents that add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from ogel.features.costs.money import ZERO, apportioned, cents
from ogel.runtime.prices.table import RESOURCES, Plan, PriceTable, Resource


class Used(Struct, frozen=True):
    """
    quantity  GB-minutes, vCPU-minutes, or of egress GB.
    origin    where it is from: `railway usage`, `railway metrics`, `own measurements`.
    """

    service: str
    resource: Resource
    quantity: Decimal
    origin: str


class Line(Struct, frozen=True):
    service: str
    resource: Resource
    quantity: Decimal
    origin: str
    dollars: Decimal


class Bill(Struct, frozen=True):
    """All in whole cents: lines add up to their services and to their resources, and these to the total."""

    lines: Sequence[Line]
    services: Mapping[str, Decimal]
    resources: Mapping[Resource, Decimal]
    total: Decimal


def priced(used: Iterable[Used], prices: PriceTable) -> Decimal:
    """Not rounded."""
    return sum((prices.of(each.resource, each.quantity) for each in used), ZERO)


def bill(used: Iterable[Used], prices: PriceTable) -> Bill:
    """
    The total is rounded to the cent, and given out to services and within each to its resources, so that nothing is a
    cent away from what it is. Services that cost most come first.
    """
    summed = _summed(used)
    exact = {key: prices.of(each.resource, each.quantity) for key, each in summed.items()}
    by_service: dict[str, Decimal] = {}
    for (service, _), dollars in exact.items():
        by_service[service] = by_service.get(service, ZERO) + dollars
    by_service = dict(sorted(by_service.items(), key=lambda each: (-each[1], each[0])))
    total = cents(sum(exact.values(), ZERO))
    services = apportioned(total, by_service)
    lines = []
    for service, dollars in services.items():
        cells = {key: exact[key] for key in summed if key[0] == service}
        for key, amount in apportioned(dollars, cells).items():
            each = summed[key]
            lines.append(Line(service, each.resource, each.quantity, each.origin, amount))
    resources = {
        resource: sum((line.dollars for line in lines if line.resource == resource), ZERO)
        for resource in RESOURCES
        if any(line.resource == resource for line in lines)
    }
    return Bill(lines, services, resources, total)


def to_pay(total: Decimal, plan: Plan) -> Decimal:
    """Of a workspace with this project alone: the fee, and what it does not include."""
    return plan.fee + max(total - plan.included, ZERO)


def _summed(used: Iterable[Used]) -> dict[tuple[str, Resource], Used]:
    summed: dict[tuple[str, Resource], Used] = {}
    for each in used:
        key = each.service, each.resource
        before = summed.get(key)
        quantity = each.quantity + (before.quantity if before else ZERO)
        origins = dict.fromkeys((before.origin, each.origin) if before else (each.origin,))
        summed[key] = Used(each.service, each.resource, quantity, " and ".join(origins))
    order = {resource: place for place, resource in enumerate(RESOURCES)}
    return dict(sorted(summed.items(), key=lambda each: (each[0][0], order[each[0][1]])))
