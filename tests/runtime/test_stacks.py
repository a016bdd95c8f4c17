from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.runtime.stacks import culprit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIBRARY = """
def deeper(depth, then):
    return deeper(depth - 1, then) if depth else then()
"""


@pytest.fixture
def blocked() -> Iterator[Callable[[Callable[[Callable[[], Any]], None]], int]]:
    """Run a function that blocks in a thread, and give the thread's number once it does."""
    entered, release = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def block() -> None:
        entered.set()
        release.wait()

    def start(function: Callable[[Callable[[], Any]], None]) -> int:
        threads.append(threading.Thread(target=function, args=(block,)))
        threads[0].start()
        assert entered.wait(60)
        return threads[0].ident or 0

    yield start
    release.set()
    for thread in threads:
        thread.join()


def library(path: str) -> Callable[[int, Callable[[], Any]], None]:
    names: dict[str, Any] = {}
    exec(compile(LIBRARY, path, "exec"), names)  # noqa: S102 - a module of a library that is not there
    return names["deeper"]  # type: ignore[no-any-return]


def test_deep_stack_keeps_what_blocks_and_who_called_it(
    blocked: Callable[[Callable[[Callable[[], Any]], None]], int],
) -> None:
    """Of a library's many frames only the innermost remain, and after them the bot's own."""
    deeper = library("/venv/lib/python3/site-packages/venue/client.py")

    def decide(then: Callable[[], Any]) -> None:
        deeper(50, then)

    frames = culprit(blocked(decide))
    assert len(frames) <= 8
    assert "wait" in frames[0]
    assert sum("site-packages/venue/client.py:3 deeper" in frame for frame in frames) < 4
    assert any(frame.endswith("decide") and "test_stacks.py" in frame for frame in frames)
    assert not any("threading.py" in frame and frame.endswith("run") for frame in frames)


def test_line_is_bounded_whatever_the_stack(
    blocked: Callable[[Callable[[Callable[[], Any]], None]], int],
) -> None:
    """Long paths are cut at their beginning, and deep recursion of the bot's own at eight frames."""
    deeper = library(f"/{'very/' * 100}long/strategy.py")
    frames = culprit(blocked(lambda then: deeper(200, then)))
    assert len(frames) == 8
    assert all(len(frame) < 200 for frame in frames)
    assert frames[-1].startswith("…")
    assert frames[-1].endswith("long/strategy.py:3 deeper")


def test_thread_that_has_ended_has_no_frames() -> None:
    """A loop's thread may be gone when it is looked at."""
    assert culprit(0) == ()
