"""The values of FIX that trading events use, and what venues and ccxt say for them."""

from __future__ import annotations

from typing import Any, Self

from otel_trading.trading.conventions.fix import FixEnum


class Side(FixEnum):
    """Side (54).

    >>> Side.of("Ask"), Side("buy")
    (<Side.SELL: 'sell'>, <Side.BUY: 'buy'>)
    """

    BUY = "buy", "1", "b", "bid", "long"
    SELL = "sell", "2", "s", "ask", "offer", "short"
    SELL_SHORT = "sell_short", "5"


class OrderType(FixEnum):
    """OrdType (40).

    >>> OrderType.of("STOP_LOSS_LIMIT"), OrderType.of("LIMIT_MAKER")
    (<OrderType.STOP_LIMIT: 'stop_limit'>, <OrderType.LIMIT: 'limit'>)
    """

    MARKET = "market", "1"
    LIMIT = "limit", "2", "limit_maker", "post_only"
    STOP = "stop", "3", "stop_loss", "stop_market", "take_profit", "take_profit_market"
    STOP_LIMIT = "stop_limit", "4", "stop_loss_limit", "take_profit_limit"
    PEGGED = "pegged", "P"


class TimeInForce(FixEnum):
    """TimeInForce (59).

    >>> TimeInForce.of("GTX"), TimeInForce.of("good till cancel")
    (<TimeInForce.GTC: 'gtc'>, <TimeInForce.GTC: 'gtc'>)
    """

    DAY = "day", "0", "gfd"
    GTC = "gtc", "1", "good_till_cancel", "good_til_canceled", "po", "gtx", "post_only"
    OPG = "opg", "2", "at_the_opening"
    IOC = "ioc", "3", "immediate_or_cancel", "fak"
    FOK = "fok", "4", "fill_or_kill"
    GTD = "gtd", "6", "good_till_date", "gtt"


class OrderStatus(FixEnum):
    """OrdStatus (39).

    >>> OrderStatus.of("closed"), OrderStatus.of("PARTIALLY_FILLED"), OrderStatus.of("A"), OrderStatus.FILLED.final
    (<OrderStatus.FILLED: 'filled'>, <OrderStatus.PARTIALLY_FILLED: 'partially_filled'>, \
<OrderStatus.PENDING_NEW: 'pending_new'>, True)
    """

    NEW = "new", "0", "open", "accepted", "live", "resting", "acknowledged"
    PARTIALLY_FILLED = "partially_filled", "1", "partial", "partially_matched"
    FILLED = "filled", "2", "closed", "executed", "matched", "done"
    DONE_FOR_DAY = "done_for_day", "3"
    CANCELED = "canceled", "4", "cancelled"
    REPLACED = "replaced", "5"
    PENDING_CANCEL = "pending_cancel", "6", "canceling", "cancelling"
    STOPPED = "stopped", "7"
    REJECTED = "rejected", "8"
    SUSPENDED = "suspended", "9"
    PENDING_NEW = "pending_new", "A", "pending", "submitted", "received"
    CALCULATED = "calculated", "B"
    EXPIRED = "expired", "C", "expired_in_match"
    PENDING_REPLACE = "pending_replace", "E"

    @property
    def final(self) -> bool:
        """Whether no more can happen to an order of this status."""
        return self in {
            *(OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED),
            OrderStatus.DONE_FOR_DAY,
        }


class ExecutionType(FixEnum):
    """ExecType (150).

    >>> ExecutionType.of("F"), ExecutionType.of("fill")
    (<ExecutionType.TRADE: 'trade'>, <ExecutionType.TRADE: 'trade'>)
    """

    NEW = "new", "0"
    DONE_FOR_DAY = "done_for_day", "3"
    CANCELED = "canceled", "4", "cancelled"
    REPLACED = "replaced", "5", "amended"
    PENDING_CANCEL = "pending_cancel", "6"
    STOPPED = "stopped", "7"
    REJECTED = "rejected", "8"
    SUSPENDED = "suspended", "9"
    PENDING_NEW = "pending_new", "A"
    CALCULATED = "calculated", "B", "liquidation"
    EXPIRED = "expired", "C", "trade_prevention"
    RESTATED = "restated", "D"
    PENDING_REPLACE = "pending_replace", "E"
    TRADE = "trade", "F", "fill", "partial_fill", "1", "2"
    TRADE_CORRECT = "trade_correct", "G"
    TRADE_CANCEL = "trade_cancel", "H"
    ORDER_STATUS = "order_status", "I"


