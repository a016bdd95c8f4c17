from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

from tests.forks import WAIT, in_child
from tests.tracing.deviations import deviates

if TYPE_CHECKING:
    from tests.tracing.conftest import MakeBench
    from tests.tracing.engines import Bench, Name

TIMES = 1_000


def ids(made: Bench) -> list[tuple[int, int]]:
    """The ids of many new spans."""
    contexts = [made.tracer.start_span("a").get_span_context() for _ in range(TIMES)]
    return [(context.trace_id, context.span_id) for context in contexts]


def apart(*families: list[tuple[int, int]]) -> bool:
    """Whether no two of them share an id."""
    pairs = [pair for family in families for pair in family]
    return len({pair[0] for pair in pairs}) == len({pair[1] for pair in pairs}) == len(pairs)


@pytest.mark.parametrize("before", [0, 1, 7])
def test_a_child_has_ids_of_its_own(bench: MakeBench, before: int) -> None:
    """Whatever was drawn before the fork: parent, children and their children never share one."""
    made = bench()
    for _ in range(before):
        made.tracer.start_span("warm").end()

    def child() -> Any:
        return ids(made), in_child(lambda: ids(made)), ids(made)

    families = [*in_child(child), ids(made), *in_child(child), ids(made)]
    assert apart(*families)


def work(made: Bench, queue: Any) -> None:
    """What a process of ``multiprocessing`` does."""
    queue.put(ids(made))


def test_processes_of_multiprocessing(bench: MakeBench) -> None:
    """The same there."""
    made = bench()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=work, args=(made, queue)) for _ in range(3)]
    for process in processes:
        process.start()
    families = [queue.get(timeout=WAIT) for _ in processes]
    for process in processes:
        process.join(WAIT)
    assert apart(ids(made), *families)


def test_a_child_exports_what_it_ended(bench: MakeBench) -> None:
    """And the parent what it ended, whole, before and after the fork."""
    made = bench()
    made.tracer.start_span("before", attributes={"k": 1}).end()
    assert made.names() == ["before"]

    def child() -> Any:
        assert made.names() == ["before"]
        with made.tracer.start_as_current_span("root", attributes={"größe": "x"}) as span:
            span.add_event("e")
            made.tracer.start_span("child").end()
        made.provider.get_tracer("new").start_span("new scope").end()
        found = made.named()
        return [
            found.keys() == {"before", "root", "child", "new scope"},
            found["child"].parent_id == found["root"].span_id,
            found["root"].attributes == {"größe": "x"},
            found["new scope"].scope.name == "new",
            found["root"].resource.attributes["service.name"] == "test-bot",
        ]

    assert in_child(child) == [True] * 5
    made.tracer.start_span("after").end()
    assert made.names() == ["after", "before"]


def test_what_was_pending_is_the_parents(bench: MakeBench, engine: Name) -> None:
    """What ended before the fork, and was not yet exported, leaves the process once: from the parent."""
    made = bench()
    made.tracer.start_span("pending").end()
    in_the_child = in_child(made.names)
    assert made.names() == ["pending"]
    if deviates(engine, "inherited spans"):
        assert in_the_child == []


def test_a_span_that_is_open_across_a_fork(bench: MakeBench, engine: Name) -> None:
    """It is the parent of the child's spans, and current there; the parent ends it."""
    made = bench()
    with made.tracer.start_as_current_span("open") as span:

        def child() -> Any:
            same = trace.get_current_span() is span
            made.tracer.start_span("in the child").end()
            span.set_attribute("child", value=True)
            span.add_event("child")
            span.end()
            found = made.named()
            inner = found["in the child"]
            return same, inner.parent_id, inner.trace_id, sorted(found)

        same, parent_id, trace_id, names = in_child(child)
        made.tracer.start_span("in the parent").end()
        span.set_attribute("parent", value=True)
    found = made.named()
    assert same
    assert (parent_id, trace_id) == (found["open"].span_id, found["open"].trace_id)
    assert names == (["in the child"] if deviates(engine, "inherited spans") else ["in the child", "open"])
    assert sorted(found) == ["in the parent", "open"]
    assert (found["open"].attributes, found["open"].events) == ({"parent": True}, ())


def test_a_fork_with_many_open_spans(bench: MakeBench) -> None:
    """The child may let go of them or end them; new ones work all the same."""
    made = bench()
    spans = [made.tracer.start_span(f"{number}") for number in range(1_000)]

    def child() -> Any:
        for span in spans[::2]:
            span.end()
        spans.clear()
        for _ in range(2_000):
            made.tracer.start_span("new").end()
        return made.names().count("new")

    assert in_child(child) == 2_000
    for span in spans:
        span.end()
    assert made.names() == sorted(f"{number}" for number in range(1_000))


def test_a_child_may_shut_down(bench: MakeBench) -> None:
    """The parent goes on."""
    made = bench()

    def child() -> Any:
        made.provider.shutdown()
        made.tracer.start_span("late").end()
        return made.names()

    assert in_child(child) == []
    made.tracer.start_span("a").end()
    assert made.names() == ["a"]


def test_a_fork_after_thread_pools_were_imported(native: MakeBench) -> None:
    """The order of imports does not matter; on the SDK the child waits for ever."""
    source = """
import os, sys
from opentelemetry.sdk.resources import Resource
from otel_trading.tracing.native import NativeTracerProvider
provider = NativeTracerProvider(resource=Resource({}))
import concurrent.futures.thread
if os.fork() == 0:
    provider.get_tracer("bot").start_span("a").end()
    os._exit(3)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", source],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT,
    )
    assert (done.stdout, done.stderr) == ("3\n", "")


def test_forks_while_others_record(native: MakeBench) -> None:
    """A child works whatever other threads were in the middle of; the SDK's exporters may wait for ever there."""
    made = native()
    stop = threading.Event()
    recorded = [0, 0]

    def record(thread: int) -> None:
        while not stop.is_set():
            name = f"{thread} {recorded[thread]}"
            with made.tracer.start_as_current_span(name, attributes={"k": [1]}) as span:
                span.add_event("e", {name: "x"})
            recorded[thread] += 1
            if recorded[thread] % 100 == 0:
                made.pump()
                stop.wait(0.002)  # the ring has to last while a fork of a large process holds the pump up

    def child() -> Any:
        with made.tracer.start_as_current_span("in the child"):
            made.provider.get_tracer("new").start_span("too").end()
        return [name for name in made.names() if name[0] in "it"]

    threads = [threading.Thread(target=record, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            assert in_child(child) == ["in the child", "too"]
    finally:
        stop.set()
        for thread in threads:
            thread.join(WAIT)
    assert len(made.named()) == sum(recorded)
