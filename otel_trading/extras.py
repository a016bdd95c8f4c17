"""Optional dependencies: asked for where they are used, refused with the command that installs them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import ModuleType


class MissingExtraError(ImportError):
    """An optional dependency is not installed; the message holds the command that installs it."""

    @classmethod
    def of(cls, module: str, extra: str) -> Self:
        """The error for a module that ``otel-trading[extra]`` brings."""
        return cls(f"{module} is not installed; run: pip install 'otel-trading[{extra}]'")


def require(module: str, *, extra: str) -> ModuleType:
    """Import ``module``, which ``otel-trading[extra]`` brings.

    >>> require("json", extra="cli").__name__
    'json'
    >>> require("no_such_module", extra="yaml")
    Traceback (most recent call last):
    otel_trading.extras.MissingExtraError: no_such_module is not installed; run: pip install 'otel-trading[yaml]'
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.split(".", maxsplit=1)[0] and error.name != module:
            raise
        raise MissingExtraError.of(module, extra) from error