class Liquidity(FixEnum):
    """LastLiquidityInd (851): whether an execution added liquidity (maker) or removed it (taker)."""

    ADDED = "added", "1", "maker", "m", "add"
    REMOVED = "removed", "2", "taker", "t", "remove"
    ROUTED_OUT = "routed_out", "3"
    AUCTION = "auction", "4"


class RejectReason(FixEnum):
    """Why a venue refused an order or its cancellation: OrdRejReason (103) and CxlRejReason (102) in one.

    What FIX has no code for is 99, other, there.

    >>> RejectReason.of("InsufficientFunds"), RejectReason.of("5"), RejectReason.of_cancel("1")
    (<RejectReason.INSUFFICIENT_FUNDS: 'insufficient_funds'>, <RejectReason.UNKNOWN_ORDER: 'unknown_order'>, \
<RejectReason.UNKNOWN_ORDER: 'unknown_order'>)
    """

    OTHER = "other", "99"
    VENUE_OPTION = "venue_option", "0", "broker_option"
    UNKNOWN_SYMBOL = "unknown_symbol", "1", "badsymbol", "bad_symbol"
    EXCHANGE_CLOSED = "exchange_closed", "2", "onmaintenance", "exchangenotavailable", "market_closed"
    ORDER_EXCEEDS_LIMIT = "order_exceeds_limit", "3", "limit_exceeded"
    TOO_LATE = "too_late", "4", "too_late_to_cancel", "too_late_to_enter"
    UNKNOWN_ORDER = "unknown_order", "5", "ordernotfound", "order_not_found"
    DUPLICATE_ORDER = "duplicate_order", "6", "duplicateorderid"
    STALE_ORDER = "stale_order", "8", "invalidnonce", "timestamp_out_of_window"
    UNSUPPORTED = "unsupported", "11", "unsupported_order_characteristic", "notsupported"
    INCORRECT_QUANTITY = "incorrect_quantity", "13", "lot_size", "min_notional"
    UNKNOWN_ACCOUNT = "unknown_account", "15", "accountsuspended"
    PRICE_OUT_OF_BAND = "price_out_of_band", "16", "percent_price"
    INVALID_PRICE_INCREMENT = "invalid_price_increment", "18", "tick_size", "price_filter"
    ALREADY_PENDING = "already_pending", "99", "already_in_pending"
    INSUFFICIENT_FUNDS = "insufficient_funds", "99", "insufficientfunds", "insufficient_balance", "margin_insufficient"
    WOULD_TAKE = "would_take", "99", "orderimmediatelyfillable", "post_only_would_take"
    NOT_FILLABLE = "not_fillable", "99", "ordernotfillable"
    INVALID_ORDER = "invalid_order", "99", "invalidorder", "badrequest"
    RATE_LIMITED = "rate_limited", "99", "ratelimitexceeded", "ddosprotection", "too_many_orders"
    NOT_ALLOWED = "not_allowed", "99", "permissiondenied", "authenticationerror"
    SELF_TRADE = "self_trade", "99", "self_trade_prevention"
    RISK_LIMIT = "risk_limit", "99", "pre_trade_risk"

    @classmethod
    def of_cancel(cls, code: Any) -> Self | None:  # noqa: ANN401 - whatever a venue says
        """The reason of a refused cancellation: the codes are those of CxlRejReason (102)."""
        word = _CANCEL_CODES.get(f"{code}")
        return cls.of(code if word is None else word)

    @classmethod
    def of_error(cls, error: BaseException) -> Self | None:
        """The reason that the class of an exception tells, as ccxt's do."""
        found = (cls.of(each.__name__) for each in type(error).__mro__)
        return next((reason for reason in found if reason is not None), None)


_CANCEL_CODES = {
    "0": "too_late", "1": "unknown_order", "2": "venue_option", "3": "already_pending", "6": "duplicate_order",
    "7": "price_out_of_band", "8": "price_out_of_band", "18": "invalid_price_increment", "99": "other",
}  # fmt: skip


