"""Trades, positions, profit, venues, limits and breakers: what becomes of what the bot says of them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from otel_trading.testing import Captured
    from otel_trading.trading.events import Event


def states(telemetry: Captured, name: str, attribute: str, **of: str) -> dict[str, Any]:
    """What a state's instrument says of each state."""
    return {point.attributes[attribute]: point.value for point in telemetry.metrics[name](**of).points}


def test_a_trade_is_timed_from_its_start(telemetry: Captured, trading: Any) -> None:
    """Attempts, what is under way, completions by outcome, and what was earned or lost."""
    trading.trade_started(strategy="arb", trade_id="t-1", legs=2)
    trading.trade_started(strategy="arb", trade_id="t-2", legs=2)
    assert telemetry.metrics["trading.trade.active"].value == 2
    telemetry.advance(1.25)
    trading.trade_completed(strategy="arb", trade_id="t-1", net_profit=Decimal("3.5"), currency="USD", edge=4)
    trading.trade_completed(
        strategy="arb", trade_id="t-2", outcome="partial", net_profit=-2, currency="USD", error=TimeoutError("leg 2")
    )
    metrics = telemetry.metrics
    assert metrics["trading.trade.attempts"].value == 2
    assert metrics["trading.trade.active"].value == 0
    assert metrics["trading.trade.completions"](trading_trade_outcome="success").value == 1
    lost = metrics["trading.trade.completions"](trading_trade_outcome="partial").points[0]
    assert lost.attributes["error.type"] == "TimeoutError"
    assert metrics["trading.trade.duration"].sum == pytest.approx(2.5)
    assert (metrics["trading.trade.profit"].value, metrics["trading.trade.loss"].value) == (3.5, 2)
    assert metrics["trading.trade.edge"].count == 2
    levels = [line.level for line in telemetry.logs.where("trade completed")]
    assert levels == ["INFO", "WARNING"]


def test_positions_are_held_for_a_time(telemetry: Captured, trading: Any) -> None:
    """From opening to closing; turning from long to short is no closing."""
    trading.position_changed("kraken", "BTC/EUR", Decimal("0.5"), price=100, currency="EUR", strategy="mm")
    telemetry.advance(30)
    trading.position_changed("kraken", "BTC/EUR", "-0.25", price=100, currency="EUR", strategy="mm")
    metrics = telemetry.metrics
    assert metrics["trading.position.quantity"].value == -0.25
    assert metrics["trading.position.notional"].value == 25
    assert metrics["trading.position.active"].value == 1
    telemetry.advance(30)
    trading.position_changed("kraken", "BTC/EUR", 0, strategy="mm")
    assert telemetry.metrics["trading.position.active"].value == 0
    assert telemetry.metrics["trading.position.notional"](trading_currency="EUR").value == 0
    held = telemetry.metrics["trading.position.holding.duration"]
    assert (held.count, held.sum) == (1, 60)


def test_profit_may_fall_and_begins_anew_with_the_session(telemetry: Captured, trading: Any) -> None:
    """The total goes on; the session's is zero at its boundary."""
    trading.sessions.begin_at("17:00")
    trading.pnl_changed("10.5", currency="EUR", strategy="mm", venue="kraken")
    trading.pnl_changed(Decimal("-15.25"), currency="EUR", strategy="mm", venue="kraken", unrealized=1)
    assert telemetry.metrics["trading.pnl.realized"].value == pytest.approx(-4.75)
    assert telemetry.metrics["trading.pnl.session"].value == pytest.approx(-3.75)
    telemetry.advance(86_400)
    assert telemetry.metrics["trading.pnl.session"].value == pytest.approx(1)  # what is not realised is still there
    assert telemetry.metrics["trading.pnl.realized"].value == pytest.approx(-4.75)


def test_states_are_one_for_what_is_and_zero_for_the_rest(telemetry: Captured, trading: Any) -> None:
    """Connections, breakers and the bot; a state that it has already is not told again."""
    for state in ("connecting", "open", "connected", "closed", "disconnected", "connected"):
        trading.connection_changed("kraken", state, connection="market_data", error=OSError() if "c" in state else None)
    of = {"trading_venue_name": "kraken"}
    found = states(telemetry, "trading.venue.connection.state", "trading.connection.state", **of)
    assert {state: number for state, number in found.items() if number} == {"connected": 1}
    assert telemetry.metrics["trading.venue.reconnects"].value == 1
    assert len(telemetry.logs.where("connection changed")) == 4
    trading.breaker_changed("daily", "closed")
    trading.breaker_changed("daily", "open", reason="loss")
    trading.breaker_changed("daily", "half-open")
    found = states(telemetry, "trading.circuit_breaker.state", "trading.circuit_breaker.state")
    assert found == {"closed": 0, "half_open": 1, "open": 0}
    assert telemetry.metrics["trading.circuit_breaker.transitions"].value == 2
    trading.halted("daily_loss_limit", reason="loss of 510 USD")
    assert states(telemetry, "trading.state", "trading.state.value")["halted"] == 1
    trading.resumed("operator")
    assert states(telemetry, "trading.state", "trading.state.value")["halted"] == 0
    assert telemetry.metrics["trading.halts"](trading_halt_trigger="daily_loss_limit").value == 1
    assert telemetry.logs.one("trading halted").level == "CRITICAL"


