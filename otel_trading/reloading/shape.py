"""What keys a model has: to find them by the names of variables, and to notice those that mean none."""

from __future__ import annotations

import contextlib
import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, SecretBytes, SecretStr

_PLAIN = frozenset({bool, int, float})


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """The keys of a table, each with its type; ``open`` when it may have others, ``rest`` is their type then."""

    keys: Mapping[str, object]
    open: bool = False
    rest: object = None

    def find(self, name: str) -> tuple[str, object] | None:
        """The key that a name means, whatever its case, and its type."""
        key = next((each for each in self.keys if each.lower() == name.lower()), None)
        if key is not None:
            return key, self.keys[key]
        return (name, self.rest) if self.open else None


def shape_of(annotation: object) -> Shape | None:
    """The keys of a type; ``None`` where it is no table."""
    for kind in _choices(annotation):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return _of_model(kind)
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            hints = _hints(kind)
            fields = [each for each in dataclasses.fields(kind) if each.init]
            return Shape({field.name: hints.get(field.name) for field in fields}, _is_open(kind))
        if isinstance(kind, type) and hasattr(kind, "__required_keys__"):  # a TypedDict, wherever that is from
            return Shape(_hints(kind))
        origin = get_origin(kind) or kind
        if isinstance(origin, type) and issubclass(origin, Mapping):
            arguments = get_args(kind)
            return Shape({}, open=True, rest=arguments[1] if len(arguments) == 2 else None)  # noqa: PLR2004 - key, value
    return None


def type_at(annotation: object, place: tuple[int | str, ...]) -> object:
    """The type of what stands at a place; ``None`` where that cannot be said."""
    for part in place:
        shape = shape_of(annotation)
        found = shape.find(str(part)) if shape is not None else None
        if found is None:
            return None
        annotation = found[1]
    return annotation


def is_secret(annotation: object) -> bool:
    """Whether nobody may see values of a type.

    >>> is_secret(SecretStr | None), is_secret(str)
    (True, False)
    """
    kinds = _choices(annotation)
    return any(isinstance(kind, type) and issubclass(kind, SecretStr | SecretBytes) for kind in kinds) or any(
        hasattr(get_origin(kind) or kind, "get_secret_value") for kind in kinds
    )


def is_list(annotation: object) -> bool:
    """Whether a type holds one value after the other.

    >>> is_list(tuple[str, ...]), is_list(str)
    (True, False)
    """
    return any((get_origin(kind) or kind) in {list, tuple, set, frozenset} for kind in _choices(annotation))


def scalar(annotation: object) -> type | None:
    """The plain type that a text becomes, if it is one.

    >>> scalar(float | None), scalar(str)
    (<class 'float'>, None)
    """
    return next((kind for kind in _choices(annotation) if isinstance(kind, type) and kind in _PLAIN), None)


def _choices(annotation: object) -> list[object]:
    """The types that are meant by one, without what is written around them."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    annotation = getattr(annotation, "__value__", annotation)  # of a type alias
    if get_origin(annotation) in {Union, types.UnionType}:
        return [each for part in get_args(annotation) for each in _choices(part)]
    return [annotation]


def _of_model(kind: type[BaseModel]) -> Shape:
    keys: dict[str, object] = {}
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        others = alias.choices if isinstance(alias, AliasChoices) else [alias]
        written = [each for each in others if isinstance(each, str)]
        if not written or kind.model_config.get("populate_by_name") or kind.model_config.get("validate_by_name"):
            written.append(name)
        annotation = field.annotation
        keys |= dict.fromkeys(written, annotation)
    return Shape(keys, _is_open(kind))


def _is_open(kind: Any) -> bool:  # noqa: ANN401 - a model or a dataclass
    """Whether it says itself what becomes of keys that it does not know."""
    config = getattr(kind, "model_config", None) or getattr(kind, "__pydantic_config__", None) or {}
    return config.get("extra") in {"allow", "ignore"}


def _hints(kind: Any) -> dict[str, object]:  # noqa: ANN401 - as above
    with contextlib.suppress(Exception):  # of names that are there for type checkers only
        return dict(typing.get_type_hints(kind, include_extras=True))
    return {}
