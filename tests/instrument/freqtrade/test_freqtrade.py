from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.instrument.freqtrade.local_binance import LocalBinance

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("OTEL_TRADING_DATA", ROOT.parent / "shared" / "data"))
CANDLES = DATA / "freqtrade" / "UNITTEST_BTC-5m.feather"


@pytest.fixture(scope="module")
def venue() -> Iterator[LocalBinance]:
    with LocalBinance() as running:
        yield running


class Result:
    """What a run of freqtrade said, and what telemetry did."""

    def __init__(self, printed: dict[str, Any]) -> None:
        self.said = printed["said"]
        self.metrics = printed["metrics"]
        self.lines = printed["lines"]
        self.spans = printed["spans"]
        self.failures = printed["failures"]

    def total(self, name: str, **where: Any) -> float:
        points: list[float] = [
            point["value"]
            for point in self.metrics.get(name, [])
            if all(point.get(key.replace("__", ".")) == value for key, value in where.items())
        ]
        return sum(points)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == name]


def run(folder: Path, kind: str, config: dict[str, Any], **options: Any) -> Result:
    """Run freqtrade in a process of its own."""
    file = folder / "config.json"
    file.write_text(json.dumps({**config, "user_data_dir": str(folder), "db_url": f"sqlite:///{folder}/trades.sqlite"}))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.instrument.freqtrade.running",
            kind,
            json.dumps({**options, "config": str(file)}),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return Result(json.loads(done.stdout.rstrip().rpartition("\n")[2]))


def user_data(folder: Path) -> Path:
    """A user_data with the recorded candles."""
    data = folder / "data" / "binance"
    data.mkdir(parents=True)
    for name in ("backtest_results", "strategies", "logs"):
        (folder / name).mkdir()
    shutil.copy(CANDLES, data / CANDLES.name)
    return folder


def backtesting(venue: LocalBinance, **more: Any) -> dict[str, Any]:
    return venue.config(
        stake_currency="BTC",
        stake_amount=0.5,
        dry_run_wallet=10,
        exchange={"pair_whitelist": ["UNITTEST/BTC"]},
        dataformat_ohlcv="feather",
        **more,
    )


@pytest.mark.skipif(not CANDLES.exists(), reason=f"needs {CANDLES}")
@pytest.mark.parametrize("strategy", ["Turning", "TurningTold"])
def test_backtest(venue: LocalBinance, tmp_path: Path, strategy: str) -> None:
    """A backtest over recorded candles: orders, fills, trades and profit are what freqtrade's result says."""
    result = run(
        user_data(tmp_path),
        "backtest",
        backtesting(venue),
        strategy=strategy,
        arguments=["--timerange", "20180110-20180112", "--cache", "none", "--export", "none"],
        instrumented=strategy == "Turning",
    )
    (said,) = result.said["runs"]
    assert said["trades"] > 20
    assert result.total("trading.order.submissions") == said["orders"] + said["timedout"]
    assert result.total("trading.execution.reports", trading__execution__type="trade") == said["orders"]
    assert result.total("trading.execution.quantity") == pytest.approx(said["amount"])
    assert result.total("trading.trade.completions", trading__trade__outcome="success") == said["trades"]
    assert result.total("trading.pnl.realized") == pytest.approx(said["profit"], rel=1e-6)
    assert result.total("trading.order.active") == result.total("trading.trade.active") == 0
    assert result.total("trading.position.active") == 0
    assert "trading.order.anomalies" not in result.metrics
    assert not result.failures
    first = result.events("trading.order.submitted")[0]
    assert first["trading.strategy.name"] == strategy
    assert (first["trading.venue.name"], first["trading.instrument.symbol"]) == ("binance", "UNITTEST/BTC")
    assert 1_515_542_400 <= first["time"] < 1_515_715_200
    trade = result.events("trading.trade.completed")[0]
    assert trade["trading.event.duration"] >= 1800


