"""
The database schemas that hold Ogel's tables. `public` is not one of them: it belongs to the users.

Queries name tables without a schema; only `SEARCH_PATH` tells connections where to look. It leaves `public` out, so
that nobody's table or function can take the place of ours.
"""

from __future__ import annotations

OWN = "ogel"
# Accounts stand in `auth`, where clients of Supabase expect them; where that is somebody else's, in `ogel_auth`, which
# is looked at first.
SEARCH_PATH = "ogel,ogel_auth,auth,ogel_storage,storage"
# Those besides our own that are ours if Ogel made them.
RESERVED = ("auth", "ogel_auth", "storage", "ogel_storage")
SCHEMAS = (OWN, *RESERVED)


def leads_to_tables(search_path: str) -> bool:
    """Whether a connection's search_path, as the server shows it, begins with our schema."""
    return search_path.split(",")[0].strip(' "') == OWN
