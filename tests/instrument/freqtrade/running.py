"""Runs freqtrade as its command does, with telemetry captured, and prints what was captured and what freqtrade says.

``python -m tests.instrument.freqtrade.running backtest|bot '{"options": ...}'``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from otel_trading.instrument.freqtrade import FreqtradeInstrumentor
from otel_trading.testing import capture

STRATEGIES = Path(__file__).parent / "strategies"


def captured(telemetry: Any) -> dict[str, Any]:
    """All metrics, spans and log lines as plain values."""
    metrics = {
        name: [
            {**point.attributes, "value": point.distribution.count if point.value is None else point.value}
            for point in telemetry.metrics[name].points
        ]
        for name in telemetry.metrics
    }
    lines = [
        {
            **{key: value for key, value in line.attributes.items() if key != "log.tags"},
            "event": line.event,
            "time": line.time,
        }
        for line in telemetry.logs
        if line.event
    ]
    spans = [{"name": span.name, "duration": span.duration, **span.attributes} for span in telemetry.traces]
    return {"metrics": metrics, "lines": lines, "spans": spans, "failures": telemetry.trading.failures}


def backtest(telemetry: Any, config: str, strategy: str, arguments: list[str]) -> dict[str, Any]:
    """``freqtrade backtesting``."""
    from freqtrade.main import main
    from freqtrade.optimize.backtesting import Backtesting

    runs = []
    original = Backtesting.backtest

    def kept(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        trades = result["results"]
        runs.append(
            {
                "trades": len(trades),
                "orders": sum(len(orders) for orders in trades["orders"]),
                "profit": float(trades["profit_abs"].sum()),
                "amount": float(sum(order["amount"] for orders in trades["orders"] for order in orders)),
                "rejected": result["rejected_signals"],
                "timedout": result["timedout_entry_orders"] + result["timedout_exit_orders"],
            }
        )
        return result

    Backtesting.backtest = kept
    told = ["--strategy", strategy] if strategy else []
    try:
        main(["backtesting", "-c", config, "--strategy-path", str(STRATEGIES), *told, *arguments])
    except SystemExit as stopped:
        if stopped.code:
            raise
    finally:
        Backtesting.backtest = original
    return {"runs": runs}


def bot(telemetry: Any, config: str, strategy: str, rounds: int) -> dict[str, Any]:
    """``freqtrade trade``, for so many rounds of its loop."""
    from freqtrade.commands import Arguments
    from freqtrade.persistence import Trade
    from freqtrade.worker import Worker

    arguments = Arguments(
        ["trade", "-c", config, "--strategy-path", str(STRATEGIES), "--strategy", strategy]
    ).get_parsed_arg()
    worker = Worker(arguments)
    try:
        state = None
        for _ in range(rounds):
            state = worker._worker(old_state=state)
        trades = Trade.get_trades([]).unique().all()
        orders = [order for trade in trades for order in trade.orders]
        return {
            "orders": [[order.order_id, order.status, order.filled, order.average] for order in orders],
            "closed": sum(not trade.is_open for trade in trades),
            "open": sum(trade.is_open for trade in trades),
            "profit": sum(trade.realized_profit for trade in trades),
            "wallet": worker.freqtrade.wallets.get_total("USDT"),
            "marked": getattr(worker.freqtrade.exchange._api, "otel_trading_orders", None),
        }
    finally:
        worker.freqtrade.notify_status("process died")
        worker.exit()


if __name__ == "__main__":
    kind, options = sys.argv[1], json.loads(sys.argv[2])
    instrumented = options.pop("instrumented", True)
    with capture(real_time=True, log_level="INFO") as telemetry:
        if instrumented:
            FreqtradeInstrumentor().instrument()
        said = backtest(telemetry, **options) if kind == "backtest" else bot(telemetry, **options)
        FreqtradeInstrumentor().uninstrument()
        sys.stdout.write(f"\n{json.dumps({'said': said, **captured(telemetry)}, default=str)}\n")
