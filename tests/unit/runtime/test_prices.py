"""The price table: what a unit costs, and what a file may say instead."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from ogel.features.costs.money import cents
from ogel.kernel.errors import ConfigError
from ogel.runtime.prices.table import price_table

PRICES = price_table()


@pytest.mark.parametrize(
    ("megabytes", "dollars"),
    [(1, "0.01"), (10, "0.10"), (30, "0.30"), (60, "0.60"), (80, "0.80"), (100, "1.00"), (150, "1.50"),
     (256, "2.56"), (512, "5.12")],
)  # fmt: skip
def test_resident_memory_is_a_dollar_for_100_mb(megabytes: int, dollars: str) -> None:
    assert cents(PRICES.a_month("memory", Decimal(megabytes) / 1000)) == Decimal(dollars)


@pytest.mark.parametrize(
    ("part", "dollars"),
    [("0.001", "0.02"), ("0.005", "0.10"), ("0.01", "0.20"), ("0.05", "1.00"), ("1", "20.00")],
)
def test_a_hundredth_of_a_cpu_is_20_cents(part: str, dollars: str) -> None:
    assert cents(PRICES.a_month("cpu", Decimal(part))) == Decimal(dollars)


def test_disks_buckets_and_what_is_sent() -> None:
    units = {
        resource: PRICES.a_month(resource, Decimal(1))
        for resource in ("egress", "volume", "backups", "bucket")
    }
    assert units == {
        "egress": Decimal("0.05"),
        "volume": Decimal("0.15"),
        "backups": Decimal("0.15"),
        "bucket": Decimal("0.015"),
    }


def test_minutes_are_those_of_a_month_of_43_200() -> None:
    assert cents(PRICES.of("memory", Decimal(43_200))) == 10
    assert cents(PRICES.of("memory", Decimal(44_640)) * 100) == Decimal("1033.33")  # a GB in December
    assert PRICES.of("egress", Decimal(20)) == 1


def test_a_file_says_some_prices_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "ours.json"
    file.write_text(
        '{"as_of": "2026-11-01", "resources": {"memory": {"dollars": 8.10}}, "plans": {"pro": {"fee": "15"}},'
        ' "stores": {"hetzner": {"title": "Hetzner", "gb_month": "0.005", "source": "our contract",'
        ' "as_of": "2026-10-01"}}}'
    )
    table = price_table(file)
    assert table.name == "price table 2026-11-01, with ours.json"
    assert table.resources["memory"].dollars == Decimal("8.10"), "as it is written"
    assert table.resources["memory"].source == "ours.json"
    assert table.resources["cpu"] == PRICES.resources["cpu"]
    assert table.plans["pro"].fee == 15 and table.plans["pro"].included == 20
    assert {*table.stores} == {*PRICES.stores, "hetzner"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"resources": {"memory": {"dollars": "ten"}}}', "resources.memory.dollars: invalid decimal string"),
        ('{"resources": {"memory": {"dollars": -1}}}', "resources.memory.dollars: got -1; it takes 0 to"),
        ('{"resources": {"memory": {"dollars": "Infinity"}}}', "resources.memory.dollars: got Infinity"),
        ('{"resources": {"memory": {"dollars": "sNaN"}}}', "resources.memory.dollars: got sNaN"),
        ('{"resources": {"memory": {"dollars": 1e300}}}', "resources.memory.dollars: got"),
        ('{"resources": {"memory": {"dollars": NaN}}}', "NaN is no price"),
        (
            '{"resources": {"memory": {"per": "GB"}}}',
            "resources.memory.per: got GB; it is billed by the GB-month",
        ),
        (
            '{"resources": {"memory": {"price": 1}}}',
            "resources.memory: object contains unknown field `price`",
        ),
        ('{"resources": {"memory": 10}}', "resources.memory: takes an object"),
        ('{"resources": []}', "resources: takes an object"),
        ('{"resources": {"gpu": {"dollars": 1}}}', "resources.gpu: is nothing that has a price here"),
        ('{"currency": "EUR"}', "currency: is nothing that has a price here"),
        ('{"month_minutes": 0}', "month_minutes: got 0"),
        ('{"as_of": "yesterday"}', "as_of: invalid RFC3339 encoded date"),
        ('{"stores": {"x": {"title": "X"}}}', "stores.x: object missing required field `gb_month`"),
        ('{"stores": {"r2": {"free_reads": -5}}}', "stores.r2.free_reads: got -5"),
        ("[1]", "takes an object"),
        ("{", "line 1: is no JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ("\udcff", "is not UTF-8"),
        ('{"month_minutes": ' + "1" * 5000 + "}", "has a number of too many digits"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "ours.json"
    file.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        price_table(file)
    assert message in caught.value.message
    assert caught.value.message.startswith(str(file)) and "\n" not in caught.value.message


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        price_table(tmp_path / "nothing.json")
    with pytest.raises(ConfigError, match="is a directory"):
        price_table(tmp_path)
    (tmp_path / "large.json").write_bytes(b" " * (1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        price_table(tmp_path / "large.json")


def test_every_price_says_where_it_is_from_and_when() -> None:
    for entry in (*PRICES.resources.values(), *PRICES.stores.values()):
        assert entry.source.startswith("https://") and entry.as_of.year >= 2026


def test_the_whole_table_can_be_said_anew(tmp_path: Path) -> None:
    import ogel.runtime.prices as package

    file = tmp_path / "prices.json"
    file.write_bytes((Path(package.__file__).parent / "prices.json").read_bytes())
    assert {**json.loads(file.read_text())}.keys() >= {"resources", "plans", "stores"}
    assert price_table(file).resources == PRICES.resources
