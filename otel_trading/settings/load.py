"""Resolving the options: every value with its origin, every problem with its message, never an exception."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from otel_trading.settings import sources
from otel_trading.settings.options import Settings, metadata, shown
from otel_trading.settings.problems import Problem
from otel_trading.settings.sources import Layer, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

_RANKS = ("argument", "environment", "file", "profile", "default")


@dataclass(frozen=True)
class Resolved:
    """The settings, where each came from, and what could not be used."""

    settings: Settings
    origins: Mapping[str, str]
    problems: tuple[Problem | str, ...]
    file: Path | None
    content: bytes | None = None
    """What the file held; ``None`` where it could not be read."""

    def rank(self, option: str) -> int:
        """How strong the origin of an option is: 0 for an argument, 4 for the default."""
        return _RANKS.index(self.origins[option].split(" ", 1)[0])


def resolve(
    given: Mapping[str, object] | None = None,
    *,
    variables: Mapping[str, str] | None = None,
    folder: Path | None = None,
    content: bytes | None = None,
    held: Mapping[str, Value] | None = None,
) -> Resolved:
    """Resolve all options from arguments, environment, file, profile and defaults, in this order.

    A value that cannot be used is reported and the next source's value is taken. With its ``content`` the file is not
    read. What is ``held`` comes before all others.

    >>> resolved = resolve({"ops_port": 9100}, variables={"OTEL_SERVICE_NAME": "basis-bot"})
    >>> resolved.settings.ops_port, resolved.settings.service_name, resolved.origins["service_name"]
    (9100, 'basis-bot', 'environment OTEL_SERVICE_NAME')
    """
    variables = os.environ if variables is None else variables
    given = dict(given or {})
    path = sources.find_file(given.pop("config_file", None), variables, folder or Path.cwd())
    of_file = sources.file(path, content)
    layers = [Layer(dict(held or {})), sources.arguments(given), sources.environment(variables), of_file]
    problems: list[Problem | str] = [problem for layer in layers for problem in layer.problems]
    _, rejected = _validated([Layer({k: v for k, v in layer.values.items() if k == "profile"}) for layer in layers])
    chosen = _merged([_without(layer, rejected) for layer in layers]).get("profile")
    name = str(chosen.raw).strip().lower() if chosen else Settings.model_fields["profile"].default
    layers.append(sources.profile(name))
    settings, rejected = _validated(layers)
    merged = _merged([_without(layer, rejected) for layer in layers])
    origins = {option: merged[option].origin if option in merged else "default" for option in Settings.model_fields}
    unreadable = [entry for layer in layers for entry in layer.rejected]
    problems += [_problem(option, value, settings) for option, value in (*unreadable, *rejected)]
    return Resolved(settings, origins, tuple(problems), path, of_file.content)


def wrong_in(path: Path, content: bytes) -> list[str]:
    """Everything that is wrong in a configuration file, also what stronger sources hide; nothing where all is well.

    >>> wrong_in(Path("bot.toml"), b"ops_port = 99999")
    ['ops_port=99999 is not usable; allowed: a port from 0 (any free one) to 65535']
    """
    layer = sources.file(path, content)
    _, rejected = _validated([layer])
    ends = ("; the file is ignored", "; ignored")
    said = [text.removeprefix(f"configuration file {path}").lstrip(": ") for text in layer.problems]
    told = [next((text.removesuffix(end) for end in ends if text.endswith(end)), text) for text in said]
    for option, value in (*layer.rejected, *rejected):
        problem = _problem(option, value, Settings.model_construct())
        told.append(str(problem).replace(f" ({problem.source}) ", " ").rpartition("; using ")[0])
    return told


def _merged(layers: list[Layer]) -> dict[str, Value]:
    merged: dict[str, Value] = {}
    for layer in reversed(layers):
        merged |= layer.values
    return merged


def _without(layer: Layer, rejected: list[tuple[str, Value]]) -> Layer:
    bad = {id(value) for _, value in rejected}
    return Layer({option: value for option, value in layer.values.items() if id(value) not in bad})


def _validated(layers: list[Layer]) -> tuple[Settings, list[tuple[str, Value]]]:
    """The settings of the layers and the values that had to be left out, until what remains is valid."""
    rejected: list[tuple[str, Value]] = []
    while True:
        merged = _merged([_without(layer, rejected) for layer in layers])
        try:
            return Settings.model_validate({option: value.raw for option, value in merged.items()}), rejected
        except ValidationError as error:
            bad = dict.fromkeys(str(detail["loc"][0]) for detail in error.errors())
            rejected += [(option, merged[option]) for option in bad]


def _problem(option: str, value: Value, settings: Settings) -> Problem:
    raw = "****" if metadata(option)["secret"] else value.written
    used = shown(option, getattr(settings, option))
    origin = value.origin.split(" ", 1)[0] if value.origin.startswith("environment") else value.origin
    return Problem(value.setting, raw, metadata(option)["allowed"], used, origin)
