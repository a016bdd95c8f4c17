from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator

from tests.tracing.deviations import deviates
from tests.tracing.finished import RANDOM, SAMPLED

if TYPE_CHECKING:
    from tests.tracing.conftest import MakeBench
    from tests.tracing.engines import Name

MANY = 100_000


class Counting(IdGenerator):
    """Ids in a row; whether they pass for random is the default: they do not."""

    def __init__(self) -> None:
        self.traces, self.spans = 0, 0

    def generate_trace_id(self) -> int:
        self.traces += 1
        return self.traces

    def generate_span_id(self) -> int:
        self.spans += 1
        return 1_000 + self.spans


def test_ids_are_random_and_never_the_same(bench: MakeBench) -> None:
    """Of 100,000 spans none has another's id, none is zero, and each bit is set in half of them."""
    made = bench()
    contexts = [made.tracer.start_span("a").get_span_context() for _ in range(MANY)]
    for ids, bits in (([c.span_id for c in contexts], 64), ([c.trace_id for c in contexts], 128)):
        assert len(set(ids)) == MANY
        assert 0 not in ids
        assert max(ids) < 2**bits
        written = np.frombuffer(b"".join(number.to_bytes(bits // 8, "big") for number in ids), np.uint8)
        shares = np.unpackbits(written.reshape(MANY, bits // 8), axis=1).mean(axis=0)
        assert np.abs(shares - 0.5).max() < 0.015


def test_span_ids_are_not_part_of_trace_ids(bench: MakeBench) -> None:
    """Neither can be told from the other, nor the next from the last."""
    made = bench()
    for _ in range(1_000):
        context = made.tracer.start_span("a").get_span_context()
        low, high = context.trace_id % 2**64, context.trace_id >> 64
        assert len({low, high, context.span_id}) == 3


def test_children_have_the_trace_of_their_parent(bench: MakeBench) -> None:
    """And an id of their own."""
    made = bench()
    with made.tracer.start_as_current_span("a") as parent:
        children = [made.tracer.start_span("b").get_span_context() for _ in range(1_000)]
    trace_id = parent.get_span_context().trace_id
    assert {child.trace_id for child in children} == {trace_id}
    assert len({child.span_id for child in children} | {parent.get_span_context().span_id}) == 1_001


def test_ids_and_seeds(bench: MakeBench, engine: Name) -> None:
    """A bot that seeds ``random`` repeats the SDK's ids, and not ours; its own numbers are as if nothing had been."""
    made = bench()
    state = random.getstate()
    contexts, drawn = [], []
    try:
        for _ in range(2):
            random.seed(5)
            contexts.append(made.tracer.start_span("a").get_span_context())
            drawn.append(random.random())  # noqa: S311 - no secret
        random.seed(5)
        alone = random.random()  # noqa: S311
    finally:
        random.setstate(state)
    assert (contexts[0].span_id != contexts[1].span_id) == deviates(engine, "seeded ids")
    assert (contexts[0].trace_id != contexts[1].trace_id) == deviates(engine, "seeded ids")
    assert (drawn == [alone, alone]) == deviates(engine, "seeded ids")


def test_an_id_generator_of_the_bot(bench: MakeBench) -> None:
    """It is asked for each span id, and for a trace id where there is no parent."""
    generator = Counting()
    made = bench(id_generator=generator)
    with made.tracer.start_as_current_span("a"):
        made.tracer.start_span("b").end()
    made.tracer.start_span("c").end()
    found = made.named()
    assert {name: (span.trace_id, span.span_id, span.parent_id) for name, span in found.items()} == {
        "a": (1, 1_001, 0),
        "b": (1, 1_002, 1_001),
        "c": (2, 1_003, 0),
    }
    assert (generator.traces, generator.spans) == (2, 3)


def test_a_generator_says_whether_its_ids_are_random(bench: MakeBench) -> None:
    """The flag of the trace says so, to children and to others."""
    assert RandomIdGenerator().is_trace_id_random()
    for generator, flags in ((Counting(), SAMPLED), (RandomIdGenerator(), SAMPLED | RANDOM)):
        made = bench(id_generator=generator)
        with made.tracer.start_as_current_span("a") as span:
            assert span.get_span_context().trace_flags == flags
            assert made.tracer.start_span("b").get_span_context().trace_flags == flags


def test_an_id_generator_is_asked_for_spans_that_are_dropped(bench: MakeBench) -> None:
    """They have ids of their own, too."""
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    made = bench(id_generator=Counting(), sampler=ALWAYS_OFF)
    assert made.tracer.start_span("a").get_span_context().span_id == 1_001
    assert made.tracer.start_span("b").get_span_context().span_id == 1_002


@pytest.mark.parametrize("wrong", ["raises", None, "x", 0, -1, 2**128, 1.5])
def test_an_id_generator_that_fails(bench: MakeBench, engine: Name, messages: list[str], wrong: Any) -> None:
    """Ours takes ids of its own instead, says so once, and the bot goes on."""
    made = bench(id_generator=Failing(wrong))
    if not deviates(engine, "failing id generators"):
        if wrong == "raises":
            with pytest.raises(ZeroDivisionError):
                made.tracer.start_span("a")
        return
    for _ in range(3):
        with made.tracer.start_as_current_span("a"):
            made.tracer.start_span("b").end()
    assert made.names() == ["a"] * 3 + ["b"] * 3
    ids = {span.span_id for span in made.finished()}
    assert len(ids) == 6
    assert all(0 < number < 2**64 for number in ids)
    assert len({span.trace_id for span in made.finished()}) == 3
    assert len(messages) == 1


class Failing(IdGenerator):
    def __init__(self, wrong: Any) -> None:
        self._wrong = wrong

    def generate_trace_id(self) -> int:
        if self._wrong == "raises":
            raise ZeroDivisionError
        wrong: int = self._wrong
        return wrong

    generate_span_id = generate_trace_id


def test_ids_are_taken_as_numbers(bench: MakeBench) -> None:
    """The context has them as integers and prints them in hexadecimal digits."""
    made = bench(id_generator=Counting())
    context = made.tracer.start_span("a").get_span_context()
    assert (type(context.trace_id), type(context.span_id)) == (int, int)
    assert trace.format_trace_id(context.trace_id) == f"{1:032x}"
    assert trace.format_span_id(context.span_id) == f"{1_001:016x}"
    assert context == trace.SpanContext(1, 1_001, is_remote=False, trace_flags=trace.TraceFlags(SAMPLED))
