"""What is declared of events fits the conventions, the facade, and the lanes of log records."""

from __future__ import annotations

import inspect

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber

from otel_trading.logs.lanes import lane
from otel_trading.trading import conventions
from otel_trading.trading.conventions import INSTRUMENTS, KEYS, NAMES
from otel_trading.trading.events import EVENTS, Event, Level
from otel_trading.trading.facade import Trading

every_event = pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.name)
NO_LINE = {"trading.market_data.book_updated", "trading.cache.lookup"}
"""Events that come with every frame."""
BY_THE_KIT = {"order_abandoned", "order_anomaly_reported"}
"""What the bot cannot say."""
BY_FEEDS = {"trading.market_data.message"}
"""What feeds count themselves."""


def test_every_event_of_the_conventions_is_declared() -> None:
    """And no other."""
    assert set(conventions.EVENTS) - BY_FEEDS == set(EVENTS)


def test_every_event_has_a_method_of_its_name() -> None:
    """The facade has one for each, documented; what it says first is what happened."""
    for name in NAMES:
        if name in BY_THE_KIT:
            continue
        method = getattr(Trading, name)
        assert inspect.getdoc(method), name


@every_event
def test_fields_are_attributes_of_the_conventions(event: Event) -> None:
    """By their keys, each once."""
    assert set(event.fields) <= set(KEYS)
    assert len(set(event.fields)) == len(event.fields)


@every_event
def test_series_have_all_the_attributes_that_their_instrument_declares(event: Event) -> None:
    """Fields give them, or the event does."""
    for measure in event.measures:
        declared = INSTRUMENTS[measure.instrument]
        given = {KEYS[key].name for key in event.fields} | {name for name, _ in measure.given}
        given |= {name for _, name in measure.renamed}
        assert set(declared.attributes) <= given, measure
        assert measure.value == 1 or measure.value in event.fields + event.amounts
        assert {key for key, _ in measure.where} <= set(event.fields)


@every_event
def test_attributes_of_series_are_few(event: Event) -> None:
    """No id becomes a metric's."""
    for measure in event.measures:
        declared = INSTRUMENTS[measure.instrument]
        for name in (*declared.attributes, *declared.optional):
            assert conventions.ATTRIBUTES[name].metric, (measure, name)


@every_event
def test_an_event_is_logged_unless_it_comes_with_every_frame(event: Event) -> None:
    """With a component that says who speaks."""
    assert event.logged == (event.name not in NO_LINE)
    assert event.component or not event.logged


@every_event
def test_events_of_money_and_trouble_are_important(event: Event) -> None:
    """They are kept while others are dropped."""
    about_money = event.name.split(".")[1] in {"order", "execution", "trade", "pnl", "position", "risk", "halted"}
    if about_money or event.level >= Level.WARNING:
        record = LogRecord(event_name=event.name)
        record.severity_number = None if about_money else SeverityNumber(int(event.level))
        assert lane(record) == "important"
