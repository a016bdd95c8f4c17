"""What is different between two configurations, for people: key by key, and without secrets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from otel_trading import redaction

_LONGEST = 200
"""Characters of a value that are shown."""

_MASKED = "****"
_NOWHERE = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One key, with dots between tables, and what it was and is; ``None`` where it was or is not there.

    >>> print(Change("risk.max_exposure", "5.0", "7.5"), Change("ops_token", None, "****"), sep="; ")
    risk.max_exposure: 5.0 → 7.5; ops_token: unset → ****
    """

    key: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        old, new = ("unset" if value is None else value for value in (self.old, self.new))
        return f"{self.key}: {old} → {new}"


def difference(old: object, new: object, above: str = "", *, secret: bool = False) -> tuple[Change, ...]:
    """What changed, in the order of the new one, then what is gone.

    Models, dataclasses and mappings are looked into. A key whose name says that it is secret is masked, and so is
    ``SecretStr``; ``secret`` masks all.

    >>> difference({"size": 1, "api_key": "a"}, {"size": 2, "api_key": "b"})[1]
    Change(key='api_key', old='[redacted:api_key]', new='[redacted:api_key]')
    """
    before, after = flat(old, above), flat(new, above)
    return tuple(
        Change(key, _shown(key, before, secret=secret), _shown(key, after, secret=secret))
        for key in dict.fromkeys((*after, *before))
        if not _same(before.get(key, _NOWHERE), after.get(key, _NOWHERE))
    )


def flat(value: object, above: str = "") -> dict[str, object]:
    """The values of a configuration by key.

    >>> flat({"risk": {"limits": [1, 2]}, "venues": [{"name": "kraken"}]})
    {'risk.limits': [1, 2], 'venues.0.name': 'kraken'}
    """
    return dict(_leaves(above, value))


def _same(old: object, new: object) -> bool:
    return old is new or (type(old) is type(new) and bool(old == new))


def _leaves(key: str, value: object) -> Iterator[tuple[str, object]]:
    below = _below(value)
    if below is None:
        yield key, value
        return
    for name, each in below:
        yield from _leaves(f"{key}.{name}" if key else name, each)


def _below(value: object) -> list[tuple[str, object]] | None:
    """What a value consists of; ``None`` where it is one."""
    if isinstance(value, BaseModel):
        return [(str(name), each) for name, each in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, Mapping):
        return [(str(name), each) for name, each in value.items()]
    if isinstance(value, list | tuple) and any(_below(each) is not None for each in value):
        return [(str(place), each) for place, each in enumerate(value)]
    return None


def _shown(key: str, values: Mapping[str, object], *, secret: bool) -> str | None:
    value = values.get(key, _NOWHERE)
    if value is _NOWHERE or value is None:
        return None
    return _MASKED if secret and value else shown(key, value)


def shown(key: str, value: object) -> str:
    """A value as people may see it.

    >>> shown("binance.api_secret", "hunter2"), shown("risk.max_exposure", 5.0)
    ('[redacted:secret]', '5.0')
    """
    if hasattr(value, "get_secret_value"):
        return _MASKED
    try:
        plain = _plain(value)
        if "webhook" in key.lower():
            return _MASKED
        for name in key.split("."):
            clean = redaction.value(plain, name)
            if clean != plain:
                return _short(str(clean))
        return _short(redaction.redact(str(plain)))
    except Exception as error:  # a value of the bot's that cannot be printed
        return f"<{type(value).__name__}: {type(error).__name__}>"


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, AbstractSet):
        return sorted(map(str, value))
    if hasattr(value, "get_secret_value"):
        return _MASKED
    return value if isinstance(value, str | int | float | bool) else str(value)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
