"""The run on the screen: a live table in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from otel_trading.demo.keys import HINT
from otel_trading.demo.summary import milliseconds
from otel_trading.demo.tally import percentiles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rich.console import Console, RenderableType

    from otel_trading.demo.bot.strategy import VenueName
    from otel_trading.demo.runner import Run

_LIVE_SECONDS = 0.25
_PLAIN_SECONDS = 5.0
_OLD = 2.0
_RATE_OVER = 2.0
_CLOCKS_APART = 0.25
_WIDTH = 110
_COLUMNS = ("", "frames", "per s", "last price", "age", "connection", "latency", "position", "ack p50", "ack p99")


class View:
    """Draws a run.

    Args:
        run: what to draw.
        console: where to.
        keys: whether single keys switch faults on, so that they are named.

    """

    def __init__(self, run: Run, console: Console, *, keys: bool = False) -> None:
        self._run = run
        self._console = console
        self._keys = keys
        self._counts: list[tuple[float, dict[VenueName, int]]] = []

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Keep the screen current while the block runs."""
        if not self._console.is_terminal:
            task = asyncio.create_task(self._say())
            try:
                yield
            finally:
                task.cancel()
            return
        with Live(self._draw(), console=self._console, auto_refresh=False, redirect_stderr=True) as live:
            task = asyncio.create_task(self._redraw(live))
            try:
                yield
            finally:
                task.cancel()
                live.update(self._draw(), refresh=True)

    async def _redraw(self, live: Live) -> None:
        while True:
            self._measure()
            live.update(self._draw(), refresh=True)
            await asyncio.sleep(_LIVE_SECONDS)

    async def _say(self) -> None:
        while True:
            await asyncio.sleep(_PLAIN_SECONDS)
            self._measure()
            self._console.print(self._line(), soft_wrap=True, highlight=False)

    def _line(self) -> str:
        run, tally = self._run, self._run.tally
        progress = "" if run.progress is None else f" ({run.progress:.0%})"
        ways = percentiles([way.seconds for way in tally.ticks_to_trade])
        return (
            f"{run.seconds:6.1f} s{progress}: {tally.messages:,} messages, basis {run.bot.strategy.basis_bps:+.2f} bp, "
            f"{tally.orders} orders, {tally.fills} fills, {tally.rejects} rejects, P&L {tally.realized:+.2f} USDT, "
            f"tick to trade p50 {milliseconds(ways['p50'])} p99 {milliseconds(ways['p99'])}, "
            f"telemetry {run.status.sent:,} sent {run.status.dropped:,} dropped"
        )

    def _draw(self) -> RenderableType:
        parts: list[RenderableType] = [self._venues(), Text(), self._figures(), Text(), self._events()]
        if self._run.progress is not None:
            bar = Table.grid()
            bar.add_row(ProgressBar(total=1.0, completed=self._run.progress, width=60))
            parts += [Text(), bar]
        hint = HINT if self._keys else "Ctrl-C ends the run"
        parts.append(Text(hint, style="dim", no_wrap=True, overflow="ellipsis"))
        return Panel(
            Group(*parts),
            title=f"basis bot · {self._run.seconds:.0f} s",
            title_align="left",
            width=min(self._console.width, _WIDTH),
        )

    def _venues(self) -> Table:
        run = self._run
        table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
        for title in _COLUMNS:
            table.add_column(title, justify="left" if title in {"", "connection"} else "right", no_wrap=True)
        now_ns, rates = run.now_ns(), self._rates()
        for name, feed in run.tally.feeds.items():
            age = (now_ns - feed.received_ns) / 1e9 if feed.received_ns else None
            acks = percentiles(run.tally.acks[name])
            table.add_row(
                Text(name, style="cyan"),
                f"{feed.frames.total():,}",
                f"{rates.get(name, 0.0):,.0f}",
                f"{feed.last_price:,.1f}",
                Text("-") if age is None else Text(milliseconds(age), style="bold red" if age > _OLD else ""),
                _connection(connected=feed.connected, age=age),
                _latency(feed.latency),
                f"{run.tally.positions[name]:+.5f}",
                milliseconds(acks["p50"]),
                milliseconds(acks["p99"]),
            )
        return table

    def _figures(self) -> Table:
        run, tally, strategy = self._run, self._run.tally, self._run.bot.strategy
        profit = tally.realized + tally.unrealized
        ways = percentiles([way.seconds for way in tally.ticks_to_trade])
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in tally.trades.items()) or "none yet"
        pending = sum(account.pending for account in run.status.signals.values())
        table = Table.grid(padding=(0, 2))
        table.add_column(style="cyan", no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_row(
            "basis",
            f"{strategy.basis_bps:+.2f} bp, {strategy.deviation_bps:+.2f} from its mean, "
            f"opens at ±{strategy.threshold_bps:.2f}",
        )
        table.add_row("orders", f"{tally.orders} sent · {tally.fills} fills · {tally.rejects} rejects")
        table.add_row("trades", outcomes + (f" · limit reached: {tally.limit}" if tally.limit else ""))
        table.add_row(
            "P&L",
            Text(f"{profit:+.2f} USDT", style="bold green" if profit >= 0 else "bold red").append(
                f"  realized {tally.realized:+.2f}, open {tally.unrealized:+.2f}, commissions {tally.commission:.2f}",
                style="not bold default",
            ),
        )
        table.add_row("tick to trade", f"p50 {milliseconds(ways['p50'])} · p99 {milliseconds(ways['p99'])}")
        where = "no Collector" if run.status.unreachable else "delivered"
        where += f" · {run.status.ops_url}/metrics" if run.status.ops_url else ""
        table.add_row(
            "telemetry",
            f"{run.status.sent:,} sent · {pending:,} pending · {run.status.dropped:,} dropped · {where}",
        )
        if run.active_faults:
            table.add_row("faults", Text(", ".join(run.active_faults), style="bold yellow"))
        return table

    def _events(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", width=68)
        table.add_column(style="magenta", no_wrap=True)
        events = list(self._run.tally.events)
        for moment, text, trace_id in [*events, *[(0.0, "", "")] * (8 - len(events))]:
            clock = time.strftime("%H:%M:%S", time.localtime(moment)) if moment else ""
            table.add_row(clock, text, trace_id[:8])
        return table

    def _measure(self) -> None:
        now = time.perf_counter()
        self._counts.append((now, {name: feed.frames.total() for name, feed in self._run.tally.feeds.items()}))
        while now - self._counts[0][0] > _RATE_OVER and len(self._counts) > 2:  # noqa: PLR2004 - the ends of a span
            self._counts.pop(0)

    def _rates(self) -> dict[VenueName, float]:
        if len(self._counts) < 2:  # noqa: PLR2004 - the ends of a span
            return {}
        (before, old), (now, new) = self._counts[0], self._counts[-1]
        return {name: (new[name] - old[name]) / (now - before) for name in new}


def _connection(*, connected: bool, age: float | None) -> Text:
    if not connected:
        return Text("disconnected", style="bold red")
    if age is not None and age > _OLD:
        return Text("open, silent", style="bold yellow")
    return Text("connected", style="green")


def _latency(seconds: float) -> Text:
    """By the venue's clock: negative where that is ahead of ours."""
    apart = seconds < 0 or seconds > _CLOCKS_APART
    return Text(f"{seconds * 1e3:,.0f} ms" if seconds else "-", style="bold yellow" if apart else "")
