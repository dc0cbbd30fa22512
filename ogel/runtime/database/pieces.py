"""Builds one statement out of pieces that do not know each other, so that all of them are written in one round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Piece(NamedTuple):
    """
    name        of a query of a WITH clause; other pieces refer to it.
    parameters  called like no other piece's: after what it writes.
    says        a SELECT of two texts from it, which are among the rows of the statement: a word, and what it is about.
    """

    name: str
    sql: bytes
    parameters: Mapping[str, Any]
    says: bytes | None = None


def asking(
    pieces: Sequence[Piece], question: bytes, parameters: Mapping[str, Any]
) -> tuple[bytes, dict[str, Any]]:
    """Returns the statement and parameters of a SELECT that refers to pieces."""
    return together([*pieces, Piece("asked", question, parameters, says=b"SELECT * FROM asked")])


def together(pieces: Sequence[Piece]) -> tuple[bytes, dict[str, Any]]:
    """Returns the statement and parameters of all pieces. Each sees the database as it was before any of them wrote."""
    queries = b",\n".join(b"%b AS (\n%b\n)" % (piece.name.encode(), piece.sql) for piece in pieces)
    said = b"\nUNION ALL\n".join(piece.says for piece in pieces if piece.says is not None)
    parameters = {name: value for piece in pieces for name, value in piece.parameters.items()}
    return b"WITH %b\n%b" % (queries, said), parameters
