"""From the text of an environment variable to the value of an option."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import unquote, urlsplit

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_STOPPING = frozenset({"SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"})
_LEVELS = frozenset({"TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"})


def text(value: str) -> str:
    """The text itself, without the blanks around it."""
    return value.strip()


def number(value: str) -> float:
    """A finite number.

    >>> number(" 2.5 ")
    2.5
    """
    parsed = float(value)
    if not abs(parsed) < float("inf"):
        raise ValueError(value)
    return parsed


def seconds_from_milliseconds(value: str) -> float:
    """Seconds from the milliseconds of the OpenTelemetry specification.

    >>> seconds_from_milliseconds("250")
    0.25
    """
    return number(value) / 1_000


def power_of_two(value: int) -> int:
    """The number itself, if it is a power of two.

    >>> power_of_two(4_096)
    4096
    """
    if value.bit_count() != 1:
        raise ValueError(value)
    return value


def time_of_day(value: str) -> str:
    """A time of day as it is given, if it is one.

    >>> time_of_day("17:00")
    '17:00'
    """
    dt.time.fromisoformat(value)
    return value


def names(value: str) -> tuple[str, ...]:
    """A comma separated list.

    >>> names("otlp, console")
    ('otlp', 'console')
    """
    return tuple(part.strip() for part in value.split(",") if part.strip())


def lines(value: str) -> tuple[str, ...]:
    """A list of texts that may have commas: one a line, or JSON.

    >>> lines('["[a-z]{1,3}"]'), lines("[0-9]{6,9}")
    (('[a-z]{1,3}',), ('[0-9]{6,9}',))
    """
    try:
        found = json.loads(value)
    except ValueError:
        found = value.splitlines()
    if not isinstance(found, list) or not all(isinstance(line, str) for line in found):
        found = value.splitlines()
    return tuple(line.strip() for line in found if line.strip())


def pairs(value: str) -> dict[str, str]:
    """Comma separated ``key=value`` pairs, percent-decoded, as in ``OTEL_EXPORTER_OTLP_HEADERS``.

    >>> pairs("api-key=a%2Cb, team=arb")
    {'api-key': 'a,b', 'team': 'arb'}
    """
    found = {}
    for part in names(value):
        key, separator, content = part.partition("=")
        if not separator or not key.strip():
            raise ValueError(part)
        found[unquote(key.strip())] = unquote(content.strip())
    return found


def from_json(value: object) -> object:
    """Tables, by name or one after the other; a text is JSON.

    >>> from_json('{"desk": {"type": "slack"}}')
    {'desk': {'type': 'slack'}}
    """
    return json.loads(value) if isinstance(value, str) else value


def levels(value: dict[str, str]) -> dict[str, str]:
    """Levels of loggers, by name.

    >>> levels({"venue.kraken": "debug"})
    {'venue.kraken': 'DEBUG'}
    """
    found = {name.strip(): level.strip().upper() for name, level in value.items()}
    if not _LEVELS.issuperset(found.values()) or "" in found:
        raise ValueError(value)
    return found


def checks(value: object) -> dict[str, object]:
    """Checks of health by name: a URL each, or a table; in a text comma separated, or JSON.

    >>> checks("cache=redis://localhost;critical, api=https://api.binance.com/api/v3/ping")
    {'cache': 'redis://localhost;critical', 'api': 'https://api.binance.com/api/v3/ping'}
    """
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = json.loads(value)
    elif isinstance(value, str):
        entries = [entry.partition("=") for entry in re.split(r"[,\n]\s*(?=[\w. -]+=)", value) if entry.strip()]
        value = {name.strip(): url.strip() if separator else None for name, separator, url in entries}
    if not isinstance(value, Mapping) or not all(
        str(name) and isinstance(entry, (str, Mapping)) for name, entry in value.items()
    ):
        raise ValueError("a table or a URL by name")
    return {str(name): dict(entry) if isinstance(entry, Mapping) else entry for name, entry in value.items()}


def boolean(value: str) -> bool:
    """``true`` or ``false`` in the usual spellings.

    >>> boolean("on"), boolean("FALSE")
    (True, False)
    """
    word = value.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(value)


def installed_propagators(value: tuple[str, ...]) -> tuple[str, ...]:
    """Propagators that are installed; ``none`` stands for no propagation.

    >>> installed_propagators(("tracecontext",))
    ('tracecontext',)
    """
    known = {entry.name for entry in entry_points(group="opentelemetry_propagator")} | {"none"}
    if not value or not known.issuperset(value):
        raise ValueError(value)
    return value


def stopping_signals(value: tuple[str, ...]) -> tuple[str, ...]:
    """Names of signals that a process may handle, in capitals.

    >>> stopping_signals(("sigterm", "INT"))
    ('SIGTERM', 'SIGINT')
    """
    named = tuple(dict.fromkeys(f"SIG{name.strip().upper().removeprefix('SIG')}" for name in value))
    if not set(named) <= _STOPPING:
        raise ValueError(value)
    return named


def collector_url(value: str) -> str:
    """A URL a Collector may have; the scheme may be left out.

    >>> collector_url("http://127.0.0.1:4318"), collector_url("collector:4317")
    ('http://127.0.0.1:4318', 'collector:4317')
    """
    parts = urlsplit(value if "://" in value else f"http://{value}")
    if parts.scheme not in {"http", "https"} or not parts.hostname or " " in value or parts.port == 0:
        raise ValueError(value)
    return value


def authorities(value: str) -> str:
    """A file of certificates in PEM that can be trusted."""
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(value)
    except OSError as error:
        raise ValueError(value) from error
    return value


def pem_file(value: str) -> str:
    """A file in PEM, whatever it holds."""
    try:
        content = Path(value).read_bytes()
    except OSError as error:
        raise ValueError(value) from error
    if b"-----BEGIN " not in content:
        raise ValueError(value)
    return value
