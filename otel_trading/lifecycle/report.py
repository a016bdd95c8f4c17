"""The report at the end: a table in a terminal, plain lines elsewhere."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from otel_trading.lifecycle.model import EndReport

_MARKS = {"done": "ok", "failed": "FAILED", "timeout": "TIMED OUT", "abandoned": "LEFT BEHIND", "skipped": "skipped"}
_STYLES = {"done": "green", "skipped": "dim"}


def headline(report: EndReport) -> str:
    """The report in one line.

    >>> from otel_trading.lifecycle.model import EndReport, Phase
    >>> headline(EndReport("signal", 15, 1.204, 25, (Phase("cancel_orders", "done", 1.1),), 1))
    'shutdown complete: SIGTERM, 1 step in 1.2 of 25 s'
    """
    bad = [phase.name for phase in report.phases if phase.outcome not in ("done", "skipped")]
    count = len(report.phases)
    word = "complete" if report.ok else f"INCOMPLETE ({', '.join(bad) or 'steps left out'})"
    why = report.signal_name or report.reason
    return (
        f"shutdown {word}: {why}, {count} step{'' if count == 1 else 's'} in {report.seconds:.1f} of "
        f"{report.timeout:g} s" + (f", hurried by {report.signals} signals" if report.signals > 1 else "")
    )


def plain(report: EndReport) -> str:
    """The report as lines of text.

    >>> from otel_trading.lifecycle.model import EndReport, Phase
    >>> phases = Phase("cancel_orders", "failed", 1.1, "2 are open"), Phase("save_state", "done", 0.01)
    >>> print(plain(EndReport("end of the day", None, 1.204, 25, phases)))
    otel-trading: shutdown INCOMPLETE (cancel_orders): end of the day, 2 steps in 1.2 of 25 s
      cancel_orders  FAILED   1.100 s  2 are open
      save_state     ok       0.010 s
    """
    width = max((len(phase.name) for phase in report.phases), default=0)
    marks = max((len(_MARKS[phase.outcome]) for phase in report.phases), default=0)
    rows = [
        f"  {phase.name:<{width}}  {_MARKS[phase.outcome]:<{marks}} {phase.seconds:>7.3f} s  {phase.detail}".rstrip()
        for phase in report.phases
    ]
    return "\n".join([f"otel-trading: {headline(report)}", *rows])


def show(report: EndReport, stream: TextIO) -> None:
    """Print it."""
    if stream.isatty() and find_spec("rich") is not None:
        _show_table(report, stream)
    else:
        stream.write(plain(report) + "\n")
    stream.flush()


def _show_table(report: EndReport, stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=headline(report), title_style="bold green" if report.ok else "bold red", title_justify="left")
    for name, justify in (("step", "left"), ("outcome", "left"), ("seconds", "right"), ("", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for phase in report.phases:
        mark = Text(_MARKS[phase.outcome], style=_STYLES.get(phase.outcome, "bold red"))
        table.add_row(phase.name, mark, f"{phase.seconds:.3f}", Text(phase.detail))
    Console(file=stream).print(table)
