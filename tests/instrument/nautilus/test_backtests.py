from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nautilus_trader.model.enums import TradingState
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_trading.instrument.nautilus import NautilusInstrumentor, TelemetryActor, TelemetryActorConfig
from otel_trading.instrument.reporting import Reporting
from otel_trading.testing import capture
from tests.instrument.nautilus.backtests import LOT, SIM, START, Flipping, Greedy, Quoting, engine, recorded, ticks
from tests.instrument.nautilus.case import Case, case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured

DATA = Path(os.environ.get("OTEL_TRADING_DATA", Path(__file__).parents[3].parent / "shared" / "data"))
TICKS = DATA / "fx" / "truefx-usdjpy-ticks.csv"


@pytest.fixture(params=["native", "sdk"])
def telemetry(request: pytest.FixtureRequest) -> Iterator[Captured]:
    with capture(engine=request.param, real_time=True) as captured:
        yield captured


@pytest.fixture
def instrumented(telemetry: Captured) -> Iterator[Captured]:
    instrumentor = NautilusInstrumentor()
    instrumentor.instrument()
    try:
        yield telemetry
    finally:
        instrumentor.uninstrument()


def total(telemetry: Captured, name: str, **attributes: Any) -> float:
    if name not in telemetry.metrics:
        return 0
    metric = telemetry.metrics[name]
    return metric.where(**attributes).value if attributes else metric.value


def lines(telemetry: Captured, event: str) -> list[Any]:
    return [line for line in telemetry.logs if line.event == event]


@pytest.mark.skipif(not TICKS.exists(), reason=f"needs {TICKS}")
def test_recorded_ticks(instrumented: Captured) -> None:
    """A backtest over a thousand recorded ticks: every order, fill, position and balance is what the engine says."""
    strategy = Flipping(every=50)
    backtest = engine(strategy, recorded(TICKS))
    backtest.run()

    orders = backtest.cache.orders()
    positions = [*backtest.cache.positions(), *backtest.cache.position_snapshots()]
    assert len(orders) == 20
    assert strategy.ticks == 1000
    assert total(instrumented, "trading.order.submissions") == len(orders)
    fills = instrumented.metrics["trading.execution.reports"].where(trading_execution_type="trade")
    assert fills.value == sum(order.event_count - 2 for order in orders) == 20
    assert total(instrumented, "trading.execution.quantity") == 20 * LOT
    assert total(instrumented, "trading.order.active") == 0
    assert total(instrumented, "trading.position.active") == 0
    realized = sum(position.realized_pnl.as_double() for position in positions)
    assert total(instrumented, "trading.pnl.realized") == pytest.approx(realized)
    commissions = sum(order.commissions()[0].as_double() for order in orders if hasattr(order, "commissions"))
    assert total(instrumented, "trading.execution.commission") == pytest.approx(commissions or 340)
    account = backtest.portfolio.account(SIM)
    assert total(instrumented, "trading.venue.balance") == account.balance_total().as_double()
    assert "trading.order.anomalies" not in instrumented.metrics
    assert not instrumented.trading.failures
    backtest.dispose()


def test_names(instrumented: Captured) -> None:
    """What is said of an order is in the words of the conventions, with the venue's name in lower case."""
    backtest = engine(Flipping(every=1), ticks(2))
    backtest.run()
    first = lines(instrumented, "trading.order.submitted")[0]
    assert first.time == START / 1e9
    said = first.attributes
    assert said["trading.venue.name"] == "sim"
    assert said["trading.instrument.symbol"] == "USD/JPY"
    assert (said["trading.order.side"], said["trading.order.type"]) == ("buy", "market")
    assert (said["trading.order.time_in_force"], said["trading.order.quantity"]) == ("gtc", LOT)
    assert (said["trading.strategy.name"], said["trading.account.id"]) == (
        f"{backtest.trader.strategy_ids()[0]}",
        "SIM-001",
    )
    filled = lines(instrumented, "trading.order.filled")[0].attributes
    assert filled["trading.execution.liquidity"] == "removed"
    assert (filled["trading.currency"], filled["trading.execution.commission_currency"]) == ("JPY", "JPY")
    assert filled["trading.execution.slippage.bps"] == 0
    spans = instrumented.traces
    assert [span.name for span in spans] == ["order", "order"]
    assert all(span.duration == 0 for span in spans)
    backtest.dispose()


