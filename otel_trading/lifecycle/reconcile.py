"""The step that compares what the bot believes to hold with what its venues say."""

from __future__ import annotations

import inspect
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from otel_trading.lifecycle.clients import Client
from otel_trading.lifecycle.model import RECONCILE, IncompleteError, Step, shortened
from otel_trading.lifecycle.orders import as_call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.trading.facade import Trading

    Quantities = Mapping[str, Any]

_DUST = Decimal("1e-9")
_NAMED = 10


class Reconcile:
    """Compares positions symbol by symbol; each that differs is told as ``position_drifted``, and fails the step.

    Args:
        trading: what the bot believes, ``trading.positions``, unless ``believed`` says so.
        sources: by the venue's name: a client of ccxt, which is asked for its positions, or a function or coroutine
            function that returns quantities by symbol, below zero when short.
        tolerance: by how much a position may differ, in its base currency; one number, or by symbol.
        believed: returns by the venue's name what the bot believes, quantities by symbol.
        baseline: where a spot account is compared: what it holds of each currency beside the bot's positions.

    """

    def __init__(
        self,
        trading: Trading,
        sources: Mapping[str, Any],
        *,
        tolerance: Any,  # noqa: ANN401 - an amount, or amounts by symbol
        believed: Callable[[str], Quantities] | None,
        baseline: Quantities | None,
    ) -> None:
        self._trading = trading
        self._sources = sources
        self._tolerance = tolerance
        self._believed = believed or trading.positions.at
        self._baseline = baseline
        self._asked = ""

    def progress(self) -> str:
        """Who does not answer."""
        return f"{self._asked} did not say what it holds" if self._asked else ""

    async def work(self) -> str:
        """Do it; ``IncompleteError`` names what differs."""
        wrong: list[str] = []
        compared = 0
        for venue, source in self._sources.items():
            self._asked = venue
            thought = {symbol: _exact(each) for symbol, each in self._believed(venue).items()}
            try:
                held = await self._held(source, thought)
            except Exception as error:
                wrong.append(shortened(f"{venue} did not say what it holds: {type(error).__name__}: {error}"))
                continue
            for symbol in sorted({*thought, *held}):
                compared += 1
                wrong += self._compare(venue, symbol, thought.get(symbol, Decimal(0)), held.get(symbol, Decimal(0)))
        self._asked = ""
        if wrong:
            raise IncompleteError("; ".join(wrong[:_NAMED]) + ("; …" if len(wrong) > _NAMED else ""))
        return f"{compared} position{'' if compared == 1 else 's'} agree{'s' if compared == 1 else ''}"

    def _compare(self, venue: str, symbol: str, thought: Decimal, held: Decimal) -> list[str]:
        allowed = self._tolerance
        if not isinstance(allowed, int | float | Decimal | str):
            allowed = allowed.get(symbol, _DUST)
        if abs(held - thought) <= _exact(allowed):
            return []
        self._trading.position_drifted(venue, symbol, believed=thought, held=held)
        return [f"{symbol} at {venue}: {_shown(held)} there, {_shown(thought)} believed"]

    async def _held(self, source: Any, thought: Mapping[str, Decimal]) -> dict[str, Decimal]:  # noqa: ANN401
        if not isinstance(source, Client):
            said = source()
            said = await said if inspect.isawaitable(said) else said
            return {symbol: _exact(each) for symbol, each in said.items()}
        if self._baseline is None and source.has("fetchPositions"):
            held: dict[str, Decimal] = {}
            for row in await source.call("fetch_positions"):
                held[row["symbol"]] = held.get(row["symbol"], Decimal(0)) + _size(row)
            return {symbol: size for symbol, size in held.items() if size}
        total = (await source.call("fetch_balance"))["total"]
        baseline = self._baseline or {}
        return {
            symbol: _exact(total.get(currency) or 0) - _exact(baseline.get(currency, 0))
            for symbol in thought
            for currency in (symbol.partition("/")[0],)
        }


def reconcile(
    trading: Trading,
    *exchanges: Any,  # noqa: ANN401 - ccxt carries no types
    tolerance: Any = _DUST,  # noqa: ANN401
    believed: Callable[[str], Quantities] | None = None,
    baseline: Quantities | None = None,
    timeout: float | None = None,
    **sources: Any,  # noqa: ANN401
) -> Step:
    """The step for clients of ccxt, and for other ``sources`` by the names of their venues; see ``Reconcile``."""
    everything = [*((None, each) for each in exchanges), *sources.items()]
    named: dict[str, Any] = {}
    kinds: set[bool] = set()
    for name, source in everything:
        if hasattr(source, "fetch_open_orders") or hasattr(source, "fetch_balance"):
            client = Client(source)
            kinds.add(client.is_async)
            named[name or client.name] = client
        elif name is not None and callable(source):
            kinds |= {True} if inspect.iscoroutinefunction(source) else set()
            named[name] = source
        else:
            raise TypeError("reconcile() takes clients of ccxt, and functions by the name of their venue")
    if not named:
        raise TypeError("reconcile() needs at least one venue")
    if kinds == {True, False}:
        raise TypeError("reconcile() takes synchronous clients or asynchronous ones, not both")
    work = Reconcile(trading, named, tolerance=tolerance, believed=believed, baseline=baseline)
    return Step(RECONCILE, as_call(work, is_async=True in kinds), timeout=timeout)


def _size(row: Mapping[str, Any]) -> Decimal:
    size = _exact(row.get("contracts") or 0) * _exact(row.get("contractSize") or 1)
    return -abs(size) if row.get("side") == "short" else size


def _exact(amount: Any) -> Decimal:  # noqa: ANN401
    return amount if isinstance(amount, Decimal) else Decimal(str(amount))


def _shown(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
