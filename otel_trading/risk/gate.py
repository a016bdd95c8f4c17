"""One question before every order: whether it may go out."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_trading.metrics.instruments import Meter
    from otel_trading.risk.state import EmergencyState
    from otel_trading.runtime.voice import Voice

_logger = logging.getLogger("otel_trading")
_LIMIT = {
    "trading.risk.limit.name": "emergency_stop",
    "trading.risk.scope": "account",
    "trading.risk.result": "refused",
}

_let_through: ContextVar[bool] = ContextVar("otel_trading_let_through", default=False)


class _Stop(Protocol):
    """The emergency stop."""

    @property
    def engaged(self) -> bool: ...

    @property
    def state(self) -> EmergencyState: ...


class Risk:
    """What keeps an order from going out: for now the emergency stop.

    >>> from otel_trading.risk.emergency import Emergency
    >>> risk = Risk(Emergency())
    >>> risk.allows({"symbol": "BTC/USDT"})
    True
    """

    def __init__(self, emergency: _Stop, meter: Callable[[], Meter] | None = None, voice: Voice | None = None) -> None:
        self._emergency = emergency
        self._meter = meter
        self._voice = voice
        self._counted: tuple[Any, Any] = (None, None)
        self.refused = 0
        """Orders that were refused."""

    def allows(self, order: object = None, **about: object) -> bool:
        """Whether an order may go out now. Orders that may not are counted; never raises or waits.

        Args:
            order: the order, as the bot has it.
            about: what else is known of it: ``venue``, ``symbol``, ``quantity``.

        """
        if not self._emergency.engaged:
            return True
        return self.refusal() is None

    def refusal(self) -> str | None:
        """Why no order may go out now, which counts as a refused order; ``None`` when one may."""
        if not self._emergency.engaged or _let_through.get():
            return None
        self.refused += 1
        try:
            reason = f"emergency stop: {self._emergency.state}"
            self._count()
            self._say(reason)
        except Exception:  # whatever it is, the order stays here
            return "emergency stop"
        return reason

    @contextmanager
    def exempt(self) -> Iterator[None]:
        """Let the orders of this block, and of what it awaits, out although trading is stopped: to close positions.

        >>> from otel_trading.risk.emergency import Emergency
        >>> emergency = Emergency()
        >>> risk = Risk(emergency)
        >>> emergency.stop("volatility")
        True
        >>> with risk.exempt():
        ...     risk.allows({"symbol": "BTC/USDT", "reduce_only": True})
        True
        >>> risk.allows({"symbol": "BTC/USDT"})
        False
        """
        token = _let_through.set(True)
        try:
            yield
        finally:
            _let_through.reset(token)

    def restart_in_child(self) -> None:
        """Count anew in a forked child."""
        self.refused = 0
        self._counted, self._voice = (None, None), None

    def _say(self, reason: str) -> None:
        from otel_trading.runtime.voice import Voice, and_more

        self._voice = self._voice or Voice()
        more = self._voice.kept_back("refused")
        if more is not None:
            _logger.warning("otel-trading: an order is refused, %s%s", reason, and_more(more))

    def _count(self) -> None:
        if self._meter is None:
            return
        meter = self._meter()
        if self._counted[0] is not meter:
            from otel_trading.trading.conventions import create

            self._counted = meter, create(meter, "trading.risk.checks")
        self._counted[1].add(1, _LIMIT)
