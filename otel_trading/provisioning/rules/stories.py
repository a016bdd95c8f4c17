"""The input of the kit's own cases: series that are well for five minutes, bad for five, and well again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.provisioning.rules.model import Case
from otel_trading.trading.conventions import prometheus_name

if TYPE_CHECKING:
    from collections.abc import Mapping

BOT = {"job": "bots/basis", "instance": "one"}
VENUE = {**BOT, "trading_venue_name": "kraken"}

QUIET, FIRES, RESOLVED = "4m", "9m", "25m"
_STEPS = 20
_AFTER = 120
_FAST, _SLOW = -10, 4
"""Buckets of native histograms: about a millisecond, and 8 to 16 seconds."""


def series(name: str, labels: Mapping[str, str] | None = None, **more: str) -> str:
    """The selector of a series in promtool's input."""
    each = {**(labels or {}), **more}
    return name + "{" + ", ".join(f'{label}="{value}"' for label, value in each.items()) + "}"


def steps(*phases: tuple[float, int]) -> str:
    """A counter from 0 that grows by so much, so many times, then by something else.

    >>> steps((10, 3), (0, 2))
    '0 10+10x2 30+0x1'
    """
    value, parts = 0.0, ["0"]
    for growth, times in phases:
        parts.append(f"{value + growth:g}+{growth:g}x{times - 1}")
        value += growth * times
    return " ".join(parts)


def level(well: float, bad: float, after: float | None = None) -> str:
    """A gauge that is bad from the fifth to the tenth minute."""
    return f"{well:g}x{_STEPS - 1} {bad:g}x{_STEPS - 1} {well if after is None else after:g}x{_AFTER}"


def counts(well: float, bad: float) -> str:
    """A counter that grows by so much every fifteen seconds, and otherwise from the fifth to the tenth minute."""
    return steps((well, _STEPS - 1), (bad, _STEPS), (well, _AFTER))


BORN = f"_x{_STEPS - 1} 1x{_STEPS + _AFTER}"
"""A counter whose series begins with 1 in the fifth minute, because it was then that something first happened."""


def gauge(
    name: str, labels: Mapping[str, str], well: float, bad: float, *, told: Mapping[str, str] | None = None,
    value: str = "", beside: Mapping[str, str] | None = None, fires: str = FIRES, resolved: str = RESOLVED,
) -> Case:  # fmt: skip
    """A gauge becomes bad; ``told`` are the labels of the alert where they are not those of the series."""
    return Case(
        series={series(name, labels): level(well, bad), **(beside or {})},
        labels=labels if told is None else told,
        value=value,
        quiet=(QUIET,),
        fires=fires,
        resolved=resolved,
    )


def failing(
    name: str, labels: Mapping[str, str], *, told: Mapping[str, str] | None = None, value: str = "",
    values: str = "0x19 1+1x20 20x100", fires: str = "6m",
) -> Case:  # fmt: skip
    """A counter that was always 0 grows for five minutes; ``told`` are the labels of the alert where they differ."""
    return Case(
        series={series(name, labels): values},
        labels=labels if told is None else told,
        value=value,
        quiet=(QUIET,),
        fires=fires,
        resolved=RESOLVED,
    )


def first(name: str, labels: Mapping[str, str], *, told: Mapping[str, str] | None = None, value: str = "1") -> Case:
    """Something happens for the first time: its series begins with 1."""
    return Case(
        series={series(name, labels): BORN},
        labels=labels if told is None else told,
        value=value,
        quiet=(QUIET,),
        fires="6m",
        resolved=RESOLVED,
        about="it fires at the very first time",
    )


def again(name: str, labels: Mapping[str, str], *, told: Mapping[str, str] | None = None, value: str = "") -> Case:
    """Something happens that has happened before, and the counter begins anew once in between."""
    return Case(
        series={series(name, labels): f"7x{4 * _STEPS - 1} 8x1 0x{_AFTER}"},
        labels=labels if told is None else told,
        value=value,
        quiet=("15m",),
        fires="21m",
        resolved="40m",
        about="it fires when it happens again, and a restarted counter is nothing new",
    )


def slow(
    instrument: str, labels: Mapping[str, str], *, values: tuple[str, str], told: Mapping[str, str] | None = None,
    low: float, high: float, fires: str = FIRES, resolved: str = RESOLVED, beside: Mapping[str, str] | None = None,
) -> tuple[Case, Case]:  # fmt: skip
    """What a histogram measures becomes large: first as a native one, then with explicit buckets.

    ``values`` are what the summaries say then; ``low`` and ``high`` are boundaries, below and above the threshold.
    """
    name = prometheus_name(instrument)
    width = _SLOW - _FAST + 1
    fast = f"{{{{schema:0 count:10 sum:0.01 offset:{_FAST} buckets:[10{' 0' * (width - 1)}]}}}}"
    late = f"{{{{schema:0 count:10 sum:100 offset:{_FAST} buckets:[0{' 0' * (width - 2)} 10]}}}}"
    peak = _STEPS * 10
    grown = f"{{{{schema:0 count:{peak} sum:0.2 offset:{_FAST} buckets:[{peak}{' 0' * (width - 1)}]}}}}"
    both = f"{{{{schema:0 count:{2 * peak} sum:2000 offset:{_FAST} buckets:[{peak}{' 0' * (width - 2)} {peak}]}}}}"
    native = {series(name, labels): f"{fast}+{fast}x{_STEPS - 1} {grown}+{late}x{_STEPS} {both}+{fast}x{_AFTER}"}
    everything = counts(10, 10)
    classic = {
        series(f"{name}_bucket", labels, le=f"{low:g}"): counts(10, 0),
        series(f"{name}_bucket", labels, le=f"{high:g}"): everything,
        series(f"{name}_bucket", labels, le="+Inf"): everything,
        series(f"{name}_count", labels): everything,
    }
    alert = labels if told is None else told
    return tuple(
        Case(
            series={**given, **(beside or {})},
            labels=alert,
            value=value,
            quiet=(QUIET,),
            fires=fires,
            resolved=resolved,
            about=about,
        )
        for given, value, about in (
            (native, values[0], "native histograms: it is quiet, fires and is over"),
            (classic, values[1], "explicit buckets: it is quiet, fires and is over"),
        )
    )  # type: ignore[return-value]
