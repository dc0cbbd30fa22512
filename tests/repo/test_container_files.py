"""The Dockerfile and docker-compose.yml: linted, schema-checked, and true to what is promised of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def run_tool(name: str, *arguments: str) -> None:
    beside_python = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join([beside_python, os.environ.get("PATH", "")]))
    if found is None:
        pytest.skip(f"{name} is not installed, so its check did not run: pip install -e '.[test]'")
    result = subprocess.run([found, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, rest of its logical line)."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    logical = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in logical) if word]


def final_stage() -> dict[str, str]:
    """The last instruction of each kind after the last FROM."""
    everything = instructions()
    start = max(i for i, (word, _) in enumerate(everything) if word == "FROM")
    return dict(everything[start:])


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def ogel_services() -> dict[str, Any]:
    return {name: service for name, service in compose()["services"].items() if "build" in service}


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def test_the_dockerfile_has_no_lint() -> None:
    run_tool("hadolint", "Dockerfile")


def test_the_compose_file_fits_its_schema() -> None:
    run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_the_image_declares_no_volume() -> None:
    """Railway refuses to build a Dockerfile that does."""
    assert "VOLUME" not in {word for word, _ in instructions()}


def test_the_image_runs_one_process_as_nobody_special() -> None:
    stage = final_stage()
    assert stage["USER"] == "10001:10001"
    assert json.loads(stage["ENTRYPOINT"]) == ["ogel"]
    assert json.loads(stage["CMD"]) == ["up"]


def test_the_final_stage_installs_nothing() -> None:
    start = max(i for i, (word, _) in enumerate(instructions()) if word == "FROM")
    commands = " ".join(rest for word, rest in instructions()[start:] if word == "RUN")
    assert not re.search(r"\b(pip|apt-get|apk|gcc|make)\b", commands)


def test_every_package_is_pinned_by_hash() -> None:
    installs = [
        step
        for word, rest in instructions()
        if word == "RUN"
        for step in rest.split("&&")
        if re.search(r"\bpip\b.* (install|wheel) ", step)
    ]
    assert installs
    for step in installs:
        assert "--require-hashes" in step or "--no-deps" in step, step


def test_the_build_context_holds_what_the_dockerfile_copies_and_no_more() -> None:
    rules = (ROOT / ".dockerignore").read_text().split("\n")
    allowed = {line[1:] for line in rules if line.startswith("!")}
    copied = {
        name
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
        for name in rest.split()[:-1]
    }
    assert "*" in rules
    assert allowed == copied
    for name in copied:
        assert (ROOT / name).exists(), f"the Dockerfile copies {name}"


def test_health_checks_have_one_word_arguments() -> None:
    """Some engines split an argument at its spaces, and the check then fails for no visible reason."""
    checks = [json.loads(final_stage()["HEALTHCHECK"].partition("CMD ")[2])]
    for name, service in compose()["services"].items():
        check = service.get("healthcheck")
        if "build" not in service:
            assert check is not None, f"{name} has no health check"
        if check is not None and not check.get("disable"):
            assert check["test"][0] == "CMD"
            checks.append(check["test"])
    assert not [argument for check in checks for argument in check if re.search(r"\s", argument)]


def test_only_the_public_services_publish_ports() -> None:
    publishing = {name for name, service in compose()["services"].items() if "ports" in service}
    assert publishing == {"api", "realtime"}


def test_no_secret_has_a_default() -> None:
    for service in ogel_services().values():
        for name in ("OGEL_ADMIN_KEY", "OGEL_SECRET"):
            assert service["environment"][name].startswith(f"${{{name}:?")


@pytest.mark.parametrize("name", sorted(ogel_services()))
def test_a_service_is_confined_and_may_finish(name: str) -> None:
    service = ogel_services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert seconds(service["stop_grace_period"]) > int(service["environment"]["OGEL_DRAIN_SECONDS"])


def test_everything_but_migrate_waits_for_the_migrations() -> None:
    for name, service in ogel_services().items():
        waits = service["depends_on"]
        assert waits["postgres"]["condition"] == "service_healthy"
        if name != "migrate":
            assert waits["migrate"]["condition"] == "service_completed_successfully"


def test_what_ogel_does_not_need_waits_to_be_asked_for() -> None:
    profiles = {name: service.get("profiles") for name, service in compose()["services"].items()}
    assert {name for name, asked in profiles.items() if asked == [name]} == {"mongo", "minio", "prometheus"}


def test_other_peoples_images_are_pinned_to_a_version() -> None:
    images = [service["image"] for service in compose()["services"].values() if "build" not in service]
    assert not [image for image in images if not re.search(r":v?[A-Z]*\.?\d", image)]
