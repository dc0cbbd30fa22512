"""Client libraries of Supabase Storage as npm and PyPI have them, against a suite that runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.golden.gotrue.clients.javascript import run
from tests.golden.storage.clients import javascript, python
from tests.golden.storage.clients.play import play
from tests.golden.storage.differences_clients import JAVASCRIPT, PYTHON
from tests.support import npm
from tests.support.markdown import ROOT, blocks, run_python
from tests.support.process import ADMIN_KEY, Ogel

ENVIRONMENT = {
    "OGEL_AUTH_AUTOCONFIRM": "yes",
    "OGEL_RATE_SIGN_IN": "off",
    "OGEL_RATE_WRITE": "off",
    "OGEL_RATE_READ": "off",
}
SCENARIO = Path(python.__file__).parent / "scenario.mjs"
# As Supabase's guide has them: everybody has a folder.
POLICIES = """
INSERT INTO storage.buckets (id, name) VALUES ('files', 'files');
CREATE POLICY own_folder ON storage.objects FOR ALL TO authenticated
  USING (bucket_id = 'files' AND (storage.foldername(name))[1] = (SELECT auth.uid()::text))
  WITH CHECK (bucket_id = 'files' AND (storage.foldername(name))[1] = (SELECT auth.uid()::text));
"""
PAGE = ROOT / "docs" / "supabase-storage.md"
# What a browser has, and node does not before version 22.
BESIDE = "globalThis.WebSocket ??= class {};\n"
needs_npm = npm.needs_npm("@supabase/storage-js")


@pytest.fixture(scope="module")
def anon_key(suite: Ogel) -> str:
    made = suite.api.ok("POST", "/api/keys", {"name": "web", "kind": "publishable"})
    return str(made["key"])


@pytest.fixture(autouse=True)
def database(suite: Ogel, suite_servers: dict[str, str]) -> Iterator[psycopg.Connection[Any]]:
    """Where nothing is stored yet."""
    with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("TRUNCATE storage.objects, storage.buckets CASCADE")
        yield connection


@needs_npm
def test_storage_js_gets_what_it_got(suite: Ogel, anon_key: str, supabase_js: Path) -> None:
    url = f"http://127.0.0.1:{suite.port}/storage/v1"
    report = play(JAVASCRIPT, javascript.results(supabase_js, url, anon_key, ADMIN_KEY))
    assert not report, "\n".join(report)


def test_storage3_gets_what_it_got(suite: Ogel, anon_key: str) -> None:
    url = f"http://127.0.0.1:{suite.port}/storage/v1"
    report = play(PYTHON, python.results(url, anon_key, ADMIN_KEY))
    assert not report, "\n".join(report)


@needs_npm
def test_people_keep_files_of_their_own(
    suite: Ogel, anon_key: str, supabase_js: Path, database: psycopg.Connection[Any]
) -> None:
    database.execute(POLICIES.encode())
    arguments = [f"http://127.0.0.1:{suite.port}", anon_key, ADMIN_KEY]
    begun = f"{BESIDE}process.argv.push(...{arguments!r});\n"
    shutil.copy(SCENARIO, supabase_js / "scenario.mjs")
    assert run(supabase_js, f'{begun}await import("./scenario.mjs");') == "done\n"


@needs_npm
def test_what_the_page_shows(
    suite: Ogel,
    anon_key: str,
    supabase_js: Path,
    database: psycopg.Connection[Any],
) -> None:
    person = {"email": "ada@example.com", "password": "correct horse battery", "email_confirm": True}
    suite.api.ok("POST", "/auth/v1/admin/users", person)
    instead = {
        "http://localhost:8080": f"http://127.0.0.1:{suite.port}",
        "ogel_publishable_…": anon_key,
        "ogel_…": ADMIN_KEY,
    }
    shown = {block.language: block.text for block in blocks(PAGE)}
    for here, there in instead.items():
        shown = {language: text.replace(here, there) for language, text in shown.items()}
    database.execute(shown["sql"].encode())
    assert run(supabase_js, BESIDE + shown["js"]) == "first day\n"
    assert run_python(shown["python"]) == "all is well\n"
