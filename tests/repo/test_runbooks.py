"""Alerts, runbooks and the rules of Prometheus belong together: nobody is woken without a page that says what to do."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from ogel.environ import read_settings
from ogel.features.observability.resources.sample import NAMES
from ogel.features.observability.slo import alerts
from ogel.platform.platform import Platform
from ogel.runtime.alerts import RUNBOOKS, AlertRule
from ogel.settings import NOWHERE
from tests.support.markdown import ROOT, blocks

PAGES = {path.name for path in (ROOT / RUNBOOKS).glob("*.md")} - {"README.md"}
SECTIONS = [
    "First minute",
    "How you know",
    "What it means for users",
    "Look",
    "Mend",
    "Is it mended?",
    "Afterwards",
]
# Lines of a terminal: what is read before anything is typed.
SCREEN = 40
PROMETHEUS = ROOT / "docker" / "prometheus"
# Samples that /metrics shows under another name (SHOWN_ELSEWHERE).
METRICS = {
    "network.public_hops": "ogel_public_hops",
    "queue.jobs": "ogel_cluster_queue_jobs",
    "webhooks.breakers": "ogel_cluster_webhook_breakers",
    "process.memory_bytes": 'process_resident_memory_bytes{job="ogel"}',
}
BURNS = {each.name: each for each in alerts.BURNS}
# A process is known to Prometheus by where it was scraped.
SUBJECTS = {"process": "instance"}


def alert_rules() -> Sequence[AlertRule]:
    return [rule for feature in Platform(NOWHERE).features.all() for rule in feature.alerts]


def prometheus_alerts(group: str) -> dict[str, Any]:
    groups = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    [rules] = [each["rules"] for each in groups if each["name"] == group]
    return {rule["alert"]: rule for rule in rules}


@pytest.mark.parametrize("rule", alert_rules(), ids=lambda rule: rule.name)
def test_an_alert_has_a_page_which_names_it(rule: AlertRule) -> None:
    name = re.sub(r"_[0-9]+$", "_…", rule.name)  # one for each of the thresholds that somebody sets
    assert f"`{name}`" in (ROOT / rule.page).read_text()
    assert f"`{name}`" in (ROOT / RUNBOOKS / "README.md").read_text()
    # Where users read of alerts, its row leads there.
    alerts = (ROOT / "docs" / "stats.md").read_text()
    [row] = re.findall(rf"^\|.*`{re.escape(name)}`.*$", alerts, re.MULTILINE)
    assert f"(runbooks/{rule.runbook})" in row


def test_every_page_is_found_from_the_index() -> None:
    linked = set(re.findall(r"\]\(([a-z-]+\.md)\)", (ROOT / RUNBOOKS / "README.md").read_text()))
    assert linked == PAGES


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_page_can_be_used_at_night(page: str) -> None:
    text = (ROOT / RUNBOOKS / page).read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert len(text.partition("## How you know")[0].splitlines()) <= SCREEN
    for linked in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert (ROOT / RUNBOOKS / linked).exists(), linked


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_page_is_followed_by_a_test(page: str) -> None:
    assert any(block.commands for block in blocks(ROOT / RUNBOOKS / page))
    tests = [path.read_text() for path in (ROOT / "tests" / "e2e").glob("test_runbooks_*.py")]
    assert any(f'follow("{page}"' in text for text in tests)


def test_settings_that_pages_set_can_be_read() -> None:
    typed = [each for page in PAGES for block in blocks(ROOT / RUNBOOKS / page) for each in block.commands]
    given = [
        found.groups() for each in typed for found in re.finditer(r"variable set '?([A-Z_]+)=([^' ]+)", each)
    ]
    assert given
    for name, value in given:
        if "${{" not in value:
            assert read_settings({name: value}).sources


def test_every_page_that_the_program_names_exists() -> None:
    named = set()
    for path in (ROOT / "ogel").rglob("*.py"):
        named |= set(re.findall(r'"([a-z-]+\.md)"', path.read_text()))
    assert named
    assert named <= PAGES


@pytest.mark.parametrize("rule", alert_rules(), ids=lambda rule: rule.name)
def test_prometheus_raises_what_ogel_raises(rule: AlertRule) -> None:
    if rule.sample not in NAMES and rule.sample not in BURNS:
        pytest.skip(f"/metrics does not show {rule.sample}")
    raised = prometheus_alerts("ogel.alerts")[rule.name]
    assert raised["expr"] == _expression(rule)
    assert raised["labels"] == {"level": rule.level}
    # Two checks in a row, a minute apart, raise it and clear it.
    assert (raised["for"], raised["keep_firing_for"]) == ("1m", "1m")
    assert raised["annotations"]["runbook_url"] == rule.page


def _expression(rule: AlertRule) -> str:
    over = f"{'<' if rule.below else '>'} {rule.threshold:.15g}"
    if burn := BURNS.get(rule.sample):
        rate = 'max by (objective) (ogel_cluster_slo_burn_rate{objective!~"egress|queue[.].*",window="%s"})'
        return " and ".join(f"{rate % window} {over}" for window in (burn.long, burn.short))
    metric = METRICS.get(rule.sample, f"ogel_cluster_{rule.sample.replace('.', '_')}")
    labels = ",".join(f'{name}="{value}"' for name, value in rule.labels.items())
    by = f" by ({SUBJECTS.get(rule.subject, rule.subject)}) " if rule.subject else ""
    selector = f"{metric}{{{labels}}}" if labels else metric
    return f"max{by}({selector}) {over}"


def test_prometheus_raises_nothing_that_nobody_knows_of() -> None:
    assert set(prometheus_alerts("ogel.alerts")) <= {rule.name for rule in alert_rules()}
    outside = prometheus_alerts("ogel.from_outside")
    index = (ROOT / RUNBOOKS / "README.md").read_text()
    for name, rule in outside.items():
        assert f"`{name}`" in index
        assert (ROOT / rule["annotations"]["runbook_url"]).exists()
    tested = (PROMETHEUS / "rules_test.yml").read_text()
    for name in (*prometheus_alerts("ogel.alerts"), *outside):
        assert f"alertname: {name}\n" in tested


def test_prometheus_of_compose_has_the_rules() -> None:
    mounted = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["prometheus"]["volumes"]
    [named] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["rule_files"]
    assert f"./docker/prometheus/{named}:/etc/prometheus/{named}:ro" in mounted


def test_promtool_accepts_the_rules_and_their_tests() -> None:
    """Debian: `apt-get install --no-install-recommends prometheus`, which brings promtool; nothing has to run."""
    if shutil.which("promtool") is None:
        pytest.skip(
            "NOT TESTED: promtool is not installed, so nobody knows whether Prometheus takes its rules"
        )
    _promtool("check", "rules", "rules.yml")
    _promtool("test", "rules", "rules_test.yml")
    _promtool("check", "config", "--syntax-only", "prometheus.yml")


def _promtool(*arguments: str) -> None:
    ended = subprocess.run(
        ["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
