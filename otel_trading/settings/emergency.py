"""The options of the emergency stop."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator
from pydantic_settings import BaseSettings

from otel_trading.settings.rows import A_TIME, NAME, SWITCH, Positive, option

_SIGNALS = "SIGUSR1", "SIGUSR2", "SIGQUIT"
"""Others end programs, or stand for something else in most of them."""


def _signal(value: str) -> str:
    name = value.strip().upper()
    name = name if name.startswith("SIG") else f"SIG{name}"
    if name not in _SIGNALS:
        raise ValueError(value)
    return name


class Emergency(BaseSettings):
    """How it works."""

    emergency_folder: NAME | None = option(
        None,
        "Folder of the states of emergency stops, one file a service; in the user's state folder when not given.",
        allowed="a path, or none: then a stop ends with the process",
    )
    emergency_file: NAME | None = option(
        None, "A file that stops trading as soon as it is there, whatever it holds.", allowed="a path"
    )
    emergency_signal: Annotated[str, AfterValidator(_signal)] | None = option(
        None, "A signal that stops trading.", allowed=", ".join(_SIGNALS)
    )
    emergency_guard: bool = option(
        False,
        "Whether ccxt, where it is instrumented, refuses new orders with EmergencyStopError while trading is stopped.",
        allowed=SWITCH,
    )
    emergency_timeout: Positive = option(10.0, "Time that each callback of an emergency stop may take.", allowed=A_TIME)
