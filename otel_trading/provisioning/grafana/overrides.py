"""What people changed in Grafana, kept beside the code: it is applied to each new rendering."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.canonical import ordered, written
from otel_trading.provisioning.grafana import patch
from otel_trading.provisioning.grafana.errors import ProvisioningError
from otel_trading.provisioning.grafana.merge import NAMED
from otel_trading.provisioning.grafana.patch import ABSENT
from otel_trading.provisioning.ids import panel_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


class Trouble(StrEnum):
    """Why a kept edit needs somebody to look at it."""

    ORPHANED = "what it changes is no longer in the code"
    OVERTAKEN = "the code has changed beneath it"
    NEEDLESS = "the code says the same now"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A kept edit that no longer fits the code.

    Args:
        trouble: what is wrong.
        path: what is edited.
        kept: what the edit says.
        was: what the code said when the edit was kept.
        now: what the code says now.

    """

    trouble: Trouble
    path: tuple[str, ...]
    kept: Any = ABSENT
    was: Any = ABSENT
    now: Any = ABSENT


@dataclass(frozen=True, slots=True)
class Overrides:
    """The edits of one tree.

    Args:
        changes: the patch from what the code says to what was wanted.
        instead_of: the patch back, by which a later change of the code is noticed.
        needs: the variables of the environment for which there are placeholders.

    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    instead_of: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    @classmethod
    def between(cls, code: Mapping[str, Any], wanted: Mapping[str, Any], needs: tuple[str, ...] = ()) -> Overrides:
        """The edits that make what is wanted of what the code says.

        >>> Overrides.between({"unit": "s"}, {"unit": "ms", "min": 0})
        Overrides(changes={'unit': 'ms', 'min': 0}, instead_of={'unit': 's', 'min': None}, needs=())
        """
        return cls(patch.made(code, wanted), patch.made(wanted, code), needs)

    def __bool__(self) -> bool:
        return bool(self.changes)

    def applied(self, code: Mapping[str, Any]) -> dict[str, Any]:
        """What the code says, with the edits; those whose panel or the like is gone are left out."""
        return patch.applied(_without(self.changes, {each.path for each in self._orphans(code)}), code)

    def doubts(self, code: Mapping[str, Any]) -> list[Doubt]:
        """The edits that somebody should look at."""
        return list(_doubts(self.changes, self.instead_of, code, ()))

    def overtaken(self, code: Mapping[str, Any]) -> list[Doubt]:
        """The edits beneath which the code has changed."""
        return [each for each in self.doubts(code) if each.trouble is Trouble.OVERTAKEN]

    def without(self, doubts: Iterable[Doubt]) -> Overrides:
        """The edits but for some."""
        return Overrides(_without(self.changes, {each.path for each in doubts}), self.instead_of, self.needs)

    def pruned(self, code: Mapping[str, Any]) -> Overrides:
        """Those edits that still change something."""
        return Overrides.between(code, self.applied(code), self.needs)

    def text(self, slugs: Mapping[int, str] | None = None) -> str:
        """The edits as they are kept; panels by the name they have in the code, where they have one."""
        said = {"changes": _named(self.changes, slugs or {}), "instead of": _named(self.instead_of, slugs or {})}
        return written(ordered(said | ({"needs": list(self.needs)} if self.needs else {})))

    @classmethod
    def read(cls, file: Path) -> Overrides:
        """The edits of a file; none, where there is no file.

        Raises:
            ProvisioningError: the file holds something else.

        """
        if not file.is_file():
            return cls()
        try:
            said = json.loads(file.read_text("utf-8"))
            changes, instead_of = _numbered(said["changes"]), _numbered(said["instead of"])
            return cls(changes, instead_of, tuple(said.get("needs", ())))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProvisioningError(f"{file} holds no kept edits: {error!r}; delete it, or pull again") from error

    def _orphans(self, code: Mapping[str, Any]) -> Iterator[Doubt]:
        return (each for each in self.doubts(code) if each.trouble is Trouble.ORPHANED)


def _doubts(
    changes: Mapping[str, Any], was: Mapping[str, Any], code: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[Doubt]:
    for key, kept in changes.items():
        here, old = (*path, key), was.get(key)
        now = code.get(key, ABSENT)
        named = bool(path) and path[-1] in NAMED
        if isinstance(kept, dict) and isinstance(old, dict) and key not in patch.WHOLE:
            if now is ABSENT and named:
                yield Doubt(Trouble.ORPHANED, here, kept, old)
            else:
                yield from _doubts(kept, old, now if isinstance(now, dict) else {}, here)
        elif (now is ABSENT) if kept is None else patch.same(kept, now):
            yield Doubt(Trouble.NEEDLESS, here, kept, old, now)
        elif not ((now is ABSENT) if old is None else patch.same(old, now)):
            yield Doubt(Trouble.OVERTAKEN, here, ABSENT if kept is None else kept, ABSENT if old is None else old, now)


def _without(changes: Mapping[str, Any], gone: set[tuple[str, ...]], under: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        key: _without(value, gone, (*under, key)) if isinstance(value, dict) and key not in patch.WHOLE else value
        for key, value in changes.items()
        if (*under, key) not in gone
    }


def _named(changes: Mapping[str, Any], slugs: Mapping[int, str]) -> dict[str, Any]:
    if not isinstance(changes.get("panels"), dict):
        return dict(changes)
    names = {number: slug for number, slug in slugs.items() if panel_id(slug) == number and not slug.startswith("#")}
    panels = {names.get(int(number), f"#{number}"): value for number, value in changes["panels"].items()}
    return {**changes, "panels": panels}


def _numbered(changes: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(changes.get("panels"), dict):
        return dict(changes)
    panels = {
        name[1:] if name.startswith("#") else str(panel_id(name)): value for name, value in changes["panels"].items()
    }
    return {**changes, "panels": panels}
