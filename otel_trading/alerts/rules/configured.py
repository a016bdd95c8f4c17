"""Rules and routes as the configuration has them."""

from __future__ import annotations

import difflib
import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from otel_trading.alerts.model import AlertLevel
from otel_trading.alerts.routing import LOG, Route
from otel_trading.alerts.rules.model import Rule, Step
from otel_trading.settings.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|min|m|h|d|)")
_A_DURATION = "seconds, or a text such as 90s, 15min or 1h"
_A_NUMBER = "a number, or a time such as 2s or 500ms"
_A_LEVEL = "INFO, WARNING, ERROR or CRITICAL"
_NAMES = "a list of channels"
_SOURCE = "settings"
_ALIKE = 0.8


def seconds(value: object) -> float:
    """A duration.

    >>> seconds(30), seconds("15min"), seconds("500ms")
    (30.0, 900.0, 0.5)
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    match = _DURATION.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(value)
    return float(match[1]) * _UNITS[match[2]]


def number(value: object) -> float:
    """A number that something is compared with."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return seconds(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:  # noqa: PLR0124 - not a number
        raise ValueError(value)
    return float(value)


def level(value: object) -> AlertLevel:
    """A level, in whatever case."""
    return AlertLevel(str(value).strip().upper())


def names(value: object) -> tuple[str, ...]:
    """Names, as a list or separated by commas."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise ValueError(value)
    return tuple(each.strip() for each in value if each.strip())


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
    try:
        return words[str(value).strip().lower()]
    except KeyError as error:
        raise ValueError(value) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004 - one kind of error for what cannot be used
    return value


def _steps(value: object) -> tuple[Step, ...]:
    if value in (False, None, "none", "off"):
        return ()
    if isinstance(value, (str, int, float)):
        return (Step(seconds(value), AlertLevel.ERROR),)
    if not isinstance(value, (list, tuple)):
        raise ValueError(value)  # noqa: TRY004 - as above
    return tuple(sorted((_step(each) for each in value), key=lambda step: step.after))


def _step(value: object) -> Step:
    if not isinstance(value, dict) or not {"after"} <= set(value) <= {"after", "level", "channels"}:
        raise ValueError(value)
    raised = None if value.get("level") is None else level(value["level"])
    return Step(seconds(value["after"]), raised, names(value.get("channels", ())))


_KEYS: dict[str, tuple[str, Callable[[object], Any], str]] = {
    "enabled": ("enabled", _switch, "true or false"),
    "level": ("level", level, _A_LEVEL),
    "threshold": ("threshold", number, _A_NUMBER),
    "for": ("for_", seconds, _A_DURATION),
    "resolve_after": ("resolve_after", seconds, _A_DURATION),
    "again": ("again", seconds, _A_DURATION),
    "channels": ("channels", names, _NAMES),
    "escalation": ("steps", _steps, "a time, or a list of {after, level, channels}; none switches it off"),
    "stop": ("stop", _switch, "true or false"),
    "runbook": ("runbook", _text, "a text, such as a URL"),
}
"""What the configuration may say of a rule: the field, how it is read, and what is allowed."""


def configured(rule: Rule, said: object) -> tuple[Rule, list[Problem | str]]:
    """A rule with what the configuration says of it, and what of that cannot be used.

    >>> from otel_trading.alerts.rules.declared import RULES
    >>> rule, problems = configured(RULES["high_latency"], {"threshold": "500ms", "for": "1min"})
    >>> rule.threshold, rule.for_, problems
    (0.5, 60.0, [])
    """
    where = f"alerts_rules.{rule.name}"
    if isinstance(said, bool):
        return replace(rule, enabled=said), []
    if not isinstance(said, dict):
        return rule, [Problem(where, said, "a table of settings, or false", "its defaults", _SOURCE)]
    changes: dict[str, Any] = {}
    options = dict(rule.options)
    problems: list[Problem | str] = []
    for key, value in said.items():
        if key in _KEYS:
            place, read, allowed = _KEYS[key]
        elif key in options:
            place, read, allowed = "", number, _A_NUMBER
        else:
            problems.append(f"{where}.{key} is no setting of the rule{_nearest(key, (*_KEYS, *options))}; ignored")
            continue
        try:
            parsed = read(value)
        except (ValueError, TypeError):
            used = options[key] if not place else getattr(rule, place)
            problems.append(Problem(f"{where}.{key}", value, allowed, _shown(used), _SOURCE))
            continue
        if place:
            changes[place] = parsed
        else:
            options[key] = parsed
    return replace(rule, **changes, options=options), problems


def unknown_rules(said: Iterable[str], known: Iterable[str]) -> list[str]:
    """Names that are probably mistyped; one that is like no other may be a rule that the bot brings along later."""
    known = list(known)
    found = []
    for name in said:
        near = difflib.get_close_matches(name, known, 1, _ALIKE) if name not in known else ()
        if near:
            found.append(f"alerts_rules.{name} is no rule (did you mean {near[0]}?)")
    return found


def unknown_channels(rules: Iterable[Rule], kinds: Mapping[str, str]) -> list[str]:
    """What is said of channels that are not there."""
    found = []
    for rule in rules:
        wanted = {*rule.channels, *(name for step in rule.steps for name in step.channels)}
        found += [_no_channel(f"alerts_rules.{rule.name}", name, kinds) for name in sorted(wanted)]
    return [each for each in found if each]


def routes(said: Iterable[object], kinds: Mapping[str, str]) -> tuple[list[Route], list[Problem | str]]:
    """The routes of the configuration, and what of them cannot be used."""
    found: list[Route] = []
    problems: list[Problem | str] = []
    allowed = "a table with channels, and if need be level and rule"
    for place, row in enumerate(said):
        where = f"alerts_routes[{place}]"
        if not isinstance(row, dict) or not {"channels"} <= set(row) <= {field.name for field in fields(Route)}:
            problems.append(Problem(where, row, allowed, "no such route", _SOURCE))
            continue
        try:
            least = level(row.get("level", AlertLevel.INFO))
            route = Route(names(row["channels"]), least, _text(row.get("rule", "*")))
        except ValueError:
            problems.append(Problem(where, row, f"{allowed}; a level is {_A_LEVEL}", "no such route", _SOURCE))
            continue
        problems += [said for name in route.channels if (said := _no_channel(where, name, kinds))]
        found.append(route)
    return found, problems


def _no_channel(where: str, name: str, kinds: Mapping[str, str]) -> str:
    if name in kinds or name == LOG:
        return ""
    return f"{where}: there is no channel {name}{_nearest(name, kinds)}; nobody is told there"


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""


def _shown(value: object) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return ", ".join(f"{each}" for each in value)
    return f"{value}"
