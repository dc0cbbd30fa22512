"""
The two ends of the chain, sealed under OGEL_SECRET: the anchor (the last purged record) and the head (the last sealed
one).
"""

from __future__ import annotations

from typing import Literal

from ogel.features.audit.chain import START, End
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.secrets.vault import Unsealable, Vault

_SQL = Queries.beside(__name__)

EndName = Literal["anchor", "head"]


class EndChanged(Exception):
    """An end of the chain was changed outside of Ogel, or sealed under an OGEL_SECRET that is not known here."""


def end_purpose(name: str) -> str:
    return f"audit chain {name}"


class Ends:
    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def read(self, tx: Transaction, name: EndName) -> End:
        """Raises EndChanged."""
        rows = await tx.tuples(_SQL.read_end, {"name": name})
        return self._opened(name, *rows[0]) if rows else START

    async def hold(self, tx: Transaction, name: EndName) -> End:
        """Locks this end until the transaction commits. Raises EndChanged."""
        parameters = {"name": name, "seq": 0, "hash": START.hash, "sealed": self._sealed(name, START)}
        await tx.execute(_SQL.begin_end, parameters)
        [row] = await tx.tuples(_SQL.hold_end, {"name": name})
        return self._opened(name, *row)

    async def move(self, tx: Transaction, name: EndName, end: End) -> None:
        sealed = self._sealed(name, end)
        await tx.execute(_SQL.move_end, {"name": name, "seq": end.seq, "hash": end.hash, "sealed": sealed})

    def _sealed(self, name: EndName, end: End) -> bytes:
        return self._vault.seal(end.seq.to_bytes(8, "big") + end.hash, end_purpose(name))

    def _opened(self, name: EndName, seq: int, hash: bytes, sealed: bytes) -> End:
        shown = End(seq, bytes(hash))
        try:
            plain = self._vault.unseal(bytes(sealed), end_purpose(name))
        except Unsealable as error:
            raise EndChanged(f"The {name} of the audit chain cannot be opened: it was {error}.") from error
        if End(int.from_bytes(plain[:8], "big"), plain[8:]) != shown:
            raise EndChanged(f"The {name} of the audit chain is not what was sealed.")
        return shown
