"""What an instrumented library refuses on the bot's behalf."""

from __future__ import annotations


class EmergencyStopError(Exception):
    """Raised instead of sending an order while trading is stopped.

    Where it stands for a library's own kind of refusal it is that, too: of ccxt an ``InvalidOrder``.
    """
