from __future__ import annotations

import subprocess
import sys

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig

from otel_trading.instrument.nautilus import NautilusInstrumentor, TelemetryActor
from otel_trading.testing import capture
from tests.instrument.documented import run_examples


def test_examples_run() -> None:
    """The page's examples run, and its actor is made from its configuration."""
    with capture():
        names = run_examples("nautilus-trader.md")
    NautilusInstrumentor().uninstrument()
    config = BacktestEngineConfig(actors=[names["telemetry_actor"]], logging=LoggingConfig(bypass_logging=True))
    engine = BacktestEngine(config)
    assert [type(actor) for actor in engine.trader.actors()] == [TelemetryActor]
    engine.dispose()


LATE = """
from nautilus_trader.system.kernel import NautilusKernel
import otel_trading
options = dict.fromkeys(("metrics_exporter", "traces_exporter", "logs_exporter"), "none")
telemetry = otel_trading.configure(instrument="nautilus-trader", banner=False, ops_port=0, **options)
from tests.instrument.nautilus.backtests import Flipping, engine, ticks
backtest = engine(Flipping(every=1), ticks(3))
backtest.run()
print(telemetry.trading.orders.submitted, telemetry.trading.orders.ended)
telemetry.shutdown()
"""


def test_configured_after_the_import() -> None:
    """A library that was imported before ``configure()`` is instrumented, too."""
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["3", "3"]
    assert "not instrumented" not in done.stderr
