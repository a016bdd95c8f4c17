"""Secrets stay out of the repository: each becomes a placeholder, and comes from the environment when it is pushed.

A text is taken for a secret by the name of its key, by the shapes that are masked everywhere else in the kit, by being
what Grafana writes in a secret's stead, or by looking as random as only a key does.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.grafana.errors import ProvisioningError
from otel_trading.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REDACTED = "[REDACTED]"
"""What Grafana answers in the stead of a secret."""

_SECRET_KEYS = re.compile(
    r"securejsondata|secret|token|passw|passphrase|api_?key|integration_?key|service_?key|user_?key|access_?key|"
    r"private_?key|basic_?auth_?(user|pass)|credentials?$|authorization|cookie|signing",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(r"token_?url$|tokenfield|authorization_?scheme$|_?file$", re.IGNORECASE)
_SECRET_URLS = frozenset({"slack", "discord", "webhook", "teams", "googlechat", "wecom", "dingding", "mattermost"})
"""Kinds of contact points whose address is all that is needed to write there."""
_IDENTIFIERS = re.compile(r"(uid|id|refid|pluginversion|folder|name)$", re.IGNORECASE)
_WORD = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{32,}(?![0-9a-fA-F])|[A-Za-z0-9+/_.-]{20,}={0,2}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-fA-F]{32,}")
_MASKED = re.compile(r"\[redacted:[a-z_]+\]")
_PLACEHOLDER = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
_RANDOM = 3.9
"""Bits a character from which on a long word with capitals and digits is no word."""


@dataclass(slots=True)
class Scrubbed:
    """What is left of a document.

    Args:
        document: with placeholders for secrets.
        needs: the variables of the environment that the placeholders name, each with where it is used.

    """

    document: Any
    needs: dict[str, str] = field(default_factory=dict)


def scrubbed(
    document: Any,  # noqa: ANN401 - JSON
    known: Any = None,  # noqa: ANN401 - JSON
    within: str = "",
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Scrubbed:
    """A document without its secrets.

    Args:
        document: JSON.
        known: what is kept of it already: where that has a placeholder, the placeholder stays.
        within: what the document is called; names of placeholders start with it.
        environment: what is kept as a placeholder stays one where the variable says the same.

    >>> clean = scrubbed({"type": "telegram", "settings": {"bottoken": "110201543:AAHdqTcvCH", "chatid": "5"}}, within="ops")
    >>> clean.document["settings"], clean.needs
    ({'bottoken': '${OPS_SETTINGS_BOTTOKEN}', 'chatid': '5'}, {'OPS_SETTINGS_BOTTOKEN': 'ops.settings.bottoken'})

    """  # noqa: E501 - an example
    scrubbing = _Scrubbing(environment)
    return Scrubbed(scrubbing.clean(document, known, (within,) if within else (), ""), scrubbing.needs)


def filled(document: Any, needs: Iterable[str], environment: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    """A document with the secrets of the environment in it.

    Raises:
        ProvisioningError: a variable is not set.

    >>> filled({"url": "${OPS_URL}", "query": "${venue}"}, ["OPS_URL"], {"OPS_URL": "https://hooks.example/1"})
    {'url': 'https://hooks.example/1', 'query': '${venue}'}

    """
    wanted = set(needs)
    missing = sorted(wanted & placeholders(document) - {name for name in wanted if environment.get(name)})
    if missing:
        raise ProvisioningError(
            f"not set in the environment: {', '.join(missing)}; what is pushed has placeholders for "
            f"{'it' if len(missing) == 1 else 'them'}"
        )
    return _filled(document, wanted, environment)


def placeholders(document: Any) -> set[str]:  # noqa: ANN401 - JSON
    """The names for which a document has placeholders; those of Grafana's own variables, too."""
    if isinstance(document, dict):
        return set().union(*map(placeholders, document.values()))
    if isinstance(document, list):
        return set().union(*map(placeholders, document))
    return set(_PLACEHOLDER.findall(document)) if isinstance(document, str) else set()


