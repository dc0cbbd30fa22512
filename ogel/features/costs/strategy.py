"""Figures of the strategy document that Ogel was made from, each beside what list prices make of it."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from ogel.features.costs.money import cents
from ogel.features.costs.stores import Volume
from ogel.features.costs.stores import compared as compared_stores
from ogel.runtime.prices.table import PriceTable


class Claim(Struct, frozen=True):
    """
    section  of the document.
    said     dollars a month; None: it is not in the document.
    listed   the same at list prices, of a box if it is used to its limit all month; None: no price says that.
    wrong    what is wrong with it.
    """

    section: str
    what: str
    said: Decimal | None
    listed: Decimal | None
    wrong: str


_BY_LIMIT = "a limit is no bill: so much with all of it in use, idle"
_BEFORE_MARCH = "prices of before 2025-03-03: egress was $0.10, volumes were $0.25"


def claims(prices: PriceTable) -> list[Claim]:
    stores = {
        each.store: each.dollars for each in compared_stores(Volume(Decimal(100), Decimal(500)), prices)
    }

    def box(
        section: str, what: str, said: int, cpu: str, memory_gb: str, idle_gb: str, wrong: str = ""
    ) -> Claim:
        full = prices.a_month("cpu", Decimal(cpu)) + prices.a_month("memory", Decimal(memory_gb))
        idle = cents(prices.a_month("memory", Decimal(idle_gb)))
        return Claim(section, what, Decimal(said), cents(full), wrong or f"{_BY_LIMIT} about ${idle}")

    def stored(what: str, said: str | None, store: str, wrong: str) -> Claim:
        dollars = None if said is None else Decimal(said)
        return Claim("5.2", f"{what}, 100 GB kept and 500 GB sent", dollars, stores[store], wrong)

    def sent(what: str, said: int, gb: int, wrong: str) -> Claim:
        return Claim("8.2", what, Decimal(said), cents(prices.a_month("egress", Decimal(gb))), wrong)

    return [
        box("3.2", "Studio, 1 vCPU and 2 GB", 20, "1", "2", "0.2"),
        box("3.2", "Postgres, 0.5 vCPU and 1 GB", 5, "0.5", "1", "0.1"),
        box("3.2", "Redis, 0.25 vCPU and 512 MB", 2, "0.25", "0.5", "0.02"),
        box("3.2", "MongoDB, 0.5 vCPU and 1 GB", 5, "0.5", "1", "0.3"),
        box("3.2", "Studio of phase 1, 2 vCPU and 4 GB", 40, "2", "4", "0.4"),
        box("8.2", "The same box", 30, "2", "4", "0.4", "3.2 says $40 of the same box; neither is its price"),
        box("8.2", "Kong, 0.5 vCPU and 1 GB", 10, "0.5", "1", "0.2"),
        box("8.2", "Auth, 0.5 vCPU and 1 GB", 10, "0.5", "1", "0.02"),
        box("8.2", "Postgres Meta, 0.25 vCPU and 512 MB", 5, "0.25", "0.5", "0.08"),
        stored("Railway volume", "75", "volume", _BEFORE_MARCH),
        stored("AWS S3", "47.30", "s3", "the first 100 GB sent in a month are free"),
        stored("Cloudflare R2", "1.50", "r2", "the first 10 GB kept are free; and requests have a price"),
        stored("Backblaze B2", "5.50", "b2", "three times what is kept may be sent for nothing, as its own table says"),
        stored("Railway bucket", None, "bucket", "as cheap as R2, and no other vendor is needed"),
        Claim("8.1", "Three databases", Decimal(15), None, "3.2 and 8.2 say $12 of the same three"),
        sent("Egress of today, 110 GB", 11, 110, _BEFORE_MARCH),
        sent("Egress after phase 1, 20 GB", 2, 20, f"{_BEFORE_MARCH}; of $11 that is 82 % less, not 84 % (7.2)"),
        Claim("12.2", "Total of today", Decimal(46), None, "its own lines, $11 and $45 and $0, make $56"),
        Claim("12.2", "Total to reach", Decimal(32), None, "its own lines, $2 and $30 and $2, make $34"),
        Claim("8.1", "Total after all phases", Decimal(59), None, "is dearer than today; 8.3 says $36 and 12.2 $32"),
    ]  # fmt: skip