class SecurityType(FixEnum):
    """What is traded; SecurityType (167) has codes for some."""

    SPOT = "spot", "FXSPOT", "margin"
    SWAP = "swap", "", "perpetual", "perp", "linear", "inverse", "contract"
    FUTURE = "future", "FUT", "futures", "delivery"
    OPTION = "option", "OPT", "options"
    PREDICTION = "prediction", "", "binary", "event_contract"
    EQUITY = "equity", "CS", "stock"


class MarketDataType(FixEnum):
    """What a frame of market data tells."""

    BOOK_SNAPSHOT = "book_snapshot", "", "snapshot", "orderbook", "order_book", "book", "books"
    BOOK_UPDATE = (
        *("book_update", "", "depth", "depth_update", "l2update", "delta", "order_book_update", "diff_order_book"),
        *("orderbook_delta", "price_change", "level2", "l2_data"),
    )
    TRADE = (
        *("trade", "", "trades", "aggtrade", "agg_trade", "last_trade_price", "match", "matches", "deal", "deals"),
        *("public_trade", "public_trades"),
    )
    TICKER = "ticker", "", "tickers", "book_ticker", "bookticker", "bbo", "quote", "best_bid_ask"
    CANDLE = "candle", "", "candles", "candlestick", "kline", "ohlcv", "ohlc", "bar"
    FUNDING = "funding", "", "funding_rate", "mark_price", "markprice"
    LIQUIDATION = "liquidation", "", "liquidations", "force_order", "forceorder", "liquidation_orders"
    USER = (
        *("user", "", "user_data", "execution_report", "execution", "executions", "order", "orders", "fill", "fills"),
        *("account", "balance", "balances", "position", "positions", "wallet"),
    )


class EntryType(FixEnum):
    """MDEntryType (269): what an entry of a book is."""

    BID = "bid", "0", "bids", "b"
    OFFER = "offer", "1", "ask", "asks", "a"
    TRADE = "trade", "2"
    INDEX = "index", "3"
    OPENING = "opening", "4", "open"
    CLOSING = "closing", "5", "close"
    SETTLEMENT = "settlement", "6"
    HIGH = "high", "7"
    LOW = "low", "8"
    VWAP = "vwap", "9"
    VOLUME = "volume", "B"
    OPEN_INTEREST = "open_interest", "C"


class UpdateAction(FixEnum):
    """MDUpdateAction (279): what happened to an entry."""

    NEW = "new", "0", "insert", "partial"
    CHANGE = "change", "1", "update"
    DELETE = "delete", "2", "remove"


class SessionStatus(FixEnum):
    """TradSesStatus (340): whether a venue trades."""

    UNKNOWN = "unknown", "0"
    HALTED = "halted", "1", "halt", "break"
    OPEN = "open", "2", "trading", "ok", "active"
    CLOSED = "closed", "3", "end_of_day", "shutdown"
    PREOPEN = "preopen", "4", "pre_open", "pre_trading"
    PRECLOSE = "preclose", "5", "post_trading"


class TradingState(FixEnum):
    """What the bot may do."""

    ACTIVE = "active", "2"
    REDUCING = "reducing"
    HALTED = "halted", "1"


class ConnectionState(FixEnum):
    """The state of a connection to a venue."""

    CONNECTED = "connected", "", "open", "up"
    CONNECTING = "connecting", "", "reconnecting"
    DISCONNECTED = "disconnected", "", "closed", "down"


class HealthState(FixEnum):
    """How a component is."""

    HEALTHY = "healthy", "", "ok", "up"
    DEGRADED = "degraded", "", "warning"
    DOWN = "down", "", "failed"


class BreakerState(FixEnum):
    """The state of a circuit breaker."""

    CLOSED = "closed", "", "0"
    HALF_OPEN = "half_open", "", "1", "halfopen"
    OPEN = "open", "", "2", "tripped"


class TradeOutcome(FixEnum):
    """How a trade of one leg or several ended."""

    SUCCESS = "success", "", "successful", "completed"
    FAILED = "failed", "", "failure", "error"
    TIMEOUT = "timeout", "", "timed_out"
    PARTIAL = "partial", "", "one_leg"
