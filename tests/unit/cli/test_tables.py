"""Tables on terminals of every width, with what others wrote in them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from operator import itemgetter
from typing import Any
from unittest import mock

import pytest
import wcwidth

from ogel.cli.tables import Column, Table, cut, show_fields, show_parts

ID = "dlv_01k3m8z2v9t4q7w1x5y6b0c2d3"
URL = "https://hooks.customer.example/tenants/0198a1f2/inbound/orders/v2?signature=none&region=eu-central-1"
COLUMNS = [
    Column("id"),
    Column("status"),
    Column("attempts", right=True),
    Column("url", gives=True),
    Column("event type", gives=True),
    Column("created"),
]
WRITINGS = [
    URL,
    "注文.作成." * 9,
    "👩‍💻👨‍👩‍👧‍👦🇩🇪" * 12,
    "سفارش‌ها و پرداخت‌ها " * 5,  # noqa: RUF001
    "e\u0301" * 90,
    "\x1b[31mred\x1b[0m \u202eturned\r\n" * 4,
    "한국어 텍스트 " * 8,
    "x",
    "",
]


@pytest.fixture(params=[20, 40, 80, 200])
def width(request: pytest.FixtureRequest) -> object:
    with mock.patch("ogel.cli.tables.terminal_width", return_value=request.param):
        yield request.param


def _show_table(columns: Sequence[Column[Any]], rows: Sequence[Sequence[object]], empty: str) -> None:
    Table(empty, [column._replace(of=itemgetter(place)) for place, column in enumerate(columns)]).show(rows)


@pytest.mark.parametrize("writing", WRITINGS)
def test_no_line_is_wider_than_the_terminal(
    width: int, writing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _show_table(COLUMNS, [(ID, "delivered", 3, URL, writing, "5 min ago")] * 3, empty="none")
    show_fields([("id", ID), ("url", URL), ("what it said", writing)])
    show_parts(["delivered", "2026-11-28 12:07:32Z", ID, writing])
    out = capsys.readouterr().out
    assert all(wcwidth.width(line) <= width for line in out.splitlines()), out
    assert all(letter.isprintable() or letter in "\n\u200c\u200d" for letter in out)


@pytest.mark.parametrize("writing", WRITINGS)
def test_what_is_piped_is_whole_and_aligned(writing: str, capsys: pytest.CaptureFixture[str]) -> None:
    _show_table(
        COLUMNS,
        [(ID, "delivered", 3, URL, writing, "now"), (ID, "failed", 10, "-", "x", "now")],
        empty="none",
    )
    header, *lines = capsys.readouterr().out.splitlines()
    assert URL in lines[0] and "…" not in lines[0]
    places = {wcwidth.width(line[: line.rindex("now")]) for line in lines}
    assert places == {wcwidth.width(header[: header.index("CREATED")])}


def test_what_does_not_fit_is_a_card_with_everything(capsys: pytest.CaptureFixture[str]) -> None:
    columns = [Column("id"), Column("event"), Column("event type", gives=True), Column("next attempt")]
    with mock.patch("ogel.cli.tables.terminal_width", return_value=72):
        _show_table(
            columns, [(ID, ID, "order.created", "in 5 min"), (ID, ID, "order.paid", None)], empty="none"
        )
    assert capsys.readouterr().out.splitlines() == [
        ID,
        f"  event         {ID}",
        "  event type    order.created",
        "  next attempt  in 5 min",
        "",
        ID,
        f"  event       {ID}",
        "  event type  order.paid",
    ]


def test_an_id_stays_whole_on_forty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    with mock.patch("ogel.cli.tables.terminal_width", return_value=40):
        _show_table(
            [Column("id"), Column("next attempt"), Column("event")], [(ID, "in 5 min", ID)], empty="none"
        )
    assert capsys.readouterr().out.splitlines() == [
        ID,
        "  next attempt  in 5 min",
        "  event",
        f"    {ID}",
    ]


@pytest.mark.parametrize("width", range(3, 60))
def test_of_an_address_the_middle_goes(width: int) -> None:
    shown = cut(URL, width)
    assert wcwidth.width(shown) == width
    begin, end = shown.split("…")
    assert URL.startswith(begin) and URL.endswith(end)
    assert len(end) == (width - 1) // 3


def test_half_a_wide_letter_is_never_shown() -> None:
    for text, width in itertools.product(["注文作成", "👩‍💻👩‍💻👩‍💻", "한국어텍스트"], range(1, 9)):
        assert wcwidth.width(cut(text, width)) <= width


def test_joined_letters_and_wide_spaces_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show_parts(
        ["注文\u3000作成", "می‌خواهم", "👩‍💻", "admin\u200d", "a\u200cb", "\u2067x", "\x9b31m", "\ud800"]
    )
    assert capsys.readouterr().out == (
        "注文\u3000作成  می‌خواهم  👩‍💻  admin\\u200d  a\\u200cb  \\u2067x  \\x9b31m  \\ud800\n"
    )
