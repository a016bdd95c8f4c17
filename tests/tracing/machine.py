"""Runs generated programs, in the same order on every engine."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import types
from typing import TYPE_CHECKING, Any
from zlib import crc32

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import sampling
from opentelemetry.sdk.trace.sampling import Decision, SamplingResult
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, TraceFlags, TraceState

from tests.tracing.engines import Bench

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator, Sequence

    from opentelemetry.trace import Span

    from tests.tracing import programs as made_of
    from tests.tracing.engines import Name

STATE = TraceState([("vendor", "x"), ("a", "b")])
STRANGERS = [
    SpanContext(0xA1, 0xB1, is_remote=True, trace_flags=TraceFlags(3), trace_state=STATE),
    SpanContext(0xA2, 0xB2, is_remote=True, trace_flags=TraceFlags(0), trace_state=STATE),
    SpanContext(0xA3, 0xB3, is_remote=False, trace_flags=TraceFlags(1)),
    trace.INVALID_SPAN_CONTEXT,
]
"""Spans of others, by the numbers -4 to -1."""
PARENTS = {"sampled": STRANGERS[0], "not sampled": STRANGERS[1], "local": STRANGERS[2]}


class OrderLostError(Exception):
    class InnerError(ValueError):
        pass


class Halt(BaseException):
    pass


ERRORS: list[type[BaseException]] = [
    ValueError,
    KeyError,
    OrderLostError,
    OrderLostError.InnerError,
    Halt,
    asyncio.CancelledError,
    GeneratorExit,
]


class Choosy(sampling.Sampler):
    """Decides by the name, and adds to attributes and tracestate."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: trace.SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        number = crc32(name.encode())
        decision = {0: Decision.DROP, 1: Decision.RECORD_ONLY}.get(number % 7, Decision.RECORD_AND_SAMPLE)
        state = trace.get_current_span(parent_context).get_span_context().trace_state
        states = (None, state, state.update("ot", f"th:{number % 10}"))
        return SamplingResult(decision, {**(attributes or {}), "rule": number % 5}, states[number % 3])

    def get_description(self) -> str:
        return "choosy"


SAMPLERS: dict[str, Any] = {"default": None, "choosy": Choosy(), "off": sampling.ALWAYS_OFF}


@types.coroutine
def switch() -> Generator[None]:
    """Let others run: an event loop, or whoever advances the coroutine by hand."""
    yield


