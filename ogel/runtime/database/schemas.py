"""
The schemas of the database that Ogel keeps its tables in. `public` is none of them: it belongs to the users.

Queries name tables without their schema, and connections are told where to look for them, by `SEARCH_PATH` and nothing
else. It leaves `public` out, so that nobody's table or function can stand in for one of ours.
"""

from __future__ import annotations

OWN = "ogel"
SEARCH_PATH = OWN
# Reserved for accounts and for stored objects. Tables there are named with their schema.
RESERVED = ("auth", "storage")
SCHEMAS = (OWN, *RESERVED)


def leads_to_tables(search_path: str) -> bool:
    """Of a connection, as it shows it: ours comes first."""
    return search_path.split(",")[0].strip(' "') == OWN
