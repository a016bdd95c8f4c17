"""From the text of an environment variable to the value of an option."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import unquote, urlsplit

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


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


def names(value: str) -> tuple[str, ...]:
    """A comma separated list.

    >>> names("otlp, console")
    ('otlp', 'console')
    """
    return tuple(part.strip() for part in value.split(",") if part.strip())


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
