"""Recovery codes: what is made, and how it may be typed."""

from __future__ import annotations

from ogel.features.accounts.factors.recovery_codes import hash_of, new_codes, normal
from ogel.features.accounts.factors.tries import lock_seconds


def test_ten_different_ones_that_people_can_read() -> None:
    codes = new_codes()
    assert len(set(codes)) == 10
    for code in codes:
        assert len(code) == 16 and not set(code) & set("ilou")
        assert normal(code) == code


def test_case_spaces_hyphens_and_look_alikes_do_not_matter() -> None:
    assert normal(" 2H8K-QW3M 7xt4\n9rpO ") == "2h8kqw3m7xt49rp0"
    assert normal("Il0O") == "1100"
    assert normal("- -") == ""
    assert hash_of(normal("\ud800")) != hash_of("")  # no surrogate makes it fail


def test_locks_grow_and_end() -> None:
    assert [lock_seconds(tries) for tries in range(11)] == [0, 0, 0, 0, 0, 60, 0, 0, 0, 0, 120]
    assert lock_seconds(15) == 240
    assert lock_seconds(5_000_000) == 6 * 3600
