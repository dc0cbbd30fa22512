"""Railway's public API: documents in GraphQL, written from its published schema, beside what reads their answers."""

from ogel.adapters.railway.client import RailwayApi
from ogel.adapters.railway.transport import Token

__all__ = ["RailwayApi", "Token"]