def test_limit_orders(instrumented: Captured) -> None:
    """An order that rests is acknowledged, replaced and canceled, each once."""
    backtest = engine(Quoting(every=1), ticks(3))
    backtest.run()
    names = [line.event for line in instrumented.logs if (line.event or "").startswith("trading.order")]
    assert names == [
        *("trading.order.submitted", "trading.order.acknowledged", "trading.order.replaced"),
        *("trading.order.cancel_requested", "trading.order.canceled"),
    ]
    assert lines(instrumented, "trading.order.replaced")[0].attributes["trading.order.price"] == 81
    assert "trading.order.anomalies" not in instrumented.metrics
    backtest.dispose()


def test_denied_orders(instrumented: Captured) -> None:
    """An order that the risk engine denies was not submitted: a limit refused it; the strategy's error goes its way."""
    backtest = engine(Greedy(every=1), ticks(1))
    with pytest.raises(LookupError):
        backtest.run()
    assert "trading.order.submissions" not in instrumented.metrics
    refused = instrumented.metrics["trading.risk.checks"]
    assert refused.value == 1
    assert refused.attributes[0]["trading.risk.limit.name"] == "pre_trade"
    assert "quantity" in lines(instrumented, "trading.risk.limit_checked")[0].attributes["trading.event.text"]
    backtest.dispose()


def test_trading_state(instrumented: Captured) -> None:
    """The risk engine halts trading, and lets it go on."""
    backtest = engine(Flipping(), ticks(1))
    risk = backtest.kernel.risk_engine
    risk.set_trading_state(TradingState.HALTED)
    assert total(instrumented, "trading.halts") == 1
    risk.set_trading_state(TradingState.ACTIVE)
    assert [line.event for line in instrumented.logs][-2:] == ["trading.halted", "trading.resumed"]
    backtest.dispose()


def test_hedging(instrumented: Captured) -> None:
    """Of several positions in one instrument the size is the sum."""

    class Opening(Flipping):
        def act(self, side: Any) -> None:
            super().act(side if self.ticks > 3 else 1)

    backtest = engine(Opening(every=1), ticks(3), hedging=True)
    backtest.run()
    assert len(backtest.cache.positions_open()) == 3
    assert instrumented.metrics["trading.position.quantity"].value == 3 * LOT
    assert total(instrumented, "trading.position.active") == 1
    backtest.dispose()


def test_clock(instrumented: Captured) -> None:
    """While the backtest runs, trading events are told by its clock; before and after by the system's."""
    system = instrumented.trading.clock
    strategy = Flipping(every=1, clock=lambda: instrumented.trading.clock())  # noqa: PLW0108 - it is exchanged meanwhile
    backtest = engine(strategy, ticks(5))
    assert instrumented.trading.clock is system
    backtest.run()
    assert len(strategy.times) == 5
    assert all(simulated == told for simulated, told in strategy.times)
    assert instrumented.trading.clock is system
    backtest.dispose()


def test_again(instrumented: Captured) -> None:
    """A reset engine, and another one, number their orders as the first run did; all are counted."""
    backtest = engine(Flipping(every=1), ticks(3))
    backtest.run()
    backtest.reset()
    backtest.run()
    backtest.dispose()
    other = engine(Quoting(every=1), ticks(1))
    other.run()
    other.dispose()
    last = engine(Flipping(every=1), ticks(2))
    last.run()
    last.dispose()
    assert total(instrumented, "trading.order.submissions") == 3 + 3 + 1 + 2
    assert total(instrumented, "trading.order.active") == 0
    assert "trading.order.anomalies" not in instrumented.metrics


def test_told_by_the_bot(instrumented: Captured) -> None:
    """An order that the bot tells itself is left to it."""

    class Telling(Flipping):
        def act(self, side: Any) -> None:
            order = self.order_factory.market(self.instrument.id, side, self.instrument.make_qty(LOT))
            instrumented.trading.order_submitted(
                order.client_order_id.value, venue="mine", symbol="USD/JPY", side="buy"
            )
            self.submit_order(order)

    backtest = engine(Telling(every=1), ticks(2))
    backtest.run()
    assert total(instrumented, "trading.order.submissions") == 2
    assert instrumented.metrics["trading.order.submissions"].where(trading_venue_name="mine").value == 2
    assert "trading.execution.reports" not in instrumented.metrics
    backtest.dispose()


def test_data(telemetry: Captured) -> None:
    """Topics that are asked for are counted as market data; in a backtest without latencies."""
    instrumentor = NautilusInstrumentor()
    instrumentor.instrument(data=["data.quotes.*"])
    try:
        backtest = engine(Flipping(), ticks(100))
        backtest.run()
        counted = telemetry.metrics["trading.market_data.messages"]
        assert counted.where(trading_market_data_type="ticker", trading_instrument_symbol="USD/JPY").value == 100
        assert "trading.market_data.latency" not in telemetry.metrics
        assert not telemetry.trading.feeds.stale()
        backtest.dispose()
    finally:
        instrumentor.uninstrument()
    assert not list(telemetry.trading.feeds)


