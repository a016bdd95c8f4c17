"""The decision, on made-up quotes."""

from __future__ import annotations

from otel_trading.demo.bot import BasisStrategy, Parameters, Quote, Signal

QUICK = Parameters(memory=30.0, warm_up=2.0, entry=1.0, floor_bps=5.0, exit=0.5, longest_hold=10.0)


def quote(mid: float) -> Quote:
    return Quote(mid - 0.01, mid + 0.01, 7)


def fed(strategy: BasisStrategy, basis_bps: float, market_time: float) -> Signal | None:
    return strategy.on_quotes(quote(10_000.0), quote(10_000.0 * (1 + basis_bps / 1e4)), market_time)


def calm(parameters: Parameters = QUICK, seconds: int = 5) -> BasisStrategy:
    strategy = BasisStrategy(parameters)
    for second in range(seconds + 1):
        assert fed(strategy, -3.0, float(second)) is None
    return strategy


def test_a_rich_perpetual_is_sold_against_spot() -> None:
    """The signal names both sides, the basis, the edge and the tick's time."""
    signal = fed(calm(), 7.0, 5.001)
    assert signal is not None
    assert (signal.action, signal.side("spot"), signal.side("perp")) == ("open", "buy", "sell")
    assert round(signal.basis_bps, 1) == 7.0
    assert round(signal.edge_bps, 1) == 10.0
    assert signal.received_ns == 7


def test_a_cheap_perpetual_is_bought_against_spot() -> None:
    """The mirror image."""
    signal = fed(calm(), -13.0, 5.001)
    assert signal is not None
    assert (signal.side("spot"), signal.side("perp")) == ("sell", "buy")


def test_nothing_happens_below_the_floor() -> None:
    """However calm the market was, a small move is no reason to trade."""
    assert fed(calm(), 1.9, 5.001) is None


def test_a_restless_basis_asks_for_more() -> None:
    """The threshold grows with the standard deviation of the basis."""
    strategy = BasisStrategy(Parameters(memory=60.0, warm_up=1e9, floor_bps=1.0, entry=1.5))
    for step in range(400):
        fed(strategy, 10.0 if step % 2 else -10.0, step / 10)
    assert 14.0 < strategy.threshold_bps < 16.0


def test_it_watches_before_it_trades() -> None:
    """No signal in the warm-up, whatever the basis does."""
    strategy = BasisStrategy(QUICK)
    assert fed(strategy, 0.0, 0.0) is None
    assert fed(strategy, 50.0, 1.0) is None


def test_a_position_is_closed_beyond_the_mean() -> None:
    """Not before: the way back pays for both trades."""
    strategy = calm()
    opened = fed(strategy, 17.0, 5.001)
    assert opened is not None
    strategy.holds(opened.spot)
    assert fed(strategy, 2.0, 5.5) is None
    closed = fed(strategy, -12.0, 6.0)
    assert closed is not None
    assert (closed.action, closed.side("spot"), closed.side("perp")) == ("close", "sell", "buy")


def test_a_position_is_closed_when_it_took_too_long() -> None:
    """By the market's own clock."""
    strategy = calm()
    strategy.holds("buy")
    signals = [fed(strategy, 8.0, 5.0 + second) for second in range(1, 11)]
    assert signals[:-1] == [None] * 9
    assert signals[-1] is not None
    assert signals[-1].action == "close"


def test_a_jump_of_the_clock_is_not_counted() -> None:
    """A venue's clock that is set back or forth moves neither the mean nor the holding time by much."""
    strategy = calm()
    strategy.holds("buy")
    assert fed(strategy, 0.0, 500.0) is None
    assert fed(strategy, 0.0, 2.0) is None
    assert -3.0 <= strategy.mean_bps < -2.0
