"""The reference page of names, in Markdown."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from otel_trading.trading.conventions import enums
from otel_trading.trading.conventions.attributes import ATTRIBUTES
from otel_trading.trading.conventions.events import EVENTS, NAMES
from otel_trading.trading.conventions.fix import FixEnum
from otel_trading.trading.conventions.instruments import INSTRUMENTS
from otel_trading.trading.conventions.registry import prometheus_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from otel_trading.trading.aliases import Alias
    from otel_trading.trading.conventions.model import Attribute, Instrument

_HEAD = """\
# Names

What the kit calls things: the attributes of spans, log lines and metrics, the instruments, and the events. FIX is the
field's vocabulary, so an attribute that FIX has a field for carries its tag, and its values are FIX's. This page is
made from the tables in `otel_trading/trading/conventions/`, which dashboards, rules and tests are checked against.

```python
from otel_trading.trading.conventions import check, prometheus_name
from otel_trading.trading.conventions.enums import OrderStatus, Side

assert Side.of("BUY") is Side.of("1") is Side.BUY
assert OrderStatus.of("closed") is OrderStatus.FILLED and OrderStatus.FILLED.fix == "2"
assert prometheus_name("trading.order.ack.duration") == "trading_order_ack_duration_seconds"
assert check(["trading.order.sides"]) == ["trading.order.sides: unknown; the nearest is trading.order.side"]
```

Rules that hold throughout:

- Money has a currency as an attribute, not as a unit; basis points are a unit in braces and an end of the name.
- Time is in seconds. Shares have the unit `1`, and their names end in `ratio`.
- What can fall is no counter.
- A state is one series a state: 1 for the one that holds, 0 for the others.
- What identifies one order, execution, trade or account is never an attribute of a metric.
- All points of an instrument have the same attributes; those in brackets are absent where they say nothing.
"""


def markdown(aliases: Iterable[Alias], unaliased: Mapping[str, str]) -> str:
    """The page; ``aliases`` are names that documents use instead, ``unaliased`` says why others are none."""
    aliases = tuple(aliases)
    return "\n".join(
        [_HEAD, *_attributes(), *_values(), *_instruments(aliases), *_events(), *_other(aliases, unaliased)]
    )


def _attributes() -> Iterator[str]:
    yield "## Attributes\n"
    yield "The key is the name in log lines, and the keyword of the calls that report events.\n"
    yield "| attribute | key | type | FIX | of metrics | meaning |"
    yield "|---|---|---|---|---|---|"
    for attribute in ATTRIBUTES.values():
        yield _row(
            f"`{attribute.name}`", attribute.key and f"`{attribute.key}`", attribute.type, attribute.fix or "",
            "yes" if attribute.metric else "", _meaning(attribute),
        )  # fmt: skip
    yield ""


def _meaning(attribute: Attribute) -> str:
    values = ", ".join(f"`{value}`" for value in attribute.values)
    return f"{attribute.description} {values}".strip()


def _values() -> Iterator[str]:
    yield "## Values\n"
    yield "What an attribute may be, its code in FIX, and what venues and ccxt say that is understood as it.\n"
    for enum in _enums():
        yield f"### {enum.__name__}\n"
        yield f"{(enum.__doc__ or '').splitlines()[0]}\n"
        yield "| value | FIX | also |"
        yield "|---|---|---|"
        for member in enum:
            yield _row(f"`{member.value}`", member.fix, ", ".join(f"`{word}`" for word in member.words))
        yield ""


def _enums() -> list[type[FixEnum]]:
    found = (each for each in vars(enums).values() if isinstance(each, type) and issubclass(each, FixEnum))
    return [each for each in found if each is not FixEnum]


def _instruments(aliases: Iterable[Alias]) -> Iterator[str]:
    yield "## Instruments\n"
    yield "In Prometheus attributes are labels with underscores for dots. Other names are aliases, explained below.\n"
    names: defaultdict[str, list[str]] = defaultdict(list)
    for alias in aliases:
        names[alias.instrument].append(alias.name)
    groups: defaultdict[str, list[Instrument]] = defaultdict(list)
    for instrument in INSTRUMENTS.values():
        groups[".".join(instrument.name.split(".")[:2]) if "trading" in instrument.name else "other"].append(instrument)
    yield "| instrument | kind | unit | in Prometheus | attributes | meaning | other names |"
    yield "|---|---|---|---|---|---|---|"
    for group in groups.values():
        for instrument in group:
            others = ", ".join(f"`{name}`" for name in names.get(instrument.name, ()))
            yield _row(
                f"`{instrument.name}`", _kind(instrument), instrument.unit, f"`{prometheus_name(instrument)}`",
                _names(instrument), instrument.description, others,
            )  # fmt: skip
    yield ""


def _kind(instrument: Instrument) -> str:
    kind = instrument.kind.replace("_", " ")
    return f"{kind}, observed" if instrument.observable else kind


def _names(instrument: Instrument) -> str:
    optional = [f"[`{name}`]" for name in instrument.optional]
    return ", ".join([*(f"`{name}`" for name in instrument.attributes), *optional])


def _events() -> Iterator[str]:
    yield "## Events\n"
    yield "The short name is `event` in log lines; over OTLP, and on spans, the name is the full one.\n"
    yield "| event | name | meaning |"
    yield "|---|---|---|"
    for short, name in NAMES.items():
        yield _row(f"`{short}`", f"`{name}`", EVENTS[name])
    yield ""


def _other(aliases: Iterable[Alias], unaliased: Mapping[str, str]) -> Iterator[str]:
    yield "## Other names\n"
    yield "With the option `metric_aliases` metrics are also there under names that dashboards and rules already use,"
    yield "on the page for Prometheus and over OTLP. Made when metrics are exported, they measure nothing twice.\n"
    yield "| name | kind | made of | labels | meaning |"
    yield "|---|---|---|---|---|"
    for alias in aliases:
        labels = [label for label, _ in alias.labels] + (
            ["quantile"] if any(label for label, _ in alias.quantiles) else []
        )
        made = f"`{alias.instrument}`" + (f", {_how(alias)}" if _how(alias) else "")
        kind = f"{alias.kind}: {', '.join(f'{bound:g}' for bound in alias.bounds)}" if alias.bounds else alias.kind
        yield _row(f"`{alias.name}`", kind, made, ", ".join(f"`{label}`" for label in labels), alias.description)
    yield "\nNot there:\n"
    yield from (f"- `{name}`: {reason}" for name, reason in unaliased.items())
    yield ""


def _how(alias: Alias) -> str:
    chosen = [f"`{name}` {' or '.join(f'`{value}`' for value in values)}" for name, values in alias.where]
    statistic = {"sum": "", "max": "the greatest", "ratio": f"over `{alias.whole}`"}.get(
        alias.statistic, alias.statistic
    )
    scale = f"times {alias.scale:g}" if alias.scale != 1 else ""
    window = f"of {alias.window:g} s" if alias.window else ""
    return ", ".join(part for part in (*chosen, statistic, scale, window) if part)


def _row(*cells: object) -> str:
    return f"| {' | '.join(f'{cell}'.replace('|', chr(92) + '|') for cell in cells)} |"
