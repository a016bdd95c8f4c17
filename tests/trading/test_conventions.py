"""The tables of names: whole, without contradictions, and named alike on both ways to Prometheus."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.semconv.attributes import error_attributes

from otel_trading.metrics.native import NativeMeterProvider
from otel_trading.trading.conventions import (
    ATTRIBUTES,
    EVENTS,
    INSTRUMENTS,
    KEYS,
    NAMES,
    SHORT_KEYS,
    Instrument,
    check,
    create,
    enums,
    known,
    label_name,
    prometheus_name,
)
from otel_trading.trading.conventions.fix import FixEnum

TRANSLATED = Path(__file__).parents[2] / "native" / "wire" / "tests" / "data" / "prometheus_names.txt"
KINDS = {"counter", "up_down_counter", "gauge", "histogram", "signed_histogram"}
IDENTIFYING = {11, 37, 41, 17, 1, 1003}
"""FIX's fields that identify one order, execution, trade or account."""


def all_enums() -> list[type[FixEnum]]:
    found = [each for each in vars(enums).values() if isinstance(each, type) and issubclass(each, FixEnum)]
    return [each for each in found if each is not FixEnum]


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_instruments_are_declared_in_full(name: str) -> None:
    """Kind, unit, description, attributes that metrics may have, and boundaries that ascend."""
    instrument = INSTRUMENTS[name]
    assert re.fullmatch(r"[a-z_]+(\.[a-z0-9_]+)+", name)
    assert instrument.kind in KINDS
    assert re.fullmatch(r"s|By|1|\{[a-z_]+\}", instrument.unit)
    assert re.fullmatch(r"[A-Z0-9].*\.", instrument.description)
    given = (*instrument.attributes, *instrument.optional)
    assert len(set(given)) == len(given)
    assert all(ATTRIBUTES[attribute].metric for attribute in given)
    assert list(instrument.bounds) == sorted(set(instrument.bounds))
    assert not instrument.bounds or "histogram" in instrument.kind
    assert instrument.kind == "signed_histogram" or min(instrument.bounds, default=0) >= 0


def test_names_follow_the_rules() -> None:
    """Basis points end in bps, shares in ratio, times are seconds, and nothing is called a total."""
    for name, instrument in INSTRUMENTS.items():
        assert (instrument.unit == "{bp}") == name.endswith(".bps")
        if name.startswith("trading."):
            assert (instrument.unit == "1") == name.endswith(".ratio")
        assert instrument.unit == "s" or not name.endswith((".duration", ".latency", ".lag", ".age", ".offset"))
        assert "total" not in name
        if instrument.unit == "{currency}":
            assert "trading.currency" in instrument.attributes, name


def test_attributes_have_keys_and_tags_of_their_own() -> None:
    """A key is one attribute's, so is a tag; what identifies a single thing is never a metric's."""
    keys = [attribute.key for attribute in ATTRIBUTES.values() if attribute.key]
    assert len(keys) == len(set(keys)) == len(KEYS) == len(SHORT_KEYS)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", key) for key in keys)
    tags = [attribute.fix for attribute in ATTRIBUTES.values() if attribute.fix is not None]
    assert len(tags) == len(set(tags))
    assert not any(attribute.metric for attribute in ATTRIBUTES.values() if attribute.fix in IDENTIFYING)
    assert {"venue", "symbol", "side", "type", "time_in_force", "status", "client_order_id", "order_id"} <= set(keys)
    assert {"execution_id", "quantity", "price", "liquidity", "commission", "currency", "strategy"} <= set(keys)
    assert {"pair_id", "reason", "route", "outcome", "operation", "limit", "scope"} <= set(keys)
    for reserved in ("timestamp", "level", "service", "message", "event", "trace_id", "span_id", "data", "tags"):
        assert reserved not in keys


def test_opentelemetrys_names_are_opentelemetrys() -> None:
    """What its conventions name is named so."""
    assert error_attributes.ERROR_TYPE in ATTRIBUTES
    assert {name for name in ATTRIBUTES if name.startswith("trading.")} | {"error.type"} <= set(ATTRIBUTES)


def test_every_event_has_a_name_and_a_meaning() -> None:
    """One each, in the namespace; none is an attribute's or an instrument's."""
    assert len(NAMES) == len(EVENTS) == len(set(NAMES.values()))
    assert set(NAMES.values()) == set(EVENTS)
    assert all(re.fullmatch(r"trading(\.[a-z_]+)+", name) for name in EVENTS)
    assert not set(EVENTS) & (set(ATTRIBUTES) | set(INSTRUMENTS))


