"""What can be known of new settings before they are tried: so that nobody ever sees those that will not do."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from otel_trading.export.destination import SIGNALS
from otel_trading.export.plugin import load
from otel_trading.instrument.registry import LIBRARIES, OWN

if TYPE_CHECKING:
    from otel_trading.settings import Settings

_EXPORTERS = frozenset({"otlp", "none", "prometheus"})


def objections(old: Settings, new: Settings) -> list[str]:
    """What is wrong with the new settings that was not with the old ones."""
    return [*_budgets(new), *_exporters(old, new), *_libraries(old, new), *_port(old, new)]


def _budgets(new: Settings) -> list[str]:
    from otel_trading.metrics.event_options import EventOptions

    try:
        EventOptions(sla_thresholds=dict(new.budgets))
    except ValueError as error:
        return [f"budgets: {error}"]
    return []


def _exporters(old: Settings, new: Settings) -> list[str]:
    found = []
    for signal in SIGNALS:
        option = f"{signal}_exporter"
        for name in set(getattr(new, option)) - set(getattr(old, option)) - _EXPORTERS:
            try:
                load(signal, name)
            except LookupError as error:
                found.append(f"{option}={name!r} is not usable; allowed: an installed exporter ({error.args[0]})")
            except Exception as error:
                found.append(f"{option}={name!r} is not usable: {type(error).__name__}: {error}")
    return found


def _libraries(old: Settings, new: Settings) -> list[str]:
    allowed = ["auto", "none", *OWN, *LIBRARIES]
    unknown = [name for name in new.instrument if name not in allowed and name not in old.instrument]
    return [f"instrument={name!r} is not usable; allowed: {', '.join(allowed)}" for name in unknown]


def _port(old: Settings, new: Settings) -> list[str]:
    """Whether the port can be had; one that the kit has already can."""
    if not new.ops_enabled or new.ops_port in {0, old.ops_port}:
        return []
    family = socket.AF_INET6 if ":" in new.ops_host else socket.AF_INET
    try:
        socket.create_server((new.ops_host, new.ops_port), family=family).close()
    except OSError as error:
        return [f"ops_port={new.ops_port} on {new.ops_host} cannot be used ({error.strerror or error})"]
    return []
