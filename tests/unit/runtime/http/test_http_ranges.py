"""Whatever ranges are asked for, each byte of them is sent once, and no other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ogel.runtime.http.ranges import Validators, wanted_ranges

SIZES = st.integers(0, 60)
NUMBERS = st.integers(0, 70)
SPECS = st.lists(
    st.one_of(
        st.tuples(NUMBERS, NUMBERS).map(lambda pair: f"{min(pair)}-{max(pair)}"),
        NUMBERS.map("{}-".format),
        NUMBERS.map("-{}".format),
    ),
    min_size=1,
    max_size=12,
)


def bytes_of(spec: str, size: int) -> set[int]:
    first, _, last = spec.partition("-")
    if not first:
        return set(range(max(0, size - int(last)), size))
    return set(range(int(first), min(size, int(last) + 1) if last else size))


@given(SPECS, SIZES)
def test_each_byte_is_sent_once(specs: list[str], size: int) -> None:
    asked = set().union(*(bytes_of(spec, size) for spec in specs))
    found = wanted_ranges({b"range": f"bytes={', '.join(specs)}".encode()}, Validators(), size)
    if found == "unsatisfiable":
        assert not asked
        return
    if found is None:  # too many, or the last bytes of nothing
        assert len(specs) > 8 or size == 0
        return
    sent = [at for first, end in found for at in range(first, end)]
    assert len(sent) == len(set(sent))
    assert set(sent) == asked
    assert len(found) <= 8


@given(st.text("0123456789-,= \t\x00xé", max_size=30))
def test_what_is_no_range_is_no_error(text: str) -> None:
    for asked in (text, f"bytes={text}", f"bytes=0-1,{text}"):
        wanted_ranges({b"range": asked.encode("latin-1", "replace")}, Validators(), 10)
