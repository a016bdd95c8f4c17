"""What a venue's frames tell of its clock."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_trading import _native

MS = 1_000_000
SECOND = 1_000 * MS
START = 1_723_161_254 * SECOND

latencies = st.lists(st.integers(0, 200 * MS), min_size=1, max_size=300)
offsets = st.integers(-20 * 60 * SECOND, 20 * 60 * SECOND)
gaps = st.integers(0, 30 * SECOND)


def measured(clock: _native.VenueClock, true: list[int], ahead: int, gap: int = MS, start: int = START) -> list[int]:
    """The latencies found, where frames take so long from a venue whose clock is so far ahead."""
    found = []
    for number, latency in enumerate(true):
        received = start + number * gap
        taken = clock.take(received - latency + ahead, received)
        assert taken is not None
        found.append(taken)
    return found


@given(latencies, offsets, gaps)
def test_latencies_are_never_negative_and_keep_their_differences(true: list[int], ahead: int, gap: int) -> None:
    """Within the window each is too small by what the fastest so far needed, or right, or too large by a lag."""
    clock = _native.venue_clock(1e6, 0.0)
    found = measured(clock, true, ahead, gap)
    for number, (latency, seen) in enumerate(zip(true, found, strict=True)):
        fastest = min(true[: number + 1])
        assert seen == latency - ahead + max(0, ahead - fastest)
        assert seen >= 0


@given(latencies, st.integers(200 * MS, 20 * 60 * SECOND))
def test_a_clock_that_is_ahead_shifts_nothing_but_the_fastest(true: list[int], ahead: int) -> None:
    """Once the fastest frame has come, what is found is how much longer than that one others took."""
    clock = _native.venue_clock(600.0, 0.0)
    fastest = min(true)
    first, *found = measured(clock, [fastest, *true], ahead)
    assert (first, found) == (0, [latency - fastest for latency in true])
    assert round(clock.offset * 1e9) == ahead - fastest


@given(latencies, st.integers(0, 10 * MS))
def test_a_base_latency_is_what_the_fastest_frame_needs(true: list[int], base: int) -> None:
    """The shift puts the fastest frame there."""
    clock = _native.venue_clock(600.0, base / 1e9)
    found = measured(clock, [min(true), *true], SECOND)
    assert abs(min(found) - base) <= 1


@given(latencies, latencies, st.integers(300 * MS, 60 * SECOND))
@settings(max_examples=50)
def test_a_venues_clock_that_is_set_forward_is_followed_at_once(before: list[int], after: list[int], by: int) -> None:
    """Two frames are doubted, which no single wrong time gets past; from the third on latencies are right again."""
    clock = _native.venue_clock(600.0, 0.0)
    measured(clock, [*before, 0], SECOND)
    taken = [clock.take(START - latency + SECOND + by, START) for latency in [0, 0, 0, *after]]
    assert taken == [None, None, 0, *after]
    assert clock.steps == 1


@given(st.integers(300 * MS, 60 * SECOND))
@settings(max_examples=20)
def test_a_venues_clock_that_is_set_back_is_followed_within_the_window(by: int) -> None:
    """Nobody can tell it from slow frames before the fast ones are forgotten; then it counts as a step, once."""
    clock = _native.venue_clock(600.0, 0.0)
    measured(clock, [5 * MS] * 600, 90 * SECOND, SECOND)
    late = measured(clock, [5 * MS] * 700, 90 * SECOND - by, SECOND, START + 600 * SECOND)
    assert late[0] == by
    assert late[-1] == 0
    assert sorted(set(late)) == [0, by]
    assert clock.steps == 1


@given(st.integers(-100 * MS, 100 * MS))
@settings(max_examples=20)
def test_drift_is_followed(per_hour: int) -> None:
    """A clock that drifts is known to what it drifts in a window."""
    clock = _native.venue_clock(600.0, 0.0)
    for second in range(7_200):
        received = START + second * SECOND
        drifted = SECOND + per_hour * second // 3_600
        taken = clock.take(received - 3 * MS + drifted, received)
        assert taken is not None
        assert taken <= abs(per_hour) // 6 + MS


def test_a_single_wrong_time_spoils_nothing() -> None:
    """However often, as long as right ones are between."""
    clock = _native.venue_clock(600.0, 0.0)
    for _, wrong in itertools.product(range(50), (0, 1_800 * SECOND)):
        taken = clock.take(START - 4 * MS + wrong, START)
        assert taken == (None if wrong else 4 * MS)
    assert (clock.steps, clock.offset) == (0, 0.0)


def test_a_venue_that_tells_its_time_is_believed() -> None:
    """Also a clock that is behind is seen, and the shortest of the round trips tells most."""
    clock = _native.venue_clock(600.0, 0.0)
    behind = 700 * MS
    assert clock.take(START - behind - 20 * MS, START) == 720 * MS
    assert clock.probe(START, START + 30 * MS - behind, START + 60 * MS)
    assert clock.take(START - behind - 20 * MS, START) == 20 * MS
    assert clock.probe(START, START + 150 * MS - behind, START + 200 * MS)
    assert clock.offset == -0.7
    assert clock.steps == 0
    assert clock.probe(START, START + 30 * MS + 2 * SECOND, START + 60 * MS)
    assert (clock.offset, clock.steps) == (2.0, 1)
    assert not clock.probe(START, START, START - 1)
    assert not clock.probe(START, START // MS, START + 1)
