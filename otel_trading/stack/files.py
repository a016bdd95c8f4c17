"""Where the configuration files are: inside an installed wheel, or at the top of a checkout."""

from __future__ import annotations

from pathlib import Path

from otel_trading.stack.errors import StackError

PACKAGED = Path(__file__).parent / "_files"
CHECKOUT = Path(__file__).parents[2]


def files_root() -> Path:
    """Return the directory that holds ``collector/``, ``grafana/`` and ``compose.yaml``.

    Raises:
        StackError: neither the package nor its surroundings have them.

    """
    # a checkout first: what is in the package there are links, and a container cannot follow them
    for root in (CHECKOUT, PACKAGED):
        if (root / "collector" / "agent.yaml").is_file():
            return root
    raise StackError(f"collector/agent.yaml is neither in {PACKAGED} nor in {CHECKOUT}; reinstall otel-trading")


def config_file(*parts: str) -> Path:
    """Return one of those files, for example ``config_file("collector", "agent.yaml")``."""
    return files_root().joinpath(*parts)
