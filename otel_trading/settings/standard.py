"""Standard variables that opentelemetry-sdk reads by itself, some while it is imported, some by raising.

They are checked before the SDK is imported; one that would stop the bot is reported and taken out of the
environment while the SDK reads it, so that its default holds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points

from otel_trading.settings import parse
from otel_trading.settings.problems import Problem

Check = tuple[Callable[[str], bool], str, str]
"""Whether a value is usable, what is allowed, and the default in words."""


def unusable(variables: Mapping[str, str]) -> list[Problem]:
    """The variables whose value would raise in opentelemetry-sdk, with what is allowed.

    >>> print(*unusable({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "abc"}))
    OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT='abc' (environment) is not usable; allowed: a whole number from 0; using 128
    """
    found = []
    for name, (usable, allowed, default) in CHECKS.items():
        value = variables.get(name, "").strip()
        if value and not usable(value):
            found.append(Problem(name, value, allowed, default, "environment"))
    return found


@contextmanager
def repaired_environment(problems: list[Problem]) -> Iterator[None]:
    """Take unusable variables out of the environment while the SDK reads it; they are put back afterwards."""
    taken = {problem.setting: os.environ.pop(problem.setting, None) for problem in problems}
    try:
        yield
    finally:
        os.environ.update({name: value for name, value in taken.items() if value is not None})


def timeout_hints(variables: Mapping[str, str]) -> list[str]:
    """A hint for every export timeout so short that it was probably meant as seconds.

    >>> timeout_hints({"OTEL_EXPORTER_OTLP_TIMEOUT": "10"})[0]
    'OTEL_EXPORTER_OTLP_TIMEOUT=10 means 10 ms (OpenTelemetry specification); for 10 s set it to 10000'
    """
    hints = []
    for name in ("OTEL_EXPORTER_OTLP_TIMEOUT", *(f"OTEL_EXPORTER_OTLP_{s}_TIMEOUT" for s in _SIGNALS)):
        value = variables.get(name, "").strip()
        if _number(value) and 0 < float(value) < _SHORTEST_PLAUSIBLE_TIMEOUT_MS:
            hints.append(
                f"{name}={value} means {value} ms (OpenTelemetry specification); "
                f"for {value} s set it to {float(value) * 1_000:.0f}"
            )
    return hints


_SIGNALS = ("TRACES", "METRICS", "LOGS")
_SHORTEST_PLAUSIBLE_TIMEOUT_MS = 100


def _number(value: str) -> bool:
    try:
        parse.number(value)
    except ValueError:
        return False
    return True


def _whole_from_zero(value: str) -> bool:
    return value.isascii() and value.isdigit()


def _installed(group: str, *, builtin: tuple[str, ...] = ()) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        known = {entry.name for entry in entry_points(group=group)} | set(builtin)
        return all(name in known for name in parse.names(value))

    return check


_COUNT_LIMITS = {
    "OTEL_ATTRIBUTE_COUNT_LIMIT": "128",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "128",
    "OTEL_SPAN_EVENT_COUNT_LIMIT": "128",
    "OTEL_SPAN_LINK_COUNT_LIMIT": "128",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": "128",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": "128",
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": "128",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "no limit",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "no limit",
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": "no limit",
}

_CREDENTIAL_PROVIDERS = [
    f"OTEL_PYTHON_EXPORTER_OTLP_{transport}_{signal}CREDENTIAL_PROVIDER"
    for transport in ("HTTP", "GRPC")
    for signal in ("", *(f"{signal}_" for signal in _SIGNALS))
]

CHECKS: dict[str, Check] = {
    **dict.fromkeys(
        _CREDENTIAL_PROVIDERS, (lambda _: False, "OTEL_EXPORTER_OTLP_HEADERS in its place", "no credentials of its own")
    ),
    **{name: (_whole_from_zero, "a whole number from 0", default) for name, default in _COUNT_LIMITS.items()},
    "OTEL_PYTHON_ID_GENERATOR": (
        _installed("opentelemetry_id_generator", builtin=("random",)),
        "the name of an installed id generator",
        "random",
    ),
    "OTEL_PYTHON_CONTEXT": (
        _installed("opentelemetry_context"),
        "the name of an installed context",
        "contextvars_context",
    ),
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": (
        _installed("opentelemetry_resource_detector", builtin=("*",)),
        "a comma separated list of installed resource detectors, or *",
        "otel",
    ),
}
"""Every variable the SDK reads and does not survive or silently misreads, and those that only its exporters read."""
