"""What it costs to keep objects and to send them, in each place that they can be kept in."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from msgspec import Struct

from ogel.features.costs.money import ZERO, apportioned, cents
from ogel.runtime.prices.table import PriceTable, Store

_MILLION = Decimal(1_000_000)


class Volume(Struct, frozen=True):
    """
    Of a month.

    stored_gb, sent_gb  kept on average, and downloaded.
    uploaded_gb         written.
    writes, reads       requests that change or list, and that read.
    through_service     bytes go through a service of the project both ways, not by presigned URLs.
    """

    stored_gb: Decimal
    sent_gb: Decimal
    uploaded_gb: Decimal = ZERO
    writes: int = 0
    reads: int = 0
    through_service: bool = False


class StoreCost(Struct, frozen=True):
    """Dollars are cents that add up. `note`: why it is not to be had as asked for."""

    store: str
    title: str
    kept: Decimal
    sent: Decimal
    requests: Decimal
    service: Decimal
    dollars: Decimal
    note: str | None


def compared(volume: Volume, prices: PriceTable) -> list[StoreCost]:
    """The cheapest first."""
    costs = [_cost(name, store, volume, prices) for name, store in prices.stores.items()]
    return sorted(costs, key=lambda cost: (cost.dollars, cost.store))


def _cost(name: str, store: Store, volume: Volume, prices: PriceTable) -> StoreCost:
    parts = {
        "kept": _kept(store, volume),
        "sent": _sent(store, volume),
        "requests": _requests(store, volume),
        "service": _service(store, volume, prices),
    }
    total = cents(sum(parts.values(), ZERO))
    rounded = apportioned(total, parts)
    return StoreCost(name, store.title, **rounded, dollars=total, note=_note(store, volume))


def _kept(store: Store, volume: Volume) -> Decimal:
    billed = max(volume.stored_gb - store.free_gb, ZERO)
    if store.whole_gb:
        billed = billed.to_integral_value(ROUND_CEILING)
    return max(billed, store.least_gb) * store.gb_month


def _sent(store: Store, volume: Volume) -> Decimal:
    free = store.free_sent_gb + store.free_sent_times * volume.stored_gb
    return max(volume.sent_gb - free, ZERO) * store.gb_sent


def _requests(store: Store, volume: Volume) -> Decimal:
    writes = max(volume.writes - store.free_writes, 0) * store.million_writes
    reads = max(volume.reads - store.free_reads, 0) * store.million_reads
    return (writes + reads) / _MILLION


def _service(store: Store, volume: Volume, prices: PriceTable) -> Decimal:
    """What a service of the project sends: downloads to whoever asked, uploads to the store."""
    if (
        not volume.through_service or store.behind_service
    ):  # a volume's price of what is sent is the service's
        return ZERO
    return prices.a_month("egress", volume.sent_gb + volume.uploaded_gb)


def _note(store: Store, volume: Volume) -> str | None:
    if store.most_sent_times is not None and volume.sent_gb > store.most_sent_times * volume.stored_gb:
        return f"sends no more than {store.most_sent_times:f} times what is kept: not for this much"
    return None
