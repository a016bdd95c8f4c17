"""Beginning to record, where the settings want it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Protocol

from otel_trading.flight.folder import prepared

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.sdk.resources import Resource

    from otel_trading.settings import Problem, Settings


class Recorder(Protocol):
    """What records into a file of a folder, or into none."""

    def record(
        self, folder: Path | None, *, size: int, service: str = ..., instance: bytes = ..., budget: int = ...
    ) -> None:
        """Record into a new ring of ``size`` bytes."""


def record(
    recorder: Recorder,
    settings: Settings,
    resource: Resource,
    problems: list[Problem | str],
    *,
    wanted: bool,
) -> Path | None:
    """Have something recorded where that is wanted; the folder of recordings."""
    size = settings.flight_size
    if not (wanted and settings.flight_enabled):
        recorder.record(None, size=size)
        return None
    try:
        folder = prepared(settings.flight_folder)
        instance = _bytes(str(resource.attributes.get("service.instance.id", "")))
        service = str(resource.attributes["service.name"])
        recorder.record(folder, size=size, service=service, instance=instance, budget=settings.flight_budget)
    except OSError as error:
        reason = error.strerror or str(error)
        place = error.filename or settings.flight_folder or "the folder"
        problem = f"flight_folder: {place}: {reason}; should the bot be killed, what was not delivered is lost"
        if not any(isinstance(known, str) and known.startswith("flight_folder:") for known in problems):
            problems.append(problem)
        recorder.record(None, size=size)
        return None
    return folder


def _bytes(instance: str) -> bytes:
    try:
        return uuid.UUID(instance).bytes
    except ValueError:
        return bytes(16)
