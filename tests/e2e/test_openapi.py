"""/openapi.json as others read it: validators and client generators that are not ours, and everybody's eyes."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from ogel.platform.platform import Platform
from ogel.settings import NOWHERE
from tests.support.exchanges import EXAMPLES
from tests.support.process import ADMIN_KEY, Client, Ogel

# Its answer is the document itself.
WITHOUT_EXAMPLE = {"get_openapi_json"}


@pytest.fixture(scope="module")
def document(suite: Ogel) -> Any:
    return suite.api.ok("GET", "/openapi.json")


@pytest.fixture(scope="module")
def stored(document: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    path.write_bytes(msgspec.json.encode(document))
    return path


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_validators_accept_it(document: Any) -> None:
    validate(document)
    import schemathesis  # takes long, which all who collect tests would wait for

    schemathesis.openapi.from_dict(document).validate()


def test_it_is_whole(document: Any) -> None:
    routes = {(route.method, route.path) for _, route in Platform(NOWHERE).routes(everything=True)}
    beside = {
        "/openapi.json",
        "/health/live",
        "/health/ready",
        "/api/health",
        "/api/me",
        "/realtime/sse",
        "/realtime/websocket",
    }
    documented = {(method, path) for method, path, _ in operations(document)}
    assert documented == routes | {("GET", path) for path in beside}
    socket = document["paths"]["/realtime/websocket"]["get"]
    assert [frame["type"] for frame in socket["responses"]["101"]["x-messages"]] == ["ready", "event"]
    assert set(socket["responses"]) == {"101", "401", "403", "422", "429", "503", "default"}
    assert socket["security"] == [{"bearer": ["realtime:read"]}, {"key": ["realtime:read"]}]


def test_ids_are_unique_and_stay(document: Any) -> None:
    """Generated clients name their functions after them."""
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert set(ids) - WITHOUT_EXAMPLE == set(EXAMPLES)


def test_no_name_is_one_of_our_modules(document: Any) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", name)
        assert schema["title"] == name


def test_every_operation_shows_what_goes_in_and_comes_out(document: Any) -> None:
    for method, path, operation in operations(document):
        if operation["operationId"] in WITHOUT_EXAMPLE:
            continue
        where = f"{method} {path}: `make examples`"
        for parameter in operation["parameters"]:
            if "example" in parameter:
                assert_valid(document, parameter["schema"], parameter["example"], where)
            assert "example" in parameter or parameter["in"] != "path", where
        contents = [operation["requestBody"]["content"]] if "requestBody" in operation else []
        answers = [answer for status, answer in operation["responses"].items() if status[0] == "2"]
        contents += [answer["content"] for answer in answers if "content" in answer]
        for content in contents:
            for media_type, shown in content.items():
                if media_type == "multipart/form-data":  # files, which are no JSON
                    continue
                assert shown.get("example"), where
                assert_valid(document, shown["schema"], shown["example"], where)


def assert_valid(document: Any, schema: Any, value: Any, where: str) -> None:
    errors = list(Draft202012Validator({**schema, "components": document["components"]}).iter_errors(value))
    assert errors == [], (where, value)


def test_a_generated_client_works(stored: Path, suite: Ogel, tmp_path: Path) -> None:
    """openapi-python-client: it leaves out, with a warning, what it does not understand. It knows no lines of JSON."""
    document = json.loads(stored.read_text())
    for path in ("/api/audit-logs/export", "/api/audit-logs/verification"):
        del document["paths"][path]
    known = tmp_path / "known.json"
    known.write_text(json.dumps(document))
    settings = tmp_path / "settings.yaml"
    settings.write_text("post_hooks: []\n")
    said = run(
        "openapi_python_client", "generate", "--path", known, "--output-path", tmp_path / "ogel_client",
        "--meta", "none", "--config", settings, "--fail-on-warning",
    )  # fmt: skip
    assert "warning" not in said.lower(), said
    generated = imported(tmp_path / "ogel_client" / "__init__.py", "ogel_client")
    create = importlib.import_module("ogel_client.api.webhooks.post_webhooks")
    get = importlib.import_module("ogel_client.api.webhooks.get_webhooks_id")
    models = importlib.import_module("ogel_client.models")
    new = models.NewEndpoint(url="http://127.0.0.1:1/generated", events=["a.*"])
    with generated.AuthenticatedClient(f"http://127.0.0.1:{suite.port}", token=ADMIN_KEY) as client:
        made = create.sync(client=client, body=new)
        assert made.secret.startswith("whsec_")
        assert get.sync(made.id, client=client).url == new.url
        refused = get.sync_detailed("wh_nobodys", client=client)
        assert (refused.status_code, refused.parsed.title) == (404, "Not found")


def test_generated_models_take_the_examples(stored: Path, tmp_path: Path) -> None:
    """datamodel-code-generator."""
    output = tmp_path / "ogel_models.py"
    run(
        "datamodel_code_generator", "--input", stored, "--input-file-type", "openapi", "--output", output,
        "--output-model-type", "pydantic_v2.BaseModel", "--formatters", "builtin",
    )  # fmt: skip
    models = imported(output, "ogel_models")
    delivery = models.DeliveryWithAttempts.model_validate(EXAMPLES["get_deliveries_id"].answers["200"])
    assert delivery.log[0].number == 1
    page = models.JobInfoPage.model_validate(EXAMPLES["get_jobs"].answers["200"])
    assert page.items[0].kind == "webhooks.deliver"


def imported(file: Path, name: str) -> ModuleType:
    spec = spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def run(module: str, *arguments: str | Path) -> str:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


def test_the_stream_needs_no_key_as_a_parameter(document: Any, api: Client) -> None:
    """It is a way to authenticate, so that generated clients do not ask for it at each call."""
    assert document["components"]["securitySchemes"]["key"] == {
        "type": "apiKey",
        "in": "query",
        "name": "key",
    }
    parameters = document["paths"]["/realtime/sse"]["get"]["parameters"]
    assert {each["name"] for each in parameters} == {"events", "channels", "since"}
    assert api("GET", "/realtime/sse?events=%20", key="").status == 401
