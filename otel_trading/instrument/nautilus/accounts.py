"""What the bus says of accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from decimal import Decimal

    from otel_trading.trading.facade import Trading


class Accounts:
    """Hears ``events.account.*``; a balance that is as it was is not told again."""

    def __init__(self, trading: Trading, *, live: bool) -> None:
        self._trading = trading
        self._live = live
        self._known: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}

    def __call__(self, event: Any) -> None:  # noqa: ANN401 - nautilus_trader's AccountState
        """Tell each balance that changed."""
        account = event.account_id
        venue = account.get_issuer().lower()
        for balance in event.balances:
            currency = balance.currency.code
            total, free = balance.total.as_decimal(), balance.free.as_decimal()
            key = account.value, currency
            if self._known.get(key) == (total, free):
                continue
            self._known[key] = total, free
            self._trading.balance_changed(
                venue,
                currency,
                total,
                free=free,
                used=balance.locked.as_decimal(),
                account=account.value,
                time_ns=event.ts_init if self._live else event.ts_event,
            )
