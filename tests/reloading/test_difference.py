"""What is told of a change."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from pydantic import BaseModel, SecretStr

from otel_trading.reloading.difference import Change, difference, shown


class Venue(BaseModel):
    url: str = "wss://venue.example"
    token: SecretStr = SecretStr("")


@dataclass
class Legs:
    size: Decimal
    venues: list[Venue]


def test_models_dataclasses_and_lists_are_looked_into() -> None:
    """Each key that differs, and nothing else."""
    old = Legs(Decimal("0.1"), [Venue(), Venue(url="wss://b")])
    new = Legs(Decimal("0.2"), [Venue(), Venue(url="wss://c")])
    told = [str(change) for change in difference(old, new)]
    assert told == ["size: 0.1 → 0.2", "venues.1.url: wss://b → wss://c"]


def test_what_comes_and_goes_is_told() -> None:
    """With what it was or is."""
    assert difference({"a": 1, "b": None}, {"b": 2}) == (Change("b", None, "2"), Change("a", "1", None))


def test_a_changed_secret_is_told_without_it() -> None:
    """By its type, by its name and by those above it, and inside texts."""
    assert difference(Venue(token=SecretStr("one")), Venue(token=SecretStr("two"))) == (
        Change("token", "****", "****"),
    )
    for key, value in {
        "binance.api_secret": "hunter2",
        "passwords.kraken": "hunter2",
        "alerts.slack.webhook_url": "https://hooks.slack.com/services/hunter2",
        "database": "postgresql://me:hunter2@host/db",
        "keys": [SecretStr("hunter2")],
    }.items():
        assert "hunter2" not in shown(key, value), key


def test_long_values_are_cut_and_odd_ones_told() -> None:
    """A line stays a line."""

    class Odd:
        def __str__(self) -> str:
            raise ValueError

    assert len(shown("text", "x" * 5_000)) == 200
    assert shown("odd", Odd()) == "<Odd: ValueError>"


def test_one_and_one_point_zero_differ() -> None:
    """So that a model's types are what is compared; equal values do not."""
    assert difference({"a": 1}, {"a": 1.0})
    assert not difference({"a": [1, 2]}, {"a": [1, 2]})