def test_actor(telemetry: Captured) -> None:
    """The actor hears the same without instrumentation; with both, nothing is counted twice."""
    said = Reporting(telemetry.meter, telemetry.tracer, telemetry.trading)
    backtest = engine(Flipping(every=1), ticks(4))
    backtest.add_actor(TelemetryActor(TelemetryActorConfig(data=("data.quotes.*",)), said))
    backtest.run()
    assert total(telemetry, "trading.order.submissions") == 4
    assert total(telemetry, "trading.market_data.messages") == 4
    backtest.dispose()
    with case() as both:
        both.instrumentor().instrument()
        try:
            backtest = engine(Flipping(every=1), ticks(4))
            backtest.add_actor(TelemetryActor())
            backtest.run()
            backtest.dispose()
        finally:
            both.instrumentor().uninstrument()
    assert total(telemetry, "trading.order.submissions") == 8
    assert "trading.order.anomalies" not in telemetry.metrics


def test_engines_that_were_there(telemetry: Captured) -> None:
    """An engine that was made before is heard from its next start; one that is running, at once."""
    before = engine(Flipping(every=1), ticks(2))

    class Late(Flipping):
        def act(self, side: Any) -> None:
            if self.ticks == 3:
                NautilusInstrumentor().instrument()
            super().act(side)

    try:
        running = engine(Late(every=1), ticks(6), trader="LATE-001")
        running.run()
        assert total(telemetry, "trading.order.submissions") == 4
        before.run()
        assert total(telemetry, "trading.order.submissions") == 6
        before.dispose()
        running.dispose()
    finally:
        NautilusInstrumentor().uninstrument()
    assert "trading.order.anomalies" not in telemetry.metrics


def test_uninstrumented_while_it_runs(telemetry: Captured) -> None:
    """Nothing is heard any more, the clock is the system's again."""
    system = telemetry.trading.clock

    class Leaving(Flipping):
        def act(self, side: Any) -> None:
            if self.ticks == 3:
                NautilusInstrumentor().uninstrument()
                assert telemetry.trading.clock is system
            super().act(side)

    NautilusInstrumentor().instrument()
    backtest = engine(Leaving(every=1), ticks(6))
    backtest.run()
    assert total(telemetry, "trading.order.submissions") == 2
    topics = backtest.kernel.msgbus.topics()
    assert "events.system.*" not in topics
    backtest.dispose()


def test_suppressed(instrumented: Captured) -> None:
    """Inside ``suppress_instrumentation()`` an engine is left alone."""
    with suppress_instrumentation():
        backtest = engine(Flipping(every=1), ticks(2))
        backtest.run()
    assert "trading.order.submissions" not in instrumented.metrics
    backtest.dispose()


def test_orders_of_the_bot(telemetry: Captured) -> None:
    """A reporting without orders has positions and balances only."""
    said = Reporting(telemetry.meter, telemetry.tracer, telemetry.trading, orders=False)
    backtest = engine(Flipping(every=1), ticks(3))
    backtest.add_actor(TelemetryActor(None, said))
    backtest.run()
    assert "trading.order.submissions" not in telemetry.metrics
    assert total(telemetry, "trading.position.active") == 1
    backtest.dispose()


def test_defects_stay_here(instrumented: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in telemetry costs telemetry."""

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("defect")

    monkeypatch.setattr(type(instrumented.trading), "order_submitted", broken)
    monkeypatch.setattr(type(instrumented.trading), "position_changed", broken)
    backtest = engine(Flipping(every=1), ticks(3))
    backtest.run()
    assert len(backtest.cache.orders_closed()) == 3
    backtest.dispose()


def test_disposed(instrumented: Captured) -> None:
    """An engine that was disposed of is heard no more."""
    backtest = engine(Flipping(every=1), ticks(3))
    backtest.run()
    bus = backtest.kernel.msgbus
    assert "events.order.*" in bus.topics()
    backtest.dispose()
    assert not [each for each in bus.subscriptions() if "otel_trading" in f"{each}"]


def test_case(telemetry: Captured) -> None:
    """The case of the conformance suite does what it says."""
    tried = Case()
    NautilusInstrumentor().instrument()
    try:
        tried.work(3)
        with pytest.raises(tried.error):
            tried.fail()
        assert (tried.counted(telemetry), tried.failures(telemetry)) == (3, 1)
    finally:
        NautilusInstrumentor().uninstrument()
