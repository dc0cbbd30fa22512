"""/openapi.json as users of TypeScript read it: linted by Redocly, made into clients that compile."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.process import Ogel

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        shutil.which("npm") is None, reason="npm is not installed: no TypeScript client is generated"
    ),
]
PACKAGES = [
    "@redocly/cli@2.77.0",
    "openapi-typescript@7.13.0",
    "@hey-api/openapi-ts@0.95.0",
    "typescript@5.9.3",
]
COMPILE = {
    "compilerOptions": {
        "strict": True,
        "noEmit": True,
        "module": "nodenext",
        "target": "es2022",
        "skipLibCheck": True,
    },
    "include": ["out/**/*.ts", "call.ts"],
}
# Against the generated types: a wrong one would not compile.
CALL = """
import { postEvents, getEventsId, getRealtimeSse } from "./out/client/index.js";
import type { paths } from "./out/types.js";

const body: paths["/api/events"]["post"]["requestBody"]["content"]["application/json"] =
  { type: "order.created", data: { total: 42 } };
export const made = await postEvents({ body });
export const found = await getEventsId({ path: { id: "order-1" } });
export const type: string | undefined = found.data?.type;
export const stream = await getRealtimeSse({ query: { events: "order.*" } });
"""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exact versions, in a directory of their own."""
    directory = tmp_path_factory.mktemp("npm")
    (directory / "package.json").write_text('{"type": "module", "private": true}')
    run(
        directory,
        "npm",
        "install",
        "--no-save",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        *PACKAGES,
    )
    return directory


def run(directory: Path, *command: str) -> None:
    finished = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, f"{' '.join(command)}\n{finished.stdout}{finished.stderr}"


def test_typescript_users_can_read_it(tools: Path, suite: Ogel) -> None:
    (tools / "openapi.json").write_text(json.dumps(suite.api.ok("GET", "/openapi.json")))
    (tools / "tsconfig.json").write_text(json.dumps(COMPILE))
    (tools / "call.ts").write_text(CALL)
    for tool, *arguments in (
        ("redocly", "lint", "--extends", "spec", "openapi.json"),
        ("openapi-typescript", "openapi.json", "-o", "out/types.d.ts"),
        ("openapi-ts", "-i", "openapi.json", "-o", "out/client", "-c", "@hey-api/client-fetch"),
        ("tsc", "-p", "."),
    ):
        run(tools, str(tools / "node_modules" / ".bin" / tool), *arguments)
