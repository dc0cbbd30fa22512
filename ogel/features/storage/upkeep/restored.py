"""What becomes of blobs in a restored database."""

from __future__ import annotations

from ogel.runtime.database.database import Queries

RESTORED = Queries.beside(__name__).restored
