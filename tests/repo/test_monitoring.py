"""What watches ganger knows its metrics: the mapping covers all of them, and rules and dashboard name only
what the mapping makes."""

import json
import re

import pytest

from support.sources import ROOT

MONITORING = ROOT / "docs/monitoring"
METRIC = re.compile(r"^\| `([a-z_]+(?:\.(?:<[a-z]+>|[a-z_]+))+)` \|", flags=re.MULTILINE)
NAMES = METRIC.findall((ROOT / "docs/metrics.md").read_text())
RULE = re.compile(
    r"^- match: (?P<match>\S+)\n  name: (?P<name>\w+)\n(?:  ttl: \w+\n)?"
    r"(?:  labels:\n(?P<labels>(?:    \w+: \S+\n)+))?",
    flags=re.MULTILINE,
)
MAPPING = (MONITORING / "statsd_exporter.yml").read_text()
RULES = [rule.groupdict() for rule in RULE.finditer(MAPPING)]
QUERY_NAME = re.compile(r"\bganger_\w+")


def timers() -> set[str]:
    """Their section of the page."""
    page = (ROOT / "docs/metrics.md").read_text()
    return set(METRIC.findall(page.partition("\n## Timers")[2].partition("\n## ")[0]))


def mapped(metric: str) -> dict[str, str] | None:
    """The rule for a name as statsd gets it; the most exact one, as the exporter chooses."""
    sent = re.sub(r"<[a-z]+>", "x", f"ganger.{metric}")
    found = [rule for rule in RULES if re.fullmatch(re.escape(rule["match"]).replace(r"\*", "[^.]+"), sent)]
    return min(found, key=lambda rule: rule["match"].count("*"), default=None)


def made() -> set[str]:
    """Every name that Prometheus can see."""
    histograms = {rule["name"] for metric in timers() if (rule := mapped(metric))}
    parts = {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}
    return parts | {rule["name"] for rule in RULES} - histograms


def test_there_are_rules() -> None:
    assert len(RULES) == MAPPING.count("- match:") and NAMES


@pytest.mark.parametrize("metric", NAMES)
def test_every_metric_is_mapped(metric: str) -> None:
    """Add a rule to docs/monitoring/statsd_exporter.yml for a new one."""
    rule = mapped(metric)
    assert rule, metric
    kind = "_seconds" if metric in timers() else ""
    assert rule["name"].endswith(kind)
    # What varies in the name is a label, not lost.
    labels = re.findall(r"\$(\d)", rule["labels"] or "")
    assert sorted(labels) == [str(number + 1) for number in range(rule["match"].count("*"))]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["match"]))
def test_no_rule_is_of_something_else(rule: dict[str, str]) -> None:
    assert any(mapped(metric) == rule for metric in NAMES)


def test_the_dashboard_shows_what_there_is() -> None:
    board = json.loads((MONITORING / "grafana.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert queries and {panel["type"] for panel in board["panels"]} <= {"stat", "timeseries", "table"}
    used = {name for query in queries for name in QUERY_NAME.findall(query)}
    assert not used - made()
    # All that is counted is on it.
    assert not {rule["name"] for rule in RULES} - {re.sub("_(bucket|sum|count)$", "", name) for name in used}
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("what", ["event", "cause", "state", "reason"])
def test_labels_that_are_asked_for_have_such_values(what: str) -> None:
    """event="dead" is asked for only while there is a jobs.dead or the like."""
    text = (MONITORING / "alerts.yml").read_text() + (MONITORING / "grafana.json").read_text().replace(
        "\\", ""
    )
    asked = {value for group in re.findall(rf'{what}=~?"([^"]+)"', text) for value in group.split("|")}
    assert not asked - {metric.rpartition(".")[2] for metric in NAMES}


def test_every_alert_leads_to_what_to_do() -> None:
    text = (MONITORING / "alerts.yml").read_text()
    alerts = re.findall(r"- alert: (\w+)\n    expr: (.+)\n", text)
    assert len(alerts) == text.count("- alert:") == text.count("      runbook: ")
    assert not {name for _, expression in alerts for name in QUERY_NAME.findall(expression)} - made()
    pages = {path: (ROOT / path).read_text() for path in re.findall(r"runbook: (\S+)#", text)}
    for path, anchor in re.findall(r"runbook: (\S+)#(\S+)", text):
        heads = re.findall(r"^## (.+)$", pages[path], flags=re.MULTILINE)
        assert anchor in {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}, anchor
    for name, _ in alerts:
        assert f"`{name}`" in "".join(pages.values()), name