def drive(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end without a loop."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration:
        pass


class Machine:
    """One run of a program on an engine; spans are known by the place of their statement."""

    def __init__(self, engine: Name, program: made_of.Program) -> None:
        self.bench = Bench(engine, sampler=SAMPLERS[program.sampler], span_limits=program.limited())
        self.places: dict[int, str] = {}
        self.traces: dict[int, str] = {}
        self.log: list[str] = []
        self._tracers = [self.bench.tracer, self.bench.provider.get_tracer("library", None, "https://example.com")]
        self._spans: list[Span] = []
        self._raised: list[BaseException] = []
        asyncio.run(self._guarded(program.body, "0", hosted=True))
        self.finished = self.bench.finished()
        self.bench.provider.shutdown()

    async def _guarded(self, body: made_of.Body, place: str, *, hosted: bool) -> None:
        try:
            await self._run(body, place, hosted)
        except BaseException as error:
            self._caught(place, error)

    def _caught(self, place: str, error: BaseException) -> None:
        ours = any(error is raised for raised in self._raised)
        self.log.append(f"{place}: {type(error).__name__} {error} {'as raised' if ours else 'of others'}")

    async def _run(self, body: made_of.Body, place: str, hosted: bool) -> None:
        for number, statement in enumerate(body):
            do = getattr(self, f"_{type(statement).__name__.lower()}")
            await do(statement, f"{place}.{number}", hosted)

    def _span(self, which: int | None) -> Span:
        if which is None or not self._spans:
            return trace.get_current_span()
        return self._spans[which % len(self._spans)]

    def _target(self, which: int | None) -> SpanContext:
        return STRANGERS[which] if which is not None and which < 0 else self._span(which).get_span_context()

    def _started(self, span: Span, place: str) -> None:
        found = span.get_span_context()
        assert found.span_id not in self.places
        self.places[found.span_id] = place
        self.traces.setdefault(found.trace_id, place)
        self._spans.append(span)

    def _parent(self, parent: Any) -> Context | None:
        if parent is None:
            return None
        if parent == "empty":
            return Context()
        span = self._span(parent) if isinstance(parent, int) else NonRecordingSpan(PARENTS[parent])
        return trace.set_span_in_context(span)

    async def _begin(self, begin: made_of.Begin, place: str, hosted: bool) -> None:
        tracer = self._tracers[len(place) % 2]
        flags = {"record_exception": begin.record, "set_status_on_exception": begin.status}
        arguments: dict[str, Any] = {
            "name": place,
            "context": self._parent(begin.parent),
            "kind": begin.kind,
            "attributes": begin.attributes,
            "links": [Link(self._target(which), attributes) for which, attributes in begin.links],
            "start_time": begin.start,
            **flags,
        }
        if begin.how in ("block", "function", "coroutine"):
            block = tracer.start_as_current_span(**arguments, end_on_exit=begin.ends)
            await self._block(begin, block, place, hosted)
            return
        span = tracer.start_span(**arguments)
        self._started(span, place)
        if begin.how == "span":
            with span:
                await self._run(begin.body, place, hosted)
        elif begin.how == "use":
            with trace.use_span(span, begin.ends, not begin.record, not begin.status):
                await self._run(begin.body, place, hosted)
        else:
            try:
                await self._run(begin.body, place, hosted)
            finally:
                if begin.ends:
                    span.end()

    async def _block(self, begin: made_of.Begin, block: Any, place: str, hosted: bool) -> None:
        async def inside(hosted: bool) -> None:
            self._started(trace.get_current_span(), place)
            await self._run(begin.body, place, hosted)

        if begin.how == "function":
            block(lambda: drive(inside(hosted=False)))()
        elif begin.how == "coroutine":
            await block(inside)(hosted)
        else:
            with block:
                await inside(hosted)

    async def _act(self, act: made_of.Act, place: str, hosted: bool) -> None:
        arguments = list(act.arguments)
        if act.what == "add_link":
            arguments[0] = self._target(arguments[0])
        elif act.what == "record_exception":
            arguments[0] = ERRORS[arguments[0]](place)
        assert getattr(self._span(act.which), act.what)(*arguments) is None

    async def _look(self, look: made_of.Look, place: str, hosted: bool) -> None:
        span = trace.get_current_span()
        found = span.get_span_context()
        known = self.places.get(found.span_id, hex(found.span_id))
        self.log.append(
            f"{place}: in {known} {span.is_recording()} {found.trace_flags} {found.trace_state.to_header()}"
        )

    async def _switch(self, _: made_of.Switch, place: str, hosted: bool) -> None:
        await switch()

    async def _raise(self, what: made_of.Raise, place: str, hosted: bool) -> None:
        self._raised.append(ERRORS[what.error](place))
        raise self._raised[-1]

    async def _try(self, what: made_of.Try, place: str, hosted: bool) -> None:
        try:
            await self._run(what.body, place, hosted)
        except (Exception, Halt) as error:
            self._caught(place, error)

    async def _tasks(self, what: made_of.Tasks, place: str, hosted: bool) -> None:
        works = [self._guarded(body, f"{place}.{number}", hosted=hosted) for number, body in enumerate(what.bodies)]
        if not hosted:
            for work in works:
                contextvars.copy_context().run(drive, work)
            return
        for task in [asyncio.ensure_future(work) for work in works]:
            try:
                await task
            except asyncio.CancelledError as error:
                self._caught(place, error)

    async def _cancel(self, what: made_of.Cancel, place: str, hosted: bool) -> None:
        if not hosted:
            return
        task = asyncio.ensure_future(self._guarded(what.body, place, hosted=True))
        for _ in range(what.turns):
            await switch()
        task.cancel(place)
        try:
            await task
        except asyncio.CancelledError as error:
            self._caught(place, error)

    async def _steps(self, what: made_of.Steps, place: str, hosted: bool) -> None:
        advanced = self._run(what.body, f"{place}.0", hosted=False)
        try:
            try:
                for _ in range(what.count):
                    advanced.send(None)
            except StopIteration:
                pass
            await self._run(what.between, f"{place}.1", hosted)
            if not what.closes and what.count:
                drive(advanced)
        except RuntimeError as error:
            self._caught(place, error)
        finally:
            advanced.close()

    async def _thread(self, what: made_of.Thread, place: str, hosted: bool) -> None:
        given = context.get_current()

        def work() -> None:
            token = context.attach(given) if what.attached else None
            drive(self._guarded(what.body, place, hosted=False))
            if token is not None:
                context.detach(token)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    async def _copied(self, what: made_of.Copied, place: str, hosted: bool) -> None:
        contextvars.copy_context().run(drive, self._run(what.body, place, hosted=False))

    async def _attach(self, what: made_of.Attach, place: str, hosted: bool) -> None:
        token = context.attach(trace.set_span_in_context(self._span(what.which)))
        try:
            await self._run(what.body, place, hosted)
        finally:
            context.detach(token)

    async def _suppress(self, what: made_of.Suppress, place: str, hosted: bool) -> None:
        with suppress_instrumentation():
            await self._run(what.body, place, hosted)
