"""What freqtrade tells its operator: the same messages that Telegram, Discord and webhooks get."""

from __future__ import annotations

from functools import cache
from time import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.instrument.freqtrade.telling import Telling

_MILLISECOND = 1000


class Messages:
    """Tells what no record of an order or a trade tells: starts, stops, protections, warnings, errors."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._trading = telling.trading
        self._halted = False
        self._locked_until = 0.0
        self._tell: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "entry": self._entry,
            "status": self._status,
            "exception": self._exception,
            "protection_trigger": self._protection,
            "protection_trigger_global": self._global_protection,
            "liquidation_warning": self._liquidation,
        }

    def take(self, message: Mapping[str, Any]) -> None:
        """Tell it, if it is one of these."""
        if self._locked_until and time() >= self._locked_until:
            self._locked_until = 0.0
            self._trading.resumed("protection")
        tell = self._tell.get(f"{message.get('type')}")
        if tell is not None:
            self._telling.guard(tell, message)

    def _entry(self, message: Mapping[str, Any]) -> None:
        if not message.get("sub_trade"):
            self._trading.trade_started(strategy=self._telling.strategy, trade_id=message["trade_id"])

    def _status(self, message: Mapping[str, Any]) -> None:
        status = message["status"]
        if status in {"stopped", "paused"}:
            self._halted = True
            self._trading.halted("operator", reason=status)
        elif status == "running" and self._halted:
            self._halted = False
            self._trading.resumed("operator")

    def _exception(self, message: Mapping[str, Any]) -> None:
        self._trading.strategy_failed(strategy=self._telling.strategy, error=_Failure(message["status"]))

    def _protection(self, message: Mapping[str, Any]) -> None:
        self._trading.limit_checked(
            "protection",
            used=None,
            limit=None,
            scope="symbol",
            result="refused",
            strategy=self._telling.strategy,
            symbol=message["pair"],
            text=message["reason"],
        )

    def _global_protection(self, message: Mapping[str, Any]) -> None:
        self._locked_until = message["lock_end_timestamp"] / _MILLISECOND
        self._trading.halted("protection", reason=message["reason"])

    def _liquidation(self, message: Mapping[str, Any]) -> None:
        self._trading.limit_checked(
            "liquidation",
            used=None,
            limit=None,
            scope="symbol",
            result="warned",
            strategy=self._telling.strategy,
            symbol=message["pair"],
            text=f"{message['remaining_ratio']:.1%} of the way to liquidation is left",
        )


class _Failure(Exception):  # noqa: N818 - its name is what error.type says
    """What freqtrade said when it caught an error."""


_Failure.__name__ = "exception"


@cache
def handler_class() -> Any:  # noqa: ANN401 - a class
    """The handler, made once freqtrade is there."""
    from freqtrade.rpc.rpc import RPCHandler

    class OtelTrading(RPCHandler):  # type: ignore[misc]  # freqtrade's are not typed
        """Takes the bot's messages."""

        def __init__(self, rpc: Any, config: Any, messages: Messages) -> None:  # noqa: ANN401
            super().__init__(rpc, config)
            self._messages = messages

        def cleanup(self) -> None:
            """There is nothing to give back."""

        def send_msg(self, msg: Any) -> None:  # noqa: ANN401
            """Take a message."""
            self._messages.take(msg)

    return OtelTrading
