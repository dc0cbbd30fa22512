"""The strategy document's figures, and what is wrong with each."""

from __future__ import annotations

from ogel.features.costs.strategy import claims
from ogel.runtime.prices.table import price_table


def test_each_figure_beside_its_list_price() -> None:
    found = {(claim.section, claim.what.split(",")[0]): claim for claim in claims(price_table())}
    listed = {
        key: (claim.said and str(claim.said), claim.listed and str(claim.listed))
        for key, claim in found.items()
    }
    assert listed == {
        ("3.2", "Studio"): ("20", "40.00"),
        ("3.2", "Postgres"): ("5", "20.00"),
        ("3.2", "Redis"): ("2", "10.00"),
        ("3.2", "MongoDB"): ("5", "20.00"),
        ("3.2", "Studio of phase 1"): ("40", "80.00"),
        ("8.2", "The same box"): ("30", "80.00"),
        ("8.2", "Kong"): ("10", "20.00"),
        ("8.2", "Auth"): ("10", "20.00"),
        ("8.2", "Postgres Meta"): ("5", "10.00"),
        ("5.2", "Railway volume"): ("75", "40.00"),
        ("5.2", "AWS S3"): ("47.30", "38.30"),
        ("5.2", "Cloudflare R2"): ("1.50", "1.35"),
        ("5.2", "Backblaze B2"): ("5.50", "2.54"),
        ("5.2", "Railway bucket"): (None, "1.50"),
        ("8.1", "Three databases"): ("15", None),
        ("8.2", "Egress of today"): ("11", "5.50"),
        ("8.2", "Egress after phase 1"): ("2", "1.00"),
        ("12.2", "Total of today"): ("46", None),
        ("12.2", "Total to reach"): ("32", None),
        ("8.1", "Total after all phases"): ("59", None),
    }
    assert all(claim.wrong for claim in found.values())
