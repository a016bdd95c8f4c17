"""What a run came to: as JSON for programs, as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from otel_trading.demo.tally import percentiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from otel_trading import Status
    from otel_trading.demo.tally import Tally

Json = dict[str, Any]

_RECENT = 50
_MILLISECOND = 0.001


def summarize(
    tally: Tally,
    status: Status,
    *,
    market: Json,
    seconds: float,
    ended: str,
    faults: Sequence[str],
    service_instance_id: str,
    metrics_url: str | None,
) -> Json:
    """Return the summary; take it after telemetry was shut down, then what was sent and dropped is final.

    Args:
        tally: what was counted.
        status: of telemetry.
        market: what was played.
        seconds: how long it was played.
        ended: why it ended.
        faults: all that were switched on.
        service_instance_id: the run's instance id on all its telemetry.
        metrics_url: where ``/metrics`` was served.

    """
    acks = tally.acks
    return {
        "messages": {venue: feed.frames.total() for venue, feed in tally.feeds.items()},
        "messages_by_stream": {venue: dict(feed.frames) for venue, feed in tally.feeds.items()},
        "orders": tally.orders,
        "fills": tally.fills,
        "rejects": tally.rejects,
        "trades": tally.trades.total(),
        "trades_by_outcome": dict(tally.trades),
        "pnl": float(round(tally.realized, 8)),
        "unrealized": float(round(tally.unrealized, 8)),
        "commission": float(round(tally.commission, 8)),
        "currency": "USDT",
        "tick_to_trade": percentiles([tick.seconds for tick in tally.ticks_to_trade]),
        "ack": {**percentiles([*acks["spot"], *acks["perp"]]), **{name: percentiles(acks[name]) for name in acks}},
        "telemetry": {
            "sent": status.sent,
            "dropped": status.dropped,
            "recovered": sum(account.recovered for account in status.signals.values()),
            "signals": {
                signal: {
                    "emitted": account.emitted,
                    "sent": account.sent,
                    "dropped": account.lost,
                    "pending": account.pending,
                }
                for signal, account in status.signals.items()
            },
            "unreachable": list(status.unreachable),
            "metrics_url": metrics_url,
        },
        "trace_ids": _trace_ids(tally),
        "duration_seconds": round(seconds, 3),
        "ended": ended,
        "market": market,
        "faults": list(faults),
        "reconnects": {venue: feed.reconnects for venue, feed in tally.feeds.items()},
        "service_name": status.service,
        "service_instance_id": service_instance_id,
    }


def show(console: Console, summary: Json, *, jaeger: str, grafana: str) -> None:
    """Print the summary, and where to look further: in Jaeger and Grafana at these addresses."""
    telemetry, trades = summary["telemetry"], summary["trades_by_outcome"]
    seconds = max(summary["duration_seconds"], 1e-9)
    table = Table(
        title="The run", title_justify="left", title_style="bold", box=None, pad_edge=False, show_header=False
    )
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    frames = sum(summary["messages"].values())
    table.add_row("market", f"{_market(summary['market'])}, {seconds:.1f} s, ended by {summary['ended']}")
    table.add_row("messages", f"{frames:,} ({frames / seconds:,.0f}/s) · {_streams(summary['messages_by_stream'])}")
    table.add_row("orders", f"{summary['orders']} sent, {summary['fills']} fills, {summary['rejects']} rejects")
    table.add_row("trades", f"{summary['trades']}" + "".join(f" · {count} {name}" for name, count in trades.items()))
    table.add_row(
        "P&L",
        Text(f"{summary['pnl']:+.2f} USDT", style="green" if summary["pnl"] >= 0 else "red").append(
            f" after {summary['commission']:.2f} of commissions", style="default"
        ),
    )
    table.add_row("tick to trade", _percentiles(summary["tick_to_trade"]))
    table.add_row("acknowledged", _percentiles(summary["ack"]))
    table.add_row("telemetry", _delivery(telemetry))
    if summary["faults"]:
        table.add_row("faults", ", ".join(summary["faults"]))
    console.print()
    console.print(table)
    for line in _pointers(summary, jaeger, grafana):
        console.print(Text.from_markup(line), soft_wrap=True)


def milliseconds(seconds: float | None) -> str:
    """A duration for people.

    >>> milliseconds(0.0123), milliseconds(0.000045), milliseconds(None)
    ('12.3 ms', '45 µs', '-')
    """
    if seconds is None:
        return "-"
    return f"{seconds * 1e3:.1f} ms" if seconds >= _MILLISECOND else f"{seconds * 1e6:.0f} µs"


def _percentiles(values: Json) -> str:
    return f"p50 {milliseconds(values['p50'])} · p99 {milliseconds(values['p99'])}"


def _streams(by_stream: Json) -> str:
    return " · ".join(
        f"{venue} " + " ".join(f"{stream} {count:,}" for stream, count in streams.items())
        for venue, streams in by_stream.items()
    )


def _delivery(telemetry: Json) -> str:
    parts = [f"{signal} {account['sent']:,}/{account['emitted']:,}" for signal, account in telemetry["signals"].items()]
    found = f", {telemetry['recovered']:,} of a run before" if telemetry["recovered"] else ""
    return f"{telemetry['sent']:,} sent, {telemetry['dropped']:,} dropped{found} (sent/emitted: {' · '.join(parts)})"


def _market(market: Json) -> str:
    speed = "as fast as it goes" if market["speed"] == "max" else f"{market['speed']:g}x"
    if market["source"] == "generated":
        return f"generated (seed {market['seed']}), {speed}"
    return f"{market['spot']} and {market['perp']}, {speed}"


def _trace_ids(tally: Tally) -> Json:
    ways = [way for way in tally.ticks_to_trade if way.trace_id.strip("0")]  # none where traces are off
    if not ways:
        return {"first": None, "last": None, "slowest": None, "recent": []}
    return {
        "first": ways[0].trace_id,
        "last": ways[-1].trace_id,
        "slowest": max(ways).trace_id,
        "recent": [way.trace_id for way in ways[-_RECENT:]],
    }


def _pointers(summary: Json, jaeger: str, grafana: str) -> list[str]:
    telemetry, slowest = summary["telemetry"], summary["trace_ids"]["slowest"]
    served = telemetry["metrics_url"]
    page = served.removesuffix("metrics") if served else ""
    running = [f"\nWhile the demo runs, {page} shows it live; its metrics are on {served}."] if served else []
    if telemetry["unreachable"]:
        return [
            *running,
            f"No Collector answered at {telemetry['unreachable'][0].partition('/v1/')[0]}: "
            "what could not be sent by the end is dropped, and counted.",
            "To see traces, metrics and logs: [bold]make stack[/], then run the demo again.",
        ]
    if slowest is None:
        return running
    return [
        *running,
        f"The slowest tick to trade is trace [bold]{slowest}[/]. Find it with",
        f"  curl -s {jaeger}/api/traces/{slowest}",
        f"  or in Grafana, {grafana}: Explore, Jaeger, {slowest}",
    ]
