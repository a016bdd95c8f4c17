"""The folder of a project: what is rendered, what was edited in Grafana, what both sides last agreed on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.canonical import ordered, written
from otel_trading.provisioning.grafana.errors import ProvisioningError
from otel_trading.provisioning.grafana.overrides import Overrides

if TYPE_CHECKING:
    from pathlib import Path

RULES = "alert-rules"
"""The name under which edits of all alert rules are kept."""


@dataclass(frozen=True, slots=True)
class Project:
    """Where things are.

    Args:
        folder: of the project; ``grafana`` by default.

    """

    folder: Path

    def overrides(self, name: str) -> Path:
        """The edits of a dashboard, by its uid, or those of the alert rules."""
        return self.folder / "overrides" / f"{name}.json"

    def base(self, name: str) -> Path:
        """What Grafana had when it was last pulled or pushed."""
        return self.folder / "base" / f"{name}.json"

    def contacts(self, name: str) -> Path:
        """Contact points and the like."""
        return self.folder / "contacts" / f"{name}.json"

    def newer(self, uid: str) -> Path:
        """A dashboard of the newer schema, as it is stored."""
        return self.folder / "as-stored" / f"{uid}.json"

    @staticmethod
    def as_stored(uid: str) -> str:
        """The name under which it is kept what both sides agreed on of a dashboard of the newer schema."""
        return f"{uid}.as-stored"

    def kept(self, name: str) -> Overrides:
        """The edits that are kept.

        Raises:
            ProvisioningError: the file holds something else.

        """
        return Overrides.read(self.overrides(name))

    def keep(self, name: str, text: str | None) -> None:
        """Write edits, or forget them."""
        put(self.overrides(name), text)

    def agreed(self, name: str) -> dict[str, Any] | None:
        """What both sides last agreed on; None where they never met."""
        return loaded(self.base(name))

    def agree(self, name: str, document: dict[str, Any]) -> None:
        """Keep what both sides agree on now."""
        put(self.base(name), written(ordered(document)))

    def names(self, kind: str) -> list[str]:
        """Whose edits, bases or the like are there."""
        return sorted(file.stem for file in (self.folder / kind).glob("*.json"))


def loaded(file: Path) -> dict[str, Any] | None:
    """The JSON object of a file; None where there is no file.

    Raises:
        ProvisioningError: it holds something else.

    """
    if not file.is_file():
        return None
    try:
        found = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise ProvisioningError(f"{file} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ProvisioningError(f"{file} is no JSON object")
    return found


def put(file: Path, text: str | None) -> None:
    """Write a text as a file, at once or not at all; without a text, there is no file."""
    if text is None:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    new.write_text(text, "utf-8")
    new.replace(file)
