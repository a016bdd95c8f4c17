"""The file in which silences outlive the bot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.alerts.aside import Aside
from otel_trading.alerts.silences import path_of, save
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from otel_trading.alerts.silences import Silences

_AT_THE_END = 0.5


class Store:
    """Reads silences once and writes them when they change, beside the thread that watches.

    Nothing is read or written before it has a place.
    """

    def __init__(self, silences: Silences) -> None:
        self._silences = silences
        self._place: tuple[str | None, str] | None = None
        self._aside: Aside[str] = Aside("otel-alert-store")
        self._read = False
        self._complaints = Complaints("alerts")

    def place(self, folder: str | None, service: str) -> None:
        """Keep them there."""
        if (folder, service) != self._place:
            self._place, self._read = (folder, service), False

    def look(self) -> None:
        """Take in what was read, and write what changed."""
        if self._place is None or self._aside.busy:
            return
        text, error = self._aside.take(), self._aside.error
        if error is not None:
            self._aside.error = None
            self._complaints.say(f"silences of alerts do not outlive the bot: {type(error).__name__}: {error}")
        if text:
            try:
                self._silences.read(text)
            except (ValueError, TypeError, KeyError) as wrong:
                self._complaints.say(f"silences of alerts cannot be read: {type(wrong).__name__}: {wrong}")
        folder, service = self._place
        if not self._read:
            self._read = self._aside.start(lambda: _content(folder, service))
        elif self._silences.changed:
            self._silences.changed = False
            written = self._silences.written()
            self._aside.start(lambda: _written(folder, service, written))

    def close(self) -> None:
        """Write what is not written yet, within half a second."""
        if self._aside.join(_AT_THE_END):
            self.look()
            self._aside.join(_AT_THE_END)

    def restart_in_child(self) -> None:
        """Leave the file to the parent; what is silent there is silent here."""
        self._aside.restart_in_child()
        self._place = None


def _content(folder: str | None, service: str) -> str:
    try:
        return path_of(folder, service).read_text("utf-8")
    except FileNotFoundError:
        return ""


def _written(folder: str | None, service: str, text: str) -> str:
    save(path_of(folder, service), text)
    return ""
