"""What may be said of rules, and what is said of what may not."""

from __future__ import annotations

from typing import Any

import pytest

from otel_trading.provisioning import Burn, Case, Group, Recording, Rule, Slo
from otel_trading.provisioning.rules import durations
from otel_trading.provisioning.rules.scaling import scaled, scaled_duration

RULE: dict[str, Any] = {"name": "QueueLong", "expr": "queue > 9", "severity": "warning", "summary": "It is long."}
SLO: dict[str, Any] = {"name": "quotes", "objective": 99, "errors": "rate(e[$window])", "total": "rate(t[$window])"}


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("name", "queue_long", "words with capitals"),
        ("severity", "loud", "critical, warning or info"),
        ("severity", "none", "critical, warning or info"),
        ("expr", "", "an expression without"),
        ("expr", "rate(x[$__rate_interval])", "an expression without"),
        ("summary", "two\nlines", "one line"),
        ("description", "{{ $value }}", "text without placeholders"),
        ("for_", "soon", "a duration such as 30s"),
        ("keep_firing_for", "5", "a duration such as 30s"),
        ("panel", "queue", "a slug together with a dashboard"),
        ("labels", {"severity": "critical"}, "severity has a field of its own"),
        ("labels", {"not-a-label": "x"}, "letters, digits and _"),
    ],
)
def test_a_rule_says_what_it_does_not_take(field: str, value: Any, allowed: str) -> None:
    """The message names the rule, the field, its value, and what is allowed."""
    with pytest.raises(ValueError, match=allowed) as error:
        Rule(**{**RULE, field: value})
    assert f"{field}=" in str(error.value)
    assert "is not allowed; allowed is" in str(error.value)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("objective", 100, "between 0 and 100"),
        ("objective", 0, "between 0 and 100"),
        ("name", "Quotes!", "small letters"),
        ("total", "", "errors with total, or bad alone"),
        ("bad", "x > bool 0", "errors with total, or bad alone"),
        ("errors", "rate(e[5m])", r"PromQL with \$window"),
        ("window", "a month", "a duration"),
        ("min_events", -1, "from 0 up"),
        ("page", (Burn(consumed=0.1, long="12h", short="5m"),), "windows of 5m"),
    ],
)
def test_a_service_level_says_what_it_does_not_take(field: str, value: Any, allowed: str) -> None:
    """As a rule does."""
    with pytest.raises(ValueError, match=allowed):
        Slo(**{**SLO, field: value})


def test_recordings_groups_and_cases_are_checked_too() -> None:
    """Each by its own words."""
    with pytest.raises(ValueError, match="joined by colons"):
        Recording(name="ratio", expr="1")
    with pytest.raises(ValueError, match="each name once"):
        Group(name="twice", rules=(Rule(**RULE), Rule(**RULE)))
    with pytest.raises(ValueError, match="small letters"):
        Group(name="My rules", rules=())
    with pytest.raises(ValueError, match="only where fires has one"):
        Case(series={}, resolved="5m", quiet=("1m",))
    with pytest.raises(ValueError, match="at least one time"):
        Case(series={"x": "1"})
    with pytest.raises(ValueError, match="fires='later'"):
        Case(series={"x": "1"}, fires="later")


@pytest.mark.parametrize("text", ["1s", "90s", "5m", "90m", "2h", "3d", "30d", "1500ms"])
def test_durations_come_back(text: str) -> None:
    """What is shown is read as the same."""
    assert durations.seconds(durations.shown(durations.seconds(text))) == durations.seconds(text)


def test_quick_motion_shortens_windows_and_leaves_the_rest() -> None:
    """Numbers, labels and what is short already stay."""
    expr = 'sum by (job) (rate(x{le="5m"}[5m])) > 300 and y offset 1h > 60'
    assert scaled(expr, 0.1) == 'sum by (job) (rate(x{le="5m"}[30s])) > 300 and y offset 6m > 60'
    assert scaled("rate(x[1m])", 0.01) == "rate(x[10s])"
    assert scaled(expr, 1) == expr
    assert scaled_duration("0s", 0.1) == "0s"
    with pytest.raises(ValueError, match="scale=0"):
        scaled(expr, 0)