def test_only_connections_that_were_lost_count_as_such(telemetry: Captured, trading: Any) -> None:
    """Not those that the bot ended, nor those that never came about."""
    for state, wanted in (("connecting", False), ("disconnected", False), ("connected", False), ("disconnected", True)):
        trading.connection_changed("kraken", state, wanted=wanted)
    assert [line.level for line in telemetry.logs.where("connection changed")] == ["INFO", "WARNING", "INFO", "INFO"]
    assert not any(metric == "trading.venue.reconnects" for metric in telemetry.metrics)
    trading.connection_changed("kraken", "connected")
    trading.connection_changed("kraken", "disconnected")
    assert telemetry.metrics["trading.venue.reconnects"].value == 1


def test_limits_show_how_much_of_them_is_used(telemetry: Captured, trading: Any) -> None:
    """And refuse by their figures."""
    trading.limit_checked("turnover", used="18500", limit=25_000)
    trading.limit_checked("daily_loss", used=120, limit=100)
    ratio = telemetry.metrics["trading.risk.utilization.ratio"]
    assert ratio(trading_risk_limit_name="turnover").value == pytest.approx(0.74)
    checks = telemetry.metrics["trading.risk.checks"]
    assert checks(trading_risk_limit_name="daily_loss").points[0].attributes["trading.risk.result"] == "refused"
    assert telemetry.logs.where(level="WARNING")[-1].attributes["trading.risk.limit.name"] == "daily_loss"


def test_a_spread_is_in_basis_points_of_the_middle(telemetry: Captured, trading: Any) -> None:
    """Of a crossed book it is zero; of half a book there is none."""
    trading.book_updated("kraken", "BTC/EUR", bid=99.95, ask=100.05)
    trading.book_updated("kraken", "BTC/EUR", bid="101", ask=Decimal(100))
    trading.book_updated("kraken", "BTC/EUR", bid=100)
    spread = telemetry.metrics["trading.market_data.book.spread.bps"]
    assert spread.count == 2
    assert spread.sum == pytest.approx(10)
    assert telemetry.metrics["trading.market_data.book.updates"].value == 3


def test_an_event_of_the_moment_is_on_the_current_span(telemetry: Captured, trading: Any) -> None:
    """With its fields."""
    with telemetry.tracer.start_as_current_span("scan"):
        trading.opportunity_detected(strategy="arb", route="a-b", edge_bps=12.5, currency="USD")
    span = telemetry.traces.one("scan")
    assert "trading.opportunity.detected" in span.events
    line = telemetry.logs.one("opportunity detected")
    assert line.trace_id == span.trace_id
    assert telemetry.metrics["trading.opportunity.edge.bps"].sum == 12.5


def test_listeners_hear_what_happens_and_hurt_nobody(trading: Any, caplog: pytest.LogCaptureFixture) -> None:
    """One that raises is counted; the event is reported all the same."""
    heard: list[str] = []

    def broken(*_: object) -> None:
        raise RuntimeError("no")

    def hear(event: Event, *_: object) -> None:
        heard.append(event.name)

    undo = trading.subscribe(hear, ["halted", "order_submitted"])
    undo_broken = trading.subscribe(broken, ["halted"])
    trading.halted("test")
    trading.resumed("test")
    trading.order_submitted("c-1", venue="kraken", quantity=1)
    undo()
    undo_broken()
    trading.halted("again")
    assert heard == ["trading.halted", "trading.order.submitted"]
    assert trading.failures == {"halted": 1}
    assert "halted() could not be reported" in caplog.text


@pytest.mark.parametrize(
    "say",
    [
        lambda t: t.opportunity_detected(strategy=object(), edge_bps="x"),
        lambda t: t.trade_completed(outcome=object(), net_profit=object()),
        lambda t: t.position_changed(None, None, "x"),
        lambda t: t.pnl_changed("x", currency="EUR"),
        lambda t: t.balance_changed("kraken", "EUR", []),
        lambda t: t.book_updated("kraken", "BTC/EUR", bid=object(), ask={}),
        lambda t: t.connection_changed("kraken", object()),
        lambda t: t.request_completed("kraken", "fetch", "x"),
        lambda t: t.limit_checked("x", used="x", limit=0),
        lambda t: t.breaker_changed("x", []),
        lambda t: t.risk_measured("var", None),
        lambda t: t.settlement_completed([], outcome="never"),
        lambda t: t.chain_transaction(chain="solana", gas=-1),
        lambda t: t.strategy_failed(error=Exception(object())),
        lambda t: t.feed_message([], {}),
        lambda t: t.feed_gap(venue="kraken", sequence=1, expected_sequence=5),
        lambda t: t.order_replaced("c", quantity=[]),
        lambda t: t.order_cancel_rejected(object()),
    ],
)
def test_nothing_that_is_said_raises(trading: Any, say: Any) -> None:
    """Whatever it is."""
    say(trading)
