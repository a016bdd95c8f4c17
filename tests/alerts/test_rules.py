"""Each rule on the bot's own events: it fires, stays quiet below its threshold, and is over when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading._native import wall_ns
from otel_trading.alerts.inbox import HEARD, URGENT
from otel_trading.alerts.readings import Latencies
from otel_trading.alerts.rules import RULES
from otel_trading.alerts.rules.view import Disk
from otel_trading.health.model import Component, HealthReport
from otel_trading.testing import capture
from otel_trading.trading.events import EVENTS
from tests.alerts.watched import Watched, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_trading.testing import Captured

    Act = Callable[["Bot"], None]

CONDITIONS = {
    "001": {
        *("service_down", "data_corruption", "position_breach", "loss_limit_breach", "high_latency"),
        *("approaching_limits", "low_fill_rate", "stale_data", "new_opportunities", "market_changes"),
        "performance_milestones",
    },
    "002": {"circuit_breaker_trip", "limit_breach", "exchange_disconnect", "strategy_panic", "large_execution"},
    "000": {"connection_down", "high_latency", "high_error_rate", "low_disk_space"},
}
"""What the requirement documents ask for."""


class Bot:
    """What happens to it."""

    def __init__(self, captured: Captured, watched: Watched) -> None:
        self.captured, self.watched = captured, watched
        self.trading = captured.trading
        self.feed: Any = None
        self.orders = 0

    def wait(self, seconds: float) -> None:
        self.watched.after(seconds)

    def subscribe(self) -> None:
        self.feed = self.trading.feeds.feed("binance", "btcusdt@trade", symbol="BTC/USDT", type="trade")
        self.feed.message()

    def late_for(self, seconds: float, p95_ms: float) -> None:
        for _ in range(round(seconds / 5)):
            self.trading.latency_updated(venue="kraken", p50_ms=p95_ms / 2, p95_ms=p95_ms)
            self.watched.after(5, step=1.0)

    def orders_filled(self, filled: int, of: int) -> None:
        for place in range(of):
            self.orders += 1
            name = f"c-{self.orders}"
            self.trading.order_submitted(name, venue="binance", symbol="BTC/USDT", side="buy", quantity=1)
            if place < filled:
                self.trading.order_filled(name, quantity=1, price=10)
            else:
                self.trading.order_canceled(name)

    def limit(self, name: str, used: float, limit: float = 100.0, **more: Any) -> None:
        self.trading.limit_checked(name, used=used, limit=limit, **more)

    def health(self, state: Any, *, critical: bool = True) -> None:
        component = Component("postgres", state, critical=critical, reasons=("no answer",))
        self.watched.health = HealthReport(state, ready=state == "healthy", components=(component,))

    def disk(self, free: int) -> None:
        self.watched.manager._watch._disks.seen = (Disk("/data", free, 10**12),)

    def fill(self, notional: float) -> None:
        self.orders += 1
        name = f"f-{self.orders}"
        self.trading.order_submitted(name, venue="binance", symbol="BTC/USDT", side="buy", quantity=1)
        self.trading.order_filled(name, quantity=1, price=notional, execution_id=f"t-{self.orders}")


@dataclass(frozen=True)
class Case:
    """One rule: what it takes to fire, what does not, and what ends it."""

    rule: str
    level: str
    fires: Act
    subject: str = ""
    quiet: Act | None = None
    ends: Act | None = None
    after: float = 1.0
    options: dict[str, Any] | None = None
    words: str = ""


def errors(bot: Bot, count: int) -> None:
    for _ in range(count):
        bot.trading.request_completed("binance", "create_order", 0.1, error="NetworkError")


def market_error(kind: str) -> Act:
    return lambda bot: bot.trading.market_data_error(venue="kraken", symbol="ETH/USD", error=kind, text="no price")


def connection(state: str, **more: Any) -> Act:
    return lambda bot: bot.trading.connection_changed("binance", state, connection="market_data", **more)


def opportunity(edge: float) -> Act:
    return lambda bot: bot.trading.opportunity_detected(strategy="basis", route="a-b", edge_bps=edge)


def profit(change: float) -> Act:
    return lambda bot: bot.trading.pnl_changed(change, currency="USDT", strategy="basis")


def both(*acts: Act) -> Act:
    def all_of_them(bot: Bot) -> None:
        for act in acts:
            act(bot)

    return all_of_them


def rules(**named: Any) -> dict[str, Any]:
    return {"alerts_rules": named}


CASES = [
    Case(
        *("service_down", "CRITICAL", lambda bot: bot.health("down"), "postgres"),
        quiet=lambda bot: bot.health("degraded"),
        ends=lambda bot: bot.health("healthy"),
        after=31,
        words="postgres is down",
    ),
    Case(
        *("data_corruption", "CRITICAL", market_error("schema_validation"), "kraken schema_validation"),
        quiet=market_error("spec_validation_changed"),
        words="Market data of kraken cannot be used: schema_validation",
    ),
    Case(
        *("position_breach", "CRITICAL", lambda bot: bot.limit("position_exposure", 111), "position_exposure"),
        quiet=lambda bot: bot.limit("position_exposure", 109),
        ends=lambda bot: bot.limit("position_exposure", 90),
    ),
    Case(
        "position_breach",
        "CRITICAL",
        lambda bot: bot.trading.position_changed("binance", "BTC/USDT", 2, price=60, currency="USDT"),
        "binance BTC/USDT",
        quiet=lambda bot: bot.trading.position_changed("binance", "BTC/USDT", 1, price=60, currency="USDT"),
        ends=lambda bot: bot.trading.position_changed("binance", "BTC/USDT", 0),
        options=rules(position_breach={"max_notional": 100}),
    ),
    Case(
        *("loss_limit_breach", "CRITICAL", lambda bot: bot.limit("daily_loss", 101), "daily_loss"),
        quiet=lambda bot: bot.limit("daily_loss", 80),
        ends=lambda bot: bot.limit("daily_loss", 10),
    ),
    Case(
        *("loss_limit_breach", "CRITICAL", profit(-150), "USDT"),
        quiet=profit(-50),
        ends=profit(140),
        options=rules(loss_limit_breach={"threshold": 100}),
        words="Loss above its limit: session loss in USDT",
    ),
    Case(
        *("high_latency", "WARNING", lambda bot: bot.late_for(125, 2_500), "kraken"),
        quiet=lambda bot: bot.late_for(115, 2_500),
        ends=lambda bot: bot.late_for(35, 100),
        words="Market data of kraken is late",
    ),
    Case(
        *("high_latency", "WARNING", lambda bot: bot.late_for(125, 2_001), "kraken"),
        quiet=lambda bot: bot.late_for(125, 1_999),
    ),
    Case(
        *("approaching_limits", "WARNING", lambda bot: bot.limit("turnover", 86), "turnover"),
        quiet=lambda bot: bot.limit("turnover", 84),
        ends=lambda bot: bot.limit("turnover", 50),
        words="Close to a risk limit: turnover",
    ),
    Case(
        *("low_fill_rate", "WARNING", lambda bot: bot.orders_filled(6, 10), "binance"),
        quiet=lambda bot: bot.orders_filled(7, 10),
        ends=lambda bot: bot.orders_filled(30, 30),
        words="Few orders are filled at binance",
    ),
    Case(
        *("stale_data", "WARNING", lambda bot: bot.subscribe(), "binance btcusdt@trade"),
        ends=lambda bot: bot.feed.message(),
        after=31,
        words="No market data from binance: btcusdt@trade",
    ),
    Case(
        "stale_data",
        "WARNING",
        lambda bot: bot.trading.feed_stale(venue="kraken", subscription="book", seconds=31),
        "kraken book",
        ends=lambda bot: bot.trading.feed_resumed(venue="kraken", subscription="book", seconds=40),
    ),
    Case("new_opportunities", "INFO", opportunity(51), "basis a-b", quiet=opportunity(49)),
    Case(
        "market_changes",
        "INFO",
        lambda bot: bot.trading.session_changed(venue="binance", status="halted", symbol="BTC/USDT", reason="news"),
        "binance BTC/USDT halted",
        words="binance: BTC/USDT is halted",
    ),
    Case("market_changes", "INFO", market_error("spec_validation_changed"), "kraken ETH/USD"),
    Case(
        *("performance_milestones", "INFO", profit(1_100), "USDT 1000"),
        quiet=profit(900),
        options=rules(performance_milestones={"threshold": 1_000}),
        words="Profit above 1,000 USDT",
    ),
    Case(
        *("circuit_breaker_trip", "CRITICAL", lambda bot: bot.trading.breaker_changed("daily", "open"), "daily"),
        ends=lambda bot: bot.trading.breaker_changed("daily", "closed"),
        words="Circuit breaker tripped: daily",
    ),
    Case(
        *("trading_halted", "CRITICAL", lambda bot: bot.trading.halted("venue_disconnect", reason="no data")),
        ends=lambda bot: bot.trading.resumed("operator"),
        words="Trading halted: venue_disconnect",
    ),
    Case(
        *("limit_breach", "WARNING", lambda bot: bot.limit("turnover", 104), "turnover"),
        quiet=lambda bot: bot.limit("turnover", 99),
        ends=lambda bot: bot.limit("turnover", 40),
    ),
    Case("limit_breach", "ERROR", lambda bot: bot.limit("turnover", 140), "turnover"),
    Case("limit_breach", "WARNING", lambda bot: bot.limit("turnover", 90, result="refused"), "turnover"),
    Case(
        *("exchange_disconnect", "WARNING", both(connection("connected"), connection("disconnected"))),
        *("binance market_data",),
        quiet=both(connection("connected"), connection("disconnected", wanted=True)),
        ends=connection("connected"),
        words="Connection to binance is lost",
    ),
    Case(
        *("exchange_disconnect", "ERROR", both(connection("connected"), connection("disconnected"))),
        *("binance market_data",),
        ends=connection("connected"),
        options=rules(connection_down={"enabled": False}),
        after=31,
    ),
    Case(
        *("connection_down", "ERROR", both(connection("connected"), connection("disconnected")), "binance"),
        quiet=both(
            connection("connected"),
            lambda bot: bot.trading.connection_changed("binance", "connected", connection="user_data"),
            connection("disconnected"),
        ),
        ends=connection("connected"),
        after=21,
        words="binance is not reachable",
    ),
    Case(
        *("strategy_panic", "CRITICAL"),
        lambda bot: bot.trading.strategy_failed(strategy="basis", error=ZeroDivisionError("no price")),
        "basis ZeroDivisionError",
        words="Strategy failed: basis",
    ),
    Case(
        *("large_execution", "INFO", lambda bot: bot.fill(150_000), "t-1"),
        quiet=lambda bot: bot.fill(50_000),
        words="Large execution at binance: buy 1 BTC/USDT",
    ),
    Case(
        *("high_error_rate", "ERROR", lambda bot: errors(bot, 61), "binance"),
        quiet=lambda bot: errors(bot, 59),
        ends=lambda bot: bot.wait(70),
        words="Many errors at binance",
    ),
    Case(
        *("low_disk_space", "WARNING", lambda bot: bot.disk(900_000_000), "/data"),
        quiet=lambda bot: bot.disk(1_100_000_000),
        ends=lambda bot: bot.disk(2_000_000_000),
        words="Little space left on /data",
    ),
    Case("low_disk_space", "CRITICAL", lambda bot: bot.disk(100_000_000), "/data"),
    Case(
        "order_rejected",
        "WARNING",
        lambda bot: bot.trading.order_rejected("c-9", venue="binance", reason="insufficient_funds"),
        "binance insufficient_funds",
    ),
    Case(
        *("position_drift", "ERROR"),
        lambda bot: bot.trading.position_drifted("binance", "BTC/USDT", believed=1, held=2),
        "binance BTC/USDT",
        quiet=lambda bot: bot.trading.position_drifted("binance", "BTC/USDT", believed=2, held=2),
        words="binance holds another position in BTC/USDT",
    ),
    Case("order_unanswered", "ERROR", lambda bot: bot.trading.order_unanswered("c-9", error="Timeout")),
]


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as telemetry:
        yield telemetry
    while BEGUN:
        BEGUN.pop().manager.deafen()


BEGUN: list[Watched] = []


def begun(captured: Captured, case: Case) -> Bot:
    watched = Watched(captured.clock, **(case.options or {}))
    BEGUN.append(watched)
    assert watched.problems == []
    watched.listen_to(captured)
    watched.look()
    return Bot(captured, watched)


def named(case: Case) -> str:
    return f"{case.rule} {case.level} {case.subject}"


def of(bot: Bot, case: Case) -> list[tuple[str, str, str]]:
    key = f"{case.rule}/{case.subject}" if case.subject else case.rule
    return [(kind, level, found) for kind, level, found in said(bot.watched.outbox.posted) if found == key]


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_rule_fires_and_is_over(captured: Captured, case: Case) -> None:
    """Once; with its level, its words and its subject; and its end is told once, if it lasts."""
    bot = begun(captured, case)
    case.fires(bot)
    bot.watched.after(case.after)
    bot.watched.after(5)
    key = f"{case.rule}/{case.subject}" if case.subject else case.rule
    told = [each for each in of(bot, case) if each[1] == case.level]
    assert told == [(told[0][0], case.level, key)] if told else False, list(said(bot.watched.outbox.posted))
    first = next(
        alert
        for notification in bot.watched.outbox.posted
        for alert in (notification.alert, *notification.others)
        if alert.key == key
    )
    if case.words:
        assert first.title == case.words
    assert "?" not in first.title
    moment = RULES[case.rule].moment
    assert first.state == ("event" if moment else "firing")
    active = [alert.key for alert in bot.watched.manager.active()]
    assert (key in active) is not moment
    if case.ends is not None:
        case.ends(bot)
        bot.watched.after(RULES[case.rule].resolve_after + 5)
        assert [kind for kind, _, _ in of(bot, case)].count("resolved") == 1
        assert key not in [alert.key for alert in bot.watched.manager.active()]


@pytest.mark.parametrize("case", [case for case in CASES if case.quiet is not None], ids=named)
def test_a_rule_stays_quiet(captured: Captured, case: Case) -> None:
    """Below its threshold nobody hears of it."""
    bot = begun(captured, case)
    assert case.quiet is not None
    case.quiet(bot)
    bot.watched.after(case.after)
    assert of(bot, case) == []


def test_a_short_trouble_is_none() -> None:
    """What lasts less than its time is not told, however often it comes."""
    watched = Watched()
    component = Component("postgres", "down", critical=True)
    for _ in range(20):
        watched.health = HealthReport("down", ready=False, components=(component,))
        assert watched.after(29) == []
        watched.health = HealthReport("healthy", ready=True)
        assert watched.after(1) == []


def test_a_lost_connection_gets_worse_once(captured: Captured) -> None:
    """A warning at once, an error when it lasts; attempts to connect do not begin it anew."""
    bot = begun(captured, CASES[0])
    bot.watched.use(alerts_rules={"connection_down": False})
    connection("connected")(bot)
    connection("disconnected", reason="reset by peer")(bot)
    told = bot.watched.after(1)
    assert [(each.kind, each.alert.level, each.alert.fields["reason"]) for each in told] == [
        ("first", "WARNING", "reset by peer")
    ]
    for _ in range(10):
        connection("connecting")(bot)
        connection("disconnected")(bot)
        told = bot.watched.after(2)
        assert told == []
    told = bot.watched.after(12)
    assert [(each.kind, each.alert.level) for each in told] == [("escalation", "ERROR")]
    assert "pager" in told[0].channels
    assert bot.watched.after(600) == []
    connection("connected")(bot)
    [over] = bot.watched.after(10)
    assert (over.kind, over.channels) == ("resolved", told[0].channels)


def test_what_a_worse_alert_says_is_not_said_again(captured: Captured) -> None:
    """A limit that is broken by far is one alert, not three."""
    bot = begun(captured, CASES[0])
    bot.limit("position_exposure", 130)
    told = bot.watched.after(30)
    assert [each.alert.rule for each in told] == ["position_breach"]
    bot.limit("position_exposure", 104)
    told = bot.watched.after(30)
    assert [(each.kind, each.alert.rule) for each in told] == [
        ("resolved", "position_breach"),
        ("first", "limit_breach"),
    ]


def test_a_bot_that_tells_its_latency_itself_is_believed(captured: Captured) -> None:
    """For two minutes after each time."""
    bot = begun(captured, CASES[0])
    for _ in range(3):
        bot.trading.latency_updated(venue="kraken", p50_ms=900, p95_ms=2_500)
        bot.watched.after(50)
    assert [each.alert.subject for each in bot.watched.outbox.posted] == ["kraken"]
    told = bot.watched.after(120)
    assert [each.kind for each in told] == ["resolved"]


def test_latency_is_read_from_the_histogram_of_the_feeds() -> None:
    """By venue; what never came has none."""
    with capture(real_time=True) as captured:
        trading, pump = captured.trading, captured.handle.timers.pump
        latencies = Latencies(captured.handle.meter, pump)
        feed = trading.feeds.feed("bitfinex", "btcusdt@trade", symbol="BTC/USDT", type="trade")
        trading.feeds.feed("kraken", "book", type="book_update")
        assert latencies.read(trading.feeds) == {}
        now = wall_ns()
        for place in range(100):
            feed.message(now - (3_000_000_000 if place >= 90 else 1_000_000_000), now)
        pump.tick()
        assert latencies.read(trading.feeds) == {"bitfinex": pytest.approx(3.0, rel=0.05)}
        latencies.close()


def test_every_condition_has_a_rule() -> None:
    """Of each trading event that can raise one, and of each that the requirements have; and no rule is for nothing."""
    raised = {event.alert: event.name for event in EVENTS.values() if event.alert}
    asked = set().union(*CONDITIONS.values())
    assert set(raised) | asked == set(RULES)
    heard = HEARD | {"trading.pnl.changed"}  # profit is asked for where it is added up
    assert {name for name in raised.values() if name not in heard} == set()
    assert heard <= set(EVENTS)
    assert URGENT <= HEARD
    tested = {case.rule for case in CASES}
    assert set(RULES) - tested == {"order_abandoned"}


def test_levels_are_the_required_ones() -> None:
    """As the tables of the requirements have them."""
    levels = {name: rule.level.value for name, rule in RULES.items()}
    critical = {"service_down", "data_corruption", "position_breach", "loss_limit_breach"}
    warning = {"high_latency", "approaching_limits", "low_fill_rate", "stale_data"}
    info = {"new_opportunities", "market_changes", "performance_milestones"}
    assert {levels[name] for name in critical} == {"CRITICAL"}
    assert {levels[name] for name in warning} == {"WARNING"}
    assert {levels[name] for name in info} == {"INFO"}
    steps = {name: [step.after for step in RULES[name].steps] for name in warning}
    assert steps == {
        "high_latency": [900.0],
        "approaching_limits": [1_800.0],
        "low_fill_rate": [3_600.0],
        "stale_data": [120.0],
    }
