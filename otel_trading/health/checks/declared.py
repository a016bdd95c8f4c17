"""Checks that the configuration asks for, such as ``[health.checks.redis]``."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from otel_trading import redaction
from otel_trading.health.checks import probes
from otel_trading.health.checks.check import Check, Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.health.checks.probe import Probe

_TYPES = {
    "redis": "redis",
    "cache": "redis",
    "postgres": "postgres",
    "postgresql": "postgres",
    "database": "postgres",
    "http": "http",
    "https": "http",
    "external": "http",
    "api": "http",
    "websocket": "websocket",
    "ws": "websocket",
    "tcp": "tcp",
    "dns": "dns",
    "collector": "collector",
}
"""Kinds of checks by the words for them."""
_SCHEMES = {
    "redis": "redis",
    "rediss": "redis",
    "unix": "redis",
    "postgres": "postgres",
    "postgresql": "postgres",
    "postgresql+asyncpg": "postgres",
    "postgresql+psycopg": "postgres",
    "http": "http",
    "https": "http",
    "ws": "websocket",
    "wss": "websocket",
    "tcp": "tcp",
    "dns": "dns",
    "collector": "collector",
}
_SAME = {
    "dsn": "url",
    "address": "url",
    "check_interval": "interval",
    "dependencies": "depends_on",
    "max_latency": "slow",
    "expected_status": "status",
}
_TERMS = ("interval", "timeout", "critical", "depends_on", "slow", "failures")
_ABOUT = {
    "redis": (),
    "postgres": ("query",),
    "http": ("status", "method", "headers"),
    "websocket": ("ping", "headers"),
    "tcp": ("host", "port"),
    "dns": ("host",),
    "collector": (),
}


def check_of(name: str, entry: Mapping[str, Any] | str, database: str = "") -> Check:
    """The check of a table's entry, or of the compact ``url;critical;interval=10``; raises ``ValueError`` in words.

    ``database`` is the URL that holds where a check of a database has none.

    >>> made = check_of("cache", "redis://localhost:6379;critical;interval=10")
    >>> made.terms.critical, made.terms.interval, made.probe.kind
    (True, 10.0, 'redis')
    """
    given = _compact(entry) if isinstance(entry, str) else {str(key): value for key, value in entry.items()}
    given = {_SAME.get(key, key): value for key, value in given.items()}
    kind = _kind(given)
    unknown = sorted(given.keys() - {"type", "url", *_TERMS, *_ABOUT[kind]})
    if unknown:
        near = difflib.get_close_matches(unknown[0], ("url", *_TERMS, *_ABOUT[kind]), 1)
        message = f"{unknown[0]} is not known{f' (did you mean {near[0]}?)' if near else ''}"
        raise ValueError(message)
    probe = _probe(kind, given, database)
    return Check(name, probe, _terms({key: given[key] for key in _TERMS if key in given}))


def in_words(name: str, error: Exception) -> str:
    """What is wrong with an entry, without secrets."""
    said = " ".join(str(error).split()) or type(error).__name__
    return redaction.redact(f"health_checks: {name} is left out: {said}")


def _compact(entry: str) -> dict[str, Any]:
    """A URL, with terms behind semicolons."""
    url, *rest = (part.strip() for part in entry.split(";"))
    given: dict[str, Any] = {"url": url}
    for part in rest:
        key, separator, value = part.partition("=")
        if part:
            given[key.strip()] = value.strip() if separator else True
    return given


def _kind(given: Mapping[str, Any]) -> str:
    url, said = str(given.get("url", "")), given.get("type")
    by_scheme = _SCHEMES.get(url.partition("://")[0].lower()) if "://" in url else None
    if said is None:
        if by_scheme is None:
            message = f"it needs a type ({', '.join(_ABOUT)}), or a url that begins with one of {', '.join(_SCHEMES)}"
            raise ValueError(message)
        return by_scheme
    kind = _TYPES.get(str(said).strip().lower())
    if kind is None:
        message = f"type={said!r} is none of {', '.join(_TYPES)}"
        raise ValueError(message)
    if kind == "http" and by_scheme == "websocket":
        return by_scheme  # an external service may be either
    return kind


def _terms(given: Mapping[str, Any]) -> Terms:
    as_given: dict[str, Callable[[Any], Any]] = {
        "interval": float,
        "timeout": float,
        "slow": float,
        "failures": int,
        "critical": _truth,
        "depends_on": _names,
    }
    read: dict[str, Any] = {}
    for key, value in given.items():
        try:
            read[key] = as_given[key](value)
        except (TypeError, ValueError):
            message = f"{key}={value!r} cannot be used"
            raise ValueError(message) from None
    return Terms(**read)


def _truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
    try:
        return words[str(value).strip().lower()]
    except KeyError:
        raise ValueError(value) from None


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, (list, tuple)):
        return tuple(map(str, value))
    raise ValueError(value)


def _probe(kind: str, given: Mapping[str, Any], database: str) -> Probe:
    url = str(given.get("url", "")).strip()
    about = {key: given[key] for key in _ABOUT[kind] if key in given}
    if kind in {"tcp", "dns"}:
        place = url.partition("://")[2] or url
        host, _, port = place.rpartition(":") if kind == "tcp" else (place, "", "")
        host, port = str(about.get("host", host)).strip("[]/"), about.get("port", port)
        if not host or (kind == "tcp" and not str(port).isdigit()):
            message = "it needs a host and a port" if kind == "tcp" else "it needs a host"
            raise ValueError(message)
        return probes.tcp(host, int(port)) if kind == "tcp" else probes.dns(host)
    if kind == "postgres" and not url:
        url = database
    if kind == "collector":
        url = url.replace("collector://", "http://")
    if not url and kind in {"http", "websocket"}:
        message = "it needs a url"
        raise ValueError(message)
    if "status" in about:
        about["status"] = int(about["status"])
    if "ping" in about:
        about["ping"] = _truth(about["ping"])
    made: Probe = getattr(probes, kind)(*([url] if url else []), **about)
    return made