class _Scrubbing:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.needs: dict[str, str] = {}

    def clean(self, value: Any, known: Any, path: tuple[str, ...], kind: str) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            kind = str(value.get("type", kind)).lower()
            inner = known if isinstance(known, dict) else {}
            return {key: self.clean(each, inner.get(key), (*path, key), kind) for key, each in value.items()}
        if isinstance(value, list):
            others = dict(enumerate(known)) if isinstance(known, list) else {}
            return [
                self.clean(each, others.get(index), (*path, _mark(each, index)), kind)
                for index, each in enumerate(value)
            ]
        return self._text(value, known, path, kind) if isinstance(value, str) and value else value

    def _text(self, value: str, known: Any, path: tuple[str, ...], kind: str) -> str:  # noqa: ANN401 - JSON
        key = path[-1] if path else ""
        secret = value == REDACTED or _names_a_secret(key, path) or (key == "url" and kind in _SECRET_URLS)
        if _PLACEHOLDER.fullmatch(value):
            return self._noted(value, path) if secret else value
        kept = known if isinstance(known, str) and _PLACEHOLDER.fullmatch(known) else None
        if kept is not None and (secret or self._environment.get(kept[2:-1]) == value):
            return self._noted(kept, path)
        if secret:
            return self._noted(f"${{{_variable(path)}}}", path)
        found = _by_shape(value)
        if not _IDENTIFIERS.search(key):
            found += [word for word in _WORD.findall(value) if _looks_random(word)]
        for index, each in enumerate(dict.fromkeys(found)):
            if each == value and kept is not None:
                return self._noted(kept, path)
            name = _variable(path) + (f"_{index + 1}" if index else "")
            value = value.replace(each, self._noted(f"${{{name}}}", path))
        return value

    def _noted(self, placeholder: str, path: tuple[str, ...]) -> str:
        self.needs[placeholder[2:-1]] = ".".join(path)
        return placeholder


def _names_a_secret(key: str, path: tuple[str, ...]) -> bool:
    if any(part.lower() == "securejsondata" for part in path):
        return True
    return bool(_SECRET_KEYS.search(key)) and not _NO_SECRET.search(key)


def _by_shape(value: str) -> list[str]:
    """What the kit masks in every log, as it stands in the text."""
    masked = redact(value)
    if masked == value:
        return []
    around = [re.escape(part) for part in _MASKED.split(masked)]
    found = re.fullmatch("(.+?)".join(around), value, re.DOTALL)
    return [each for each in found.groups() if each] if found else [value]


def _looks_random(word: str) -> bool:
    if _UUID.fullmatch(word) or "${" in word:
        return False
    if _HEX.fullmatch(word):
        return _entropy(word) > 3  # noqa: PLR2004 - of at most 4 bits a digit
    kinds = sum(bool(re.search(kind, word)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    longest = max(map(len, re.split(r"[/_=.+-]", word)))
    return kinds == 3 and longest >= 16 and _entropy(word) > _RANDOM  # noqa: PLR2004 - names are made of shorter words


def _entropy(word: str) -> float:
    return -sum(n / len(word) * math.log2(n / len(word)) for n in Counter(word).values())


def _mark(entry: Any, index: int) -> str:  # noqa: ANN401 - JSON
    if isinstance(entry, dict):
        for key in ("name", "title", "refId"):
            if isinstance(entry.get(key), str) and entry[key]:
                return str(entry[key])
    return str(index + 1)


def _variable(path: tuple[str, ...]) -> str:
    name = re.sub(r"[^A-Z0-9]+", "_", "_".join(path).upper()).strip("_")
    return name if name[:1].isalpha() else f"SECRET_{name}".rstrip("_")


def _filled(value: Any, wanted: set[str], environment: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _filled(each, wanted, environment) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, wanted, environment) for each in value]
    if not isinstance(value, str):
        return value
    return _PLACEHOLDER.sub(lambda found: environment[found[1]] if found[1] in wanted else found[0], value)
