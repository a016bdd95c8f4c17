from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_trading.lifecycle.arrange import arranged
from otel_trading.lifecycle.course import Asked, Course
from otel_trading.lifecycle.model import KNOWN, Step
from otel_trading.lifecycle.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable


class Time:
    """A clock that stands still but for those who wait, and the mailbox they wait at."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()

    def later(self, seconds: float, news: Callable[[], object]) -> None:
        heapq.heappush(self._due, (self.now + seconds, next(self._numbers), news))

    def get(self, seconds: float) -> object | None:
        """The next news, or the time passes."""
        end = self.now + seconds
        if self._due and self._due[0][0] <= end:
            at, _, news = heapq.heappop(self._due)
            self.now = max(self.now, at)
            return news()
        self.now = end
        return None


class Made:
    """A step under way that behaves as the test says."""

    def __init__(self, time: Time, seconds: float | None, *, well: bool, cancels: bool) -> None:
        self.over = False
        self._time, self._well, self._cancels = time, well, cancels
        if seconds is not None:
            time.later(seconds, self._end)

    def _end(self) -> None:
        self.over = True

    def look(self, seconds: float, allowed: float) -> float | None:
        return None

    def cancel(self) -> None:
        if self._cancels:
            self._time.later(0.01, self._end)

    def verdict(self) -> tuple[bool, str]:
        return self._well, ""

    def said(self) -> str:
        return ""


QUIET = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)

behaviours = st.tuples(
    st.one_of(st.none(), st.floats(0, 40)),  # how long it takes, if it ends at all
    st.booleans(),  # whether it succeeds
    st.booleans(),  # whether it ends when it is cancelled
    st.one_of(st.none(), st.floats(0.1, 30)),  # its own timeout
    st.one_of(st.none(), st.booleans()),  # whether it is critical
    st.booleans(),  # whether its failure stops others
)


def course_of(
    time: Time, pace: Pace, behaviours_: list[Any], names: list[str], signals: list[float]
) -> tuple[Course, list[Step], list[str]]:
    began: list[str] = []
    waits = dict(zip(names, behaviours_, strict=False))

    def begin(step: Step) -> Made:
        began.append(step.name)
        seconds, well, cancels, *_ = waits[step.name]
        return Made(time, seconds, well=well, cancels=cancels)

    def heard(asked: Asked) -> None:
        if asked.again:
            pace.hurry()

    for at in signals:
        time.later(at, lambda: Asked("signal", 15, again=True))
    steps = [
        Step(name, lambda: None, timeout=timeout, critical=critical, stops_on_failure=stops)
        for name, (_, _, _, timeout, critical, stops) in waits.items()
    ]
    course = Course(pace, time, begin, step_timeout=10, close_positions=True, heard=heard)
    return course, steps, began


@QUIET
@given(st.lists(behaviours, max_size=8), st.floats(0.5, 60), st.lists(st.floats(0, 30), max_size=3))
def test_the_end_comes_in_time_whatever_steps_do(behaviours_: list[Any], total: float, signals: list[float]) -> None:
    """Each step is told of once, in its order; the time kept for delivery is not touched; none takes too long."""
    time = Time()
    pace = Pace(lambda: time.now, total=total, delivery=5, hurry=2)
    names = [f"step_{number}" for number in range(len(behaviours_))]
    course, steps, began = course_of(time, pace, behaviours_, names, signals)
    start = time.now
    course.run(steps)
    assert [phase.name for phase in course.phases] == names
    assert began == [phase.name for phase in course.phases if phase.outcome != "skipped"]
    late = 0.011 * len(names)
    assert time.now <= start + total - pace.delivery + late + 1e-6
    for phase, (seconds, well, cancels, timeout, _, _) in zip(course.phases, behaviours_, strict=True):
        if phase.outcome in ("done", "failed"):
            assert seconds is not None
            assert phase.outcome == ("done" if well else "failed")
        if phase.outcome != "skipped":
            assert phase.seconds <= (timeout or 10) + 0.31 + 1e-6
        if phase.outcome == "abandoned":
            assert not cancels or pace.left < 0.02


@QUIET
@given(st.lists(behaviours, min_size=1, max_size=8), st.floats(5, 60))
def test_every_step_gets_its_time_unless_somebody_hurries(behaviours_: list[Any], total: float) -> None:
    """However long the ones before it hang, nobody is left out for want of time."""
    time = Time()
    pace = Pace(lambda: time.now, total=total, delivery=0, hurry=2)
    calm = [(*each[:5], False) for each in behaviours_]
    names = [f"step_{number}" for number in range(len(calm))]
    course, steps, _ = course_of(time, pace, calm, names, [])
    course.run(steps)
    assert all(phase.outcome != "skipped" for phase in course.phases)


def test_a_critical_step_keeps_more_of_the_time() -> None:
    """When everything before it hangs, there is enough for the state."""
    time = Time()
    pace = Pace(lambda: time.now, total=25, delivery=5, hurry=2)
    names = ["cancel_orders", "close_positions", "disconnect", "save_state"]
    hangs = [(None, True, True, None, None, False)] * 3 + [(2.0, True, True, None, None, False)]
    course, steps, _ = course_of(time, pace, hangs, names, [])
    course.run(steps)
    assert [phase.outcome for phase in course.phases] == ["timeout"] * 3 + ["done"]
    assert time.now - 1_000 <= 20


def test_a_second_signal_hurries_and_a_third_ends() -> None:
    """What is under way has what is left then; what was not begun is left out."""
    time = Time()
    pace = Pace(lambda: time.now, total=25, delivery=5, hurry=2)
    hangs: list[Any] = [(None, True, True, None, None, False)] * 4
    course, steps, _ = course_of(time, pace, hangs, list("abcd"), [1.0, 1.5])
    course.run(steps)
    assert [phase.outcome for phase in course.phases] == ["timeout", "skipped", "skipped", "skipped"]
    assert time.now - 1_000 == pytest.approx(1.5, abs=0.1)
    assert course.phases[1].detail == "there was no time left"


def test_a_failure_can_stop_what_is_not_critical() -> None:
    """Where the step says so; the state is saved all the same."""
    time = Time()
    pace = Pace(lambda: time.now, total=25, delivery=5, hurry=2)
    behaviours_: list[Any] = [(0.1, False, True, None, None, True)] + [(0.1, True, True, None, None, False)] * 2
    course, steps, _ = course_of(time, pace, behaviours_, ["cancel_orders", "disconnect", "save_state"], [])
    course.run(steps)
    said = [(phase.outcome, phase.detail) for phase in course.phases]
    assert said == [("failed", ""), ("skipped", "cancel_orders failed"), ("done", "")]


names = st.sampled_from([*KNOWN[:1], *KNOWN[2:7], "drain", "upload", "note"])
wishes = st.lists(st.tuples(names, st.lists(names, max_size=2), st.lists(names, max_size=2)), max_size=8)


@QUIET
@given(wishes)
def test_steps_are_arranged_whatever_they_wish(wished: list[tuple[str, list[str], list[str]]]) -> None:
    """Each comes once, without wishes the known ones in their order; wishes hold unless something is said."""
    given_ = [Step(name, print, after=tuple(after), before=tuple(before)) for name, after, before in wished]
    steps, problems = arranged(given_)
    assert sorted(map(id, steps)) == sorted(map(id, given_))
    places = {id(step): place for place, step in enumerate(steps)}
    if not problems:
        for step in steps:
            for other in steps:
                if other is not step and other.name in step.after:
                    assert places[id(other)] < places[id(step)]
    known = [KNOWN.index(step.name) for step in steps if step.name in KNOWN]
    if not any(after or before for _, after, before in wished):
        assert known == sorted(known)


def test_what_cannot_be_met_is_said() -> None:
    """A step that is not there, and steps that wait for each other."""
    steps, problems = arranged([Step("a", print, after="b"), Step("b", print, after=("a", "nowhere"))])
    assert [step.name for step in steps] == ["a", "b"]
    assert problems[0].startswith("after='nowhere' of the step b is no step; there are a, b, stop_new_orders")
    assert problems[1] == "the steps a and b wait for each other: their after and before are left out"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Step("x", 3), "a step is a function or a Step, not 3"),  # type: ignore[arg-type]
        (lambda: Step("x", print, timeout=0), "timeout=0 of the step x; allowed: a number above 0"),
        (lambda: Step("x", print, timeout=float("nan")), "allowed: a number above 0"),
    ],
)
def test_what_is_no_step_is_refused(make: Callable[[], Step], words: str) -> None:
    """When it is made, not when the bot ends."""
    with pytest.raises((TypeError, ValueError), match=words):
        make()
