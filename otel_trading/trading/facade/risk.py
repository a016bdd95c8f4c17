"""What the bot says of its limits, circuit breakers and halts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.trading.conventions import create
from otel_trading.trading.conventions.enums import BreakerState
from otel_trading.trading.events.model import Level
from otel_trading.trading.facade.base import Reporter, Words
from otel_trading.trading.facade.states import States

if TYPE_CHECKING:
    from otel_trading.metrics.instruments import Meter

_SAID = {"refused": Level.WARNING, "warned": Level.WARNING}
_BREAKER = {"open": Level.ERROR, "half_open": Level.WARNING, "closed": Level.INFO}


class RiskEvents(Reporter):
    """Limits, circuit breakers, halts, measures of risk."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the base takes them
        self._breakers = States("trading.circuit_breaker.state", "trading.circuit_breaker.state")
        self._trading_state = States("trading.state", "trading.state.value")
        self._breaker_state = Words(BreakerState)
        super().__init__(*args, **kwargs)

    def connect(self, meter: Meter, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the base's
        """See ``Reporter``."""
        super().connect(meter, *args, **kwargs)
        self._breakers.connect(meter)
        self._trading_state.connect(meter)
        self._utilization: Any = create(meter, "trading.risk.utilization.ratio")

    def limit_checked(
        self,
        name: str,
        *,
        used: object,
        limit: object,
        scope: str = "account",
        result: str | None = None,
        strategy: str | None = None,
        venue: str | None = None,
        symbol: str | None = None,
        text: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """A limit was checked: ``passed``, ``warned`` or ``refused``; by the figures when the result is not given.

        Args:
            name: ``daily_loss``, ``position_exposure``, ``turnover``, ``orders_per_s``.
            used: how much of it is used.
            limit: how much is allowed.
            scope: what it holds for: ``account``, ``venue``, ``strategy`` or ``symbol``.
            result: what the check said.
            strategy: whose limit it is.
            venue: where it holds.
            symbol: for what it holds.
            text: in words.
            time_ns: when it happened, in nanoseconds since 1970; now when not given.

        """
        try:
            now_used = self._amount("limit_checked", "used", used)
            allowed = self._amount("limit_checked", "limit", limit)
            share = None
            if now_used is not None and allowed:
                share = float(now_used) / float(allowed)
            if result is None:
                result = "refused" if share is not None and share > 1 else "passed"
            values = (name, scope, result, now_used, allowed, share, strategy, venue, symbol, text)
            self._say("limit_checked", values, time_ns, _SAID.get(result, 0))
        except Exception as error:
            self._failed("limit_checked", error)

    def breaker_changed(
        self,
        name: str,
        state: object,
        *,
        reason: str | None = None,
        text: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """A circuit breaker is ``closed``, ``half_open`` or ``open`` from now on; a state it has is not told again."""
        try:
            word = self._breaker_state(state) or ""
            before = self._breakers.change({"trading.circuit_breaker.name": name}, word)
            if before == word:
                return
            if not before and word == "closed":
                return  # it begins like that
            values = (name, before or "closed", word, reason, text)
            self._say("breaker_changed", values, time_ns, _BREAKER.get(word, 0))
        except Exception as error:
            self._failed("breaker_changed", error)

    def halted(
        self, trigger: str, *, reason: str | None = None, text: str | None = None, time_ns: int | None = None
    ) -> None:
        """The bot stopped trading; ``trigger`` says what made it: ``venue_disconnect``, ``daily_loss_limit``."""
        try:
            self._trading_state.change({}, "halted")
            self._say("halted", (trigger, reason, "halted", text), time_ns)
        except Exception as error:
            self._failed("halted", error)

    def resumed(
        self, trigger: str, *, reason: str | None = None, text: str | None = None, time_ns: int | None = None
    ) -> None:
        """The bot trades again."""
        try:
            self._trading_state.change({}, "active")
            self._say("resumed", (trigger, reason, "active", text), time_ns)
        except Exception as error:
            self._failed("resumed", error)

    def risk_measured(
        self,
        measure: str,
        value: object,
        *,
        currency: str | None = None,
        confidence: object = None,
        window: str | None = None,
        strategy: str | None = None,
        venue: str | None = None,
        symbol: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """A measure of risk: ``var`` or ``expected_shortfall`` in money, ``volatility`` as a share."""
        try:
            sure = None if confidence is None else str(confidence)
            amount = self._amount("risk_measured", "value", value)
            values = (measure, amount, currency, sure, window, strategy, venue, symbol)
            self._say("risk_measured", values, time_ns)
        except Exception as error:
            self._failed("risk_measured", error)