@pytest.mark.parametrize("line", TRANSLATED.read_text("utf-8").splitlines())
def test_prometheus_names_are_those_of_its_own_translator(line: str) -> None:
    """Of names, kinds and units like ours; the page's are compared with the same list elsewhere."""
    name, kind, unit, translated = line.split()
    declared = INSTRUMENTS.get(name)
    if declared is not None:
        assert prometheus_name(declared) == translated
    if (name.startswith("trading.") and unit in {"s", "By", "1"}) or unit.startswith("{"):
        text = name.removesuffix(".total")
        made = Instrument(text, kind.replace("signed_", ""), unit, "", ())  # type: ignore[arg-type]
        assert prometheus_name(made) == translated or name.endswith("_total")


@pytest.mark.parametrize("provider", [MeterProvider, NativeMeterProvider, NoOpMeterProvider])
def test_every_instrument_can_be_made(provider: type) -> None:
    """With each engine, and without any."""
    meter = provider().get_meter("bot")
    for name, declared in INSTRUMENTS.items():
        if not declared.observable:
            instrument = create(meter, name)
            verb = "record" if "histogram" in declared.kind else "set" if declared.kind == "gauge" else "add"
            assert hasattr(instrument, verb)
        if "histogram" not in declared.kind:
            create(meter, name, [lambda _: ()])


def test_unknown_names_are_told_with_the_nearest_known() -> None:
    """A slip of the pen in a dashboard is found, and what was meant is said."""
    assert check(["trading_order_submissions_total", "trading_order_ack_duration_seconds_bucket"]) == []
    assert check(["trading.order.submision"]) == [
        "trading.order.submision: unknown; the nearest is trading.order.submissions"
    ]
    assert check(["trading_order_submissions", "xyz"]) == [
        "trading_order_submissions: unknown; the nearest is trading_order_submissions_total",
        "xyz: unknown",
    ]
    assert known(label_name("trading.venue.name"))


@pytest.mark.parametrize("enum", all_enums(), ids=lambda enum: enum.__name__)
def test_enumerations_know_their_words_and_codes(enum: type[FixEnum]) -> None:
    """Each member by its value, its code and every other word, in any case; nothing else, and nothing raises."""
    for member in enum:
        assert enum(member.value) is member
        assert f"{member}" == member.value
        for said in (member.value, *member.words):
            assert enum.of(said) is enum.of(said.replace("_", "-")) is member
            assert enum.of(said.upper()) is member or said.upper() in {each.fix for each in enum}
        if member.fix and member.fix != "99":
            found = enum.of(member.fix)
            assert found is not None
            assert found.fix == member.fix or member.fix.lower() in {word for each in enum for word in each.words}
    unknown: list[object] = ["?", "", None, 3.7, [], {}, b"buy", object()]
    assert all(enum.of(said) is None for said in unknown)
    words = [word for member in enum for word in (member.value, *member.words)]
    assert len(words) == len(set(words))


def test_what_ccxt_says_is_understood() -> None:
    """Its statuses, sides, types and roles, and its errors."""
    ccxt = pytest.importorskip("ccxt")
    statuses = ["open", "closed", "canceled", "expired", "rejected"]
    assert [enums.OrderStatus.of(each) for each in statuses] == ["new", "filled", "canceled", "expired", "rejected"]
    assert [enums.Liquidity.of(each) for each in ("maker", "taker")] == ["added", "removed"]
    assert [enums.TimeInForce.of(each) for each in ("GTC", "IOC", "FOK", "PO")] == ["gtc", "ioc", "fok", "gtc"]
    reason = enums.RejectReason.of_error
    assert reason(ccxt.InsufficientFunds()) is enums.RejectReason.INSUFFICIENT_FUNDS
    assert reason(ccxt.OrderNotFound()) is enums.RejectReason.UNKNOWN_ORDER
    assert reason(ccxt.RateLimitExceeded()) is enums.RejectReason.RATE_LIMITED
    assert reason(ccxt.OrderImmediatelyFillable()) is enums.RejectReason.WOULD_TAKE
    assert reason(ValueError()) is None
    assert enums.RejectReason.of_cancel(1) is enums.RejectReason.UNKNOWN_ORDER
    assert enums.RejectReason.of_cancel("nothing known") is None


def test_values_of_attributes_are_those_of_the_enumerations() -> None:
    """And each has FIX's code where it has a tag with codes."""
    assert ATTRIBUTES["trading.order.side"].values == tuple(enums.Side)
    assert {member.fix for member in enums.Side} == {"1", "2", "5"}
    assert enums.OrderStatus.EXPIRED.fix == "C"
    assert enums.ExecutionType.TRADE.fix == "F"
    assert enums.OrderStatus.FILLED.final
    assert not enums.OrderStatus.PENDING_CANCEL.final
