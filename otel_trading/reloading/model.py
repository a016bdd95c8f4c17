"""From a file and variables to the bot's own model, with everything that is wrong said at once."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from otel_trading import redaction
from otel_trading.reloading.difference import flat, shown
from otel_trading.reloading.shape import is_list, is_secret, scalar, shape_of, type_at
from otel_trading.settings import files, parse

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")

_BETWEEN = "__"
_DEEPEST = 4
"""Tables within tables whose variables are guessed at: models may hold themselves."""


class ConfigError(ValueError):
    """A configuration that cannot be used; ``problems`` says why, in a sentence each."""

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__(f"{source} cannot be used: {'; '.join(problems)}")


class Model(Generic[T]):
    """Reads what a model takes; ``section`` is the table it stands in, ``prefix`` what its variables begin with."""

    def __init__(self, kind: type[T], section: str, prefix: str) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)
        self._kind = kind
        self._section = section
        self._prefix = prefix.upper()

    def read(self, path: Path | None, content: bytes | None, variables: Mapping[str, str]) -> T:
        """The configuration of a file's content and of variables; ``ConfigError`` where it cannot be used."""
        source = "the environment" if path is None else str(path)
        tables: dict[str, Any] = {}
        if path is not None and content is not None:
            try:
                tables = _copied(files.table(files.parsed(content, path.suffix), self._section))
            except (ValueError, ImportError) as error:
                raise ConfigError(source, (" ".join(str(error).split()),)) from None
        problems = [] if path is None else self._unknown(self._kind, tables, (), path.name)
        origins = self._overlay(tables, variables, problems)
        try:
            made = self._adapter.validate_python(tables)
        except ValidationError as error:
            problems += [self._told(dict(each), origins, path) for each in error.errors(include_url=False)]
            raise ConfigError(source, tuple(problems)) from None
        problems += [f"{key} is no number" for key, each in flat(made).items() if _is_nan(each)]
        if problems:
            raise ConfigError(source, tuple(problems))
        return made

    def _unknown(self, kind: object, tables: Mapping[str, Any], place: tuple[str, ...], file: str) -> list[str]:
        """Keys that mean nothing; at the top of a whole file only those that are nearly a key: others may read it."""
        shape = shape_of(kind)
        if shape is None:
            return []
        found = []
        for key, value in tables.items():
            known = shape.find(str(key)) if str(key) not in shape.keys else (str(key), shape.keys[str(key)])
            if known is not None and known[0] == str(key):
                if isinstance(value, Mapping):
                    found += self._unknown(known[1], value, (*place, str(key)), file)
                continue
            near = [known[0]] if known else difflib.get_close_matches(str(key), shape.keys, n=1)
            if near or place or self._section:
                hint = f" (did you mean {near[0]}?)" if near else ""
                found.append(f"{'.'.join((*place, str(key)))} (file {file}) is no setting{hint}")
        return found

    def _overlay(
        self, tables: dict[str, Any], variables: Mapping[str, str], problems: list[str]
    ) -> dict[tuple[str, ...], str]:
        """Put what variables say over what the file says; the variables by place."""
        origins: dict[tuple[str, ...], str] = {}
        if not self._prefix:
            return origins
        for variable in sorted(variables):
            text = variables[variable].strip()
            if not variable.upper().startswith(self._prefix) or not text:
                continue
            place, kind = self._place(variable[len(self._prefix) :].split(_BETWEEN))
            if not place:
                hint = self._meant(variable)
                if hint:
                    problems.append(f"environment variable {variable} is no setting (did you mean {hint}?)")
                continue
            try:
                value = _from_text(text, kind)
            except ValueError:
                problems.append(f"environment variable {variable} is not usable: it is no JSON")
                continue
            below = tables
            for part in place[:-1]:
                if not isinstance(below.get(part), dict):
                    below[part] = {}
                below = below[part]
            below[place[-1]] = value
            origins[place] = variable
        return origins

    def _place(self, parts: list[str]) -> tuple[tuple[str, ...], object]:
        kind: object = self._kind
        place: list[str] = []
        for part in parts:
            shape = shape_of(kind)
            found = shape.find(part if not shape.open else part.lower()) if shape is not None and part else None
            if found is None:
                return (), None
            place.append(found[0])
            kind = found[1]
        return tuple(place), kind

    def _meant(self, variable: str) -> str:
        near = difflib.get_close_matches(variable.upper(), self._names(self._kind, self._prefix), n=1, cutoff=0.85)
        return near[0] if near else ""

    def _names(self, kind: object, above: str, depth: int = 0) -> list[str]:
        shape = shape_of(kind)
        if shape is None or depth > _DEEPEST:
            return []
        found = []
        for key, each in shape.keys.items():
            name = f"{above}{key.upper()}"
            found += [name, *self._names(each, f"{name}{_BETWEEN}", depth + 1)]
        return found

    def _told(self, error: dict[str, Any], origins: Mapping[tuple[str, ...], str], path: Path | None) -> str:
        place = tuple(str(part) for part in error["loc"])
        key, message = ".".join(place), str(error["msg"]).removeprefix("Value error, ")
        kind = type_at(self._kind, place)
        given = error.get("input")
        plain = isinstance(given, str | int | float) and error["type"] != "missing"
        value = "" if not plain else f"={'****' if is_secret(kind) else shown(key, given)}"
        variable = next(
            (origins[place[:length]] for length in range(len(place), 0, -1) if place[:length] in origins), ""
        )
        origin = f"environment {variable}" if variable else f"file {path.name}" if path is not None else "not given"
        if error["type"] == "missing":
            return f"{key} is missing"
        told = f"{key}{value} ({origin}) is not usable: {message}" if key else message
        return redaction.redact(told)


def _copied(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of their own: aliases of YAML share theirs, and a variable may be put over one."""
    return {
        str(key): _copied(value) if isinstance(value, Mapping) else value  # keys of a file are texts
        for key, value in tables.items()
    }


def _from_text(text: str, kind: object) -> object:
    if shape_of(kind) is not None:
        return json.loads(text) if text.startswith("{") else dict(parse.pairs(text))
    if is_list(kind):
        return json.loads(text) if text.startswith("[") else list(parse.names(text))
    plain = scalar(kind)
    if plain is None:
        return text
    try:
        return parse.boolean(text) if plain is bool else plain(text)
    except ValueError:
        return text  # the model says what is wrong


def _is_nan(value: object) -> bool:
    if isinstance(value, list | tuple | set | frozenset):
        return any(_is_nan(each) for each in value)
    return isinstance(value, float) and math.isnan(value)
