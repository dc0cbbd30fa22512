"""What roles of users may do to rows of objects by SQL: with bytes that are theirs, and no others."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from tests.support.world import World

BASE = "/storage/v1/object"
_POLICY = """
CREATE POLICY theirs ON storage.objects TO authenticated USING (bucket_id = 'theirs') WITH CHECK (bucket_id = 'theirs')
"""


def test_a_row_gets_at_no_other_objects_bytes(api: World, suite_servers: dict[str, str]) -> None:
    for bucket in ("theirs", "closed"):
        assert api("POST", "/api/storage/buckets", {"id": bucket}).status == 201
    assert api("POST", f"{BASE}/closed/secret", raw=b"secret").status == 200
    assert api("POST", f"{BASE}/theirs/own", raw=b"own").status == 200
    with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as database:
        database.execute(_POLICY)
        query = "SELECT version FROM storage.objects WHERE name = 'secret'"
        versions = database.execute(query).fetchall()
        database.execute("SET ROLE authenticated")
        insert = "INSERT INTO storage.objects (bucket_id, name, version) VALUES ('theirs', 'stolen', %s)"
        with pytest.raises(errors.UniqueViolation):
            database.execute(insert, versions[0])
        with pytest.raises(errors.UniqueViolation):
            database.execute("UPDATE storage.objects SET version = %s WHERE name = 'own'", versions[0])
        with pytest.raises(errors.InsufficientPrivilege):
            database.execute("SELECT ogel.storage_let_versions_go(%s)", [list(versions[0])])
        database.execute("SET ROLE NONE")
        # Nor where all that is Ogel's is in one schema, which the role may then use.
        database.execute("GRANT USAGE ON SCHEMA ogel TO authenticated; SET ROLE authenticated")
        with pytest.raises(errors.InsufficientPrivilege, match="storage_let_versions_go"):
            database.execute("SELECT ogel.storage_let_versions_go(%s)", [list(versions[0])])
    assert api("GET", f"{BASE}/authenticated/closed/secret").raw == b"secret"
    assert api("GET", f"{BASE}/authenticated/theirs/own").raw == b"own"
