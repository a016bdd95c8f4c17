"""Levels by logger, and what becomes of the levels of ``logging``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_trading.logs.levels import LEVELS, SEVERITIES, Levels, parsed, severity_of, stdlib_level
from otel_trading.logs.stdlib_levels import StdlibLevels

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = st.lists(st.sampled_from("abc"), max_size=4).map(".".join)


@given(st.dictionaries(NAMES, st.sampled_from(list(SEVERITIES))), st.lists(NAMES, min_size=1))
def test_the_nearest_level_above_holds(given_levels: dict[str, str], asked: list[str]) -> None:
    """However levels were given, and whatever was asked before."""
    levels = Levels()
    levels.configure("INFO", {})
    for name, level in given_levels.items():
        levels.threshold(asked[0])
        levels.set(level, name)
    for name in asked:
        above = [".".join(name.split(".")[:count]) for count in range(len(name.split(".")), 0, -1)]
        nearest = next((given_levels[each] for each in [*above, ""] if each in given_levels), "INFO")
        assert (levels.threshold(name), levels.get(name)) == (SEVERITIES[nearest], nearest)


@given(st.integers(0, 70))
def test_levels_of_logging_keep_their_order(levelno: int) -> None:
    """And one that was converted lets the same records pass."""
    assert severity_of(levelno) <= severity_of(levelno + 1)
    assert stdlib_level(severity_of(levelno)) <= max(levelno, 5)


@pytest.mark.parametrize("level", ["LOUD", "", 1.5, None, True, b"INFO"])
def test_what_is_no_level_is_refused(level: object) -> None:
    """With one error."""
    with pytest.raises(ValueError, match=r".*"):
        parsed(level)  # type: ignore[arg-type]


def test_names_without_end_take_no_memory_without_end() -> None:
    """A bot may make them up."""
    levels = Levels()
    for number in range(20_000):
        assert levels.threshold(f"order.{number}") == 9
    assert len(levels._known) == 10_000


@pytest.fixture
def handler() -> Iterator[logging.Handler]:
    """The bridge's handler, in its place."""
    LEVELS.configure("INFO", {})
    handler = logging.Handler()
    levels = StdlibLevels(handler)
    levels.attach()
    yield handler
    levels.detach()
    LEVELS.configure("INFO", {})


def test_levels_of_logging_are_lowered_as_long_as_somebody_asks(handler: logging.Handler) -> None:
    """They are put back, and never raised: what the bot's own handlers print becomes no less."""
    parent, child = logging.getLogger("lowered"), logging.getLogger("lowered.child")
    parent.setLevel(logging.ERROR)
    LEVELS.set("DEBUG", "lowered.child")
    assert (parent.level, child.level, handler.level) == (logging.ERROR, logging.DEBUG, logging.DEBUG)
    LEVELS.set("CRITICAL", "lowered")
    assert parent.level == logging.ERROR
    LEVELS.set(None, "lowered.child")
    assert (parent.level, child.level, handler.level) == (logging.ERROR, logging.NOTSET, logging.INFO)
    parent.setLevel(logging.NOTSET)


def test_what_the_bot_sets_meanwhile_stays(handler: logging.Handler) -> None:
    """It is not put back to what was before."""
    logger = logging.getLogger("lowered.meanwhile")
    logger.setLevel(logging.ERROR)
    LEVELS.set("DEBUG", "lowered.meanwhile")
    logger.setLevel(logging.WARNING)
    LEVELS.configure("INFO", {})
    assert logger.level == logging.WARNING
