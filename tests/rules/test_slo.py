"""The arithmetic of service levels."""

from __future__ import annotations

import pytest

from otel_trading.provisioning import Burn, Recording, Rule, Slo
from otel_trading.provisioning.rules.kit.slos import SLOS
from otel_trading.provisioning.rules.slo import PAGE, TICKET, WINDOWS

QUOTES = Slo(
    name="quotes-accepted",
    objective=99.9,
    errors='sum by (job) (rate(quotes_total{result="refused"}[$window]))',
    total="sum by (job) (rate(quotes_total[$window]))",
    min_events=50,
)


def recordings(slo: Slo) -> dict[str, Recording]:
    return {rule.name: rule for rule in slo.rules() if isinstance(rule, Recording)}


def alerts(slo: Slo) -> dict[str, Rule]:
    return {rule.name: rule for rule in slo.rules() if isinstance(rule, Rule)}


def test_the_usual_burn_rates() -> None:
    """Of thirty days: 14.4 and 6 wake somebody, 3 and 1 make a ticket."""
    assert [burn.factor("30d") for burn in PAGE] == [14.4, 6]
    assert [burn.factor("30d") for burn in TICKET] == [3, 1]
    assert Burn(consumed=0.02, long="1h", short="5m").factor("7d") == pytest.approx(3.36)


def test_names_are_those_of_sloth() -> None:
    """Dashboards made for sloth find everything that they ask for."""
    names = set(recordings(QUOTES))
    assert {f"slo:sli_error:ratio_rate{window}" for window in (*WINDOWS, "30d")} <= names
    assert names >= {
        *("slo:objective:ratio", "slo:error_budget:ratio", "slo:time_period:days", "slo:current_burn_rate:ratio"),
        *("slo:period_burn_rate:ratio", "slo:period_error_budget_remaining:ratio", "sloth_slo_info"),
    }
    assert recordings(QUOTES)["slo:sli_error:ratio_rate1h"].labels == {
        "sloth_id": "otel-trading-quotes-accepted",
        "sloth_service": "otel-trading",
        "sloth_slo": "quotes-accepted",
        "sloth_window": "1h",
    }


def test_the_budget_is_what_the_objective_leaves() -> None:
    """A thousandth, and the limits are multiples of it."""
    found = recordings(QUOTES)
    assert found["slo:objective:ratio"].expr == "vector(0.999)"
    assert found["slo:error_budget:ratio"].expr == "vector(0.001)"
    assert found["slo:period_error_budget_remaining:ratio"].expr.endswith("/ 0.001")
    page, ticket = alerts(QUOTES)["QuotesAcceptedBurnFast"], alerts(QUOTES)["QuotesAcceptedBurnSlow"]
    assert "> 0.0144" in page.expr
    assert "> 0.006" in page.expr
    assert "> 0.003" in ticket.expr
    assert "> 0.001" in ticket.expr
    assert (page.severity, ticket.severity) == ("critical", "warning")


def test_few_events_wake_nobody() -> None:
    """Each pair of windows asks how many events the long one has."""
    assert alerts(QUOTES)["QuotesAcceptedBurnFast"].expr.count(">= 50") == 2
    free = Slo(name="free", objective=99, errors="rate(e[$window])", total="rate(t[$window])", min_events=0)
    assert ">=" not in alerts(free)["FreeBurnFast"].expr


def test_a_state_needs_no_events() -> None:
    """The share is that of the time."""
    state = Slo(name="fresh", objective=99, bad="max by (job) (stale) > bool 0", min_events=10)
    found = recordings(state)
    at = '{sloth_id="otel-trading-fresh"}'
    assert found["slo:sli_error:ratio_rate1h"].expr == f"avg_over_time(slo:sli_bad:bool{at}[1h])"
    assert "slo:sli_total:rate5m" not in found


def test_no_ratio_divides_by_zero() -> None:
    """Where nothing happened there is no share."""
    for slo in SLOS:
        for name, recording in recordings(slo).items():
            if name.startswith("slo:sli_error:ratio") and not slo.bad:
                assert "> 0)" in recording.expr, (slo.name, name)


def test_the_kit_has_the_promised_service_levels() -> None:
    """Orders, their latency, feeds, completeness, budgets."""
    assert [slo.name for slo in SLOS] == [
        *("order-ack-availability", "order-ack-latency", "feed-freshness", "data-completeness"),
        "stage-budget-compliance",
    ]
    assert [slo.name for slo in SLOS if slo.bad] == ["feed-freshness"]
