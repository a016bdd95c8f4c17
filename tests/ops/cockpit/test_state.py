"""What the page is told, by section."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_trading.logs.tail import Tail
from otel_trading.ops.cockpit.deltas import difference, patched
from otel_trading.ops.cockpit.memory import FILLS, ROWS
from otel_trading.ops.cockpit.values import number, words
from otel_trading.ops.cockpit.verdict import MOST, verdict

if TYPE_CHECKING:
    from otel_trading import Telemetry
    from tests.core.conftest import Configure

_VALUES = st.one_of(st.integers(), st.text(max_size=5), st.booleans(), st.lists(st.integers(), max_size=2))
_TREES = st.recursive(
    st.dictionaries(st.text(max_size=3), _VALUES, max_size=4),
    lambda inner: st.dictionaries(st.text(max_size=3), st.one_of(_VALUES, inner), max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(_TREES, _TREES)
def test_a_difference_leads_from_one_state_to_the_other(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Whatever the two are; and there is none between what is the same."""
    assert patched(before, difference(before, now)) == now
    assert difference(now, now) == {}


def test_memory_is_bounded(configured: Configure) -> None:
    """However many symbols, limits, strategies and executions a bot tells of."""
    handle = configured()
    trading, memory = handle.trading, handle.cockpit.memory
    for place in range(ROWS + 50):
        trading.position_changed("binance", f"S{place}", 1, price=1)
        trading.limit_checked(f"limit {place}", used=1, limit=2)
        trading.pnl_changed(1, currency="USDT", strategy=f"s{place}", symbol=f"S{place}", unrealized=1)
    for place in range(FILLS + 20):
        trading.order_submitted(f"c{place}", venue="v", symbol="S", side="buy", quantity=1)
        trading.order_filled(f"c{place}", quantity=1, price=1, execution_id=f"e{place}")
    assert len(memory.last["position_changed"]) == len(memory.last["limit_checked"]) == ROWS
    assert len(memory.session) == len(memory.realized) == len(memory.unrealized) == ROWS
    assert len(memory.recent["order_filled"]) == FILLS
    assert memory.counts["order_filled"] == FILLS + 20
    assert not trading.failures


def test_profit_is_exact(configured: Configure) -> None:
    """What was realised is added up as amounts, not as binary fractions."""
    handle = configured()
    for _ in range(10):
        handle.trading.pnl_changed(Decimal("0.1"), currency="USDT", strategy="grid", unrealized=Decimal("-0.3"))
    assert handle.cockpit.memory.realized["grid", "USDT"] == Decimal("1.0")


def listeners(handle: Telemetry) -> int:
    """How often the memory hears of a breaker."""
    all_of_them = handle.trading._listeners.get("trading.circuit_breaker.changed", ())
    return sum("Memory" in str(getattr(each, "__qualname__", "")) for each in all_of_them)


def test_nothing_is_remembered_where_there_is_no_page(configured: Configure) -> None:
    """With the server off nobody listens to the bot."""
    handle = configured(ops_enabled=False)
    handle.trading.breaker_changed("daily_loss", "open")
    assert not handle.cockpit.memory.last["breaker_changed"]
    assert listeners(handle) == 0


def test_a_page_can_be_switched_on_later(configured: Configure) -> None:
    """The server comes with a reconfiguration: from then on what the bot says is remembered, once."""
    handle = configured(ops_enabled=False)
    assert handle.trading is not None
    configured(ops_enabled=True)
    handle.trading.breaker_changed("daily_loss", "open")
    assert len(handle.cockpit.memory.last["breaker_changed"]) == 1
    assert listeners(handle) == 1


def test_the_worst_is_said_first() -> None:
    """An open breaker stands before a slow stage, and a hundred stale feeds hide neither."""
    stale = {f"f{each}": {"stale": True, "venue": "v", "subscription": f"s{each}", "age": 40.0} for each in range(100)}
    timed = {"t": {"label": "bot.decide", "budget": 0.01, "windows": {"60": [9, 1, 0.1, 0.1, 0.1, 0.1, 0.1]}}}
    breakers = {"b": {"name": "daily_loss", "state": "open", "reason": "1,000 USDT lost"}}
    told = verdict({"latency": timed, "feeds": {"rows": stale}, "risk": {"breakers": breakers}})
    texts = [text for _, text, _ in told["problems"]]
    assert told["level"] == "critical"
    assert texts[0] == "Breaker daily_loss is open: 1,000 USDT lost"
    assert "and 97 more like these" in texts
    assert texts[-1] == "bot.decide: p99 of 10.0 times its budget"
    assert len(texts) <= MOST


def test_nothing_wrong_is_ok() -> None:
    """Without a section that says otherwise all is well."""
    assert verdict({}) == {"level": "ok", "count": 0, "problems": []}


def test_the_tail_keeps_the_last_lines() -> None:
    """By number and by size, and says how many somebody missed."""
    tail = Tail(count=10, size=1_000)
    for place in range(100):
        tail.write(f"line {place}\n".encode(), {"INFO": 1})
    upto, lines, missed = tail.since(50, 10)
    assert (upto, lines[-1], missed) == (100, b"line 99", 40)
    assert len(tail.since(0)[1]) <= 11
    tail.write(b"".join(f"{place:>99}\n".encode() for place in range(1_000)), {"INFO": 1_000})
    upto, lines, missed = tail.since(100)
    assert upto == 1_100
    assert lines[-1].endswith(b" 999")
    assert len(lines) + missed == 1_000
    assert sum(map(len, lines)) <= 1_000


def test_secrets_and_nonsense_do_not_get_to_the_page() -> None:
    """Texts are masked and cut, numbers are finite."""
    assert "hunter2" not in str(words("failed: https://user:hunter2@venue.example/?signature=abc"))
    assert len(words("x" * 100_000) or "") == 300
    assert [number(value) for value in (float("inf"), "abc", Decimal("NaN"), object())] == [None] * 4