def test_dry_run(venue: LocalBinance, tmp_path: Path) -> None:
    """A dry run against a venue: each order once, though records, messages and callbacks all see its fill."""
    before = len(venue.requests)
    result = run(tmp_path, "bot", venue.config(), strategy="Turning", rounds=8)
    said = result.said
    assert not [request for request in venue.requests[before:] if request.startswith("POST")]
    orders = said["orders"]
    filled = [order for order in orders if order[1] == "closed"]
    assert said["closed"] == 1
    assert result.total("trading.order.submissions") == len(orders)
    assert result.total("trading.execution.reports", trading__execution__type="trade") == len(filled)
    assert result.total("trading.execution.quantity") == pytest.approx(sum(order[2] for order in filled))
    assert result.total("trading.trade.attempts") == said["closed"] + said["open"]
    assert result.total("trading.trade.completions") == said["closed"]
    assert result.total("trading.pnl.realized") == pytest.approx(said["profit"])
    assert result.total("trading.venue.balance", trading__currency="USDT") == pytest.approx(said["wallet"])
    assert result.total("trading.stage.duration", trading__stage__name="bot_loop") == 8
    assert "trading.order.anomalies" not in result.metrics
    assert not result.failures
    assert said["marked"] is False


def test_live(venue: LocalBinance, tmp_path: Path) -> None:
    """Orders that go to the venue are told once, with the venue's ids and what it took for them."""
    result = run(tmp_path, "bot", venue.config(dry_run=False), strategy="Turning", rounds=8)
    said = result.said
    orders = said["orders"]
    filled = [order for order in orders if order[1] == "closed"]
    assert filled
    assert result.total("trading.order.submissions") == len(orders)
    assert result.total("trading.order.ack.duration") == len(orders)
    assert result.total("trading.execution.quantity") == pytest.approx(sum(order[2] for order in filled))
    assert {line["trading.order.id"] for line in result.events("trading.order.filled")} == {o[0] for o in filled}
    assert "trading.order.anomalies" not in result.metrics
    assert not result.failures


def test_mixin(venue: LocalBinance, tmp_path: Path) -> None:
    """A strategy with the mix-in brings its telemetry along."""
    result = run(tmp_path, "bot", venue.config(), strategy="TurningTold", rounds=5, instrumented=False)
    assert result.total("trading.order.submissions") == len(result.said["orders"]) > 0
    assert "trading.order.anomalies" not in result.metrics


def test_canceled_entry(venue: LocalBinance, tmp_path: Path) -> None:
    """An entry that is canceled leaves nothing behind, though freqtrade deletes its record."""
    result = run(tmp_path, "bot", venue.config(), strategy="Resting", rounds=6)
    canceled = len(result.events("trading.order.canceled"))
    assert canceled >= 1
    assert len(result.events("trading.order.cancel_requested")) == canceled
    assert result.total("trading.order.submissions") == canceled + result.total("trading.order.active")
    assert result.total("trading.trade.completions", trading__trade__outcome="failed") == canceled
    assert result.total("trading.trade.active") == result.total("trading.order.active")
    assert "trading.execution.quantity" not in result.metrics
    assert "trading.order.anomalies" not in result.metrics


@pytest.mark.skipif(not CANDLES.exists(), reason=f"needs {CANDLES}")
def test_backtest_with_timeouts(venue: LocalBinance, tmp_path: Path) -> None:
    """Entries that are not filled in time are canceled, in a backtest, too."""
    config = backtesting(venue, unfilledtimeout={"entry": 10, "exit": 10, "unit": "minutes"})
    result = run(
        user_data(tmp_path),
        "backtest",
        config,
        strategy="",
        arguments=[
            *("--strategy-list", "Resting", "Turning"),
            *("--timerange", "20180110-20180111", "--cache", "none", "--export", "none"),
        ],
    )
    resting, turning = result.said["runs"]
    assert resting["timedout"] > 0
    counted = {
        name: result.total("trading.order.submissions", trading__strategy__name=name) for name in ("Resting", "Turning")
    }
    ended = len(result.events("trading.order.canceled"))
    assert counted["Turning"] == turning["orders"]
    assert counted["Resting"] == resting["orders"] + ended
    assert result.total("trading.trade.completions", trading__trade__outcome="success") == (
        resting["trades"] + turning["trades"]
    )
    assert result.total("trading.order.active") == result.total("trading.trade.active") == 0
    assert "trading.order.anomalies" not in result.metrics
    assert not result.failures
