"""What instruments of nautilus_trader are called elsewhere."""

from __future__ import annotations

from typing import Any, NamedTuple

_TYPES = {
    "BettingInstrument": "prediction",
    "BinaryOption": "prediction",
    "CryptoFuture": "future",
    "CryptoOption": "option",
    "CryptoPerpetual": "swap",
    "CurrencyPair": "spot",
    "Equity": "equity",
    "FuturesContract": "future",
    "FuturesSpread": "future",
    "OptionContract": "option",
    "OptionSpread": "option",
}


class Named(NamedTuple):
    """An instrument by the conventions' names."""

    venue: str
    symbol: str
    currency: str | None
    type: str | None


class Instruments:
    """Instruments by their ids: the venue in lower case as ccxt has it, and the unified symbol where there is one."""

    def __init__(self, cache: Any) -> None:  # noqa: ANN401 - nautilus_trader's
        self._cache = cache
        self._known: dict[Any, Named] = {}

    def __getitem__(self, instrument_id: Any) -> Named:  # noqa: ANN401 - an InstrumentId
        found = self._known.get(instrument_id)
        if found is None:
            instrument = self._cache.instrument(instrument_id)
            found = named(instrument_id, instrument)
            if instrument is not None:
                self._known[instrument_id] = found
        return found


def named(instrument_id: Any, instrument: Any) -> Named:  # noqa: ANN401 - nautilus_trader's
    """By the id, and by the instrument where it is known."""
    venue = instrument_id.venue.value.lower()
    symbol: str = instrument_id.symbol.value
    if instrument is None:
        return Named(venue, symbol, None, None)
    kind = type(instrument).__name__
    quote = instrument.quote_currency.code
    base = getattr(instrument, "base_currency", None)
    if base is not None and kind in {"CurrencyPair", "CryptoPerpetual"}:
        symbol = f"{base.code}/{quote}"
        if kind == "CryptoPerpetual":
            symbol = f"{symbol}:{instrument.settlement_currency.code}"
    return Named(venue, symbol, quote, _TYPES.get(kind))
