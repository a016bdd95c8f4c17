"""The process's recorder of events, the reader behind it, and functions that are measured."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from opentelemetry.context import _RUNTIME_CONTEXT
from opentelemetry.trace.propagation import _SPAN_KEY

from otel_trading._native import EventReader, EventRecorder
from otel_trading.metrics import event_ids

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

CORRELATION_KEY = "otel_trading.correlation"
"""Where OpenTelemetry's context keeps what ``correlate`` says."""

recorder = EventRecorder()
reader = EventReader(recorder)


def measured(function: Callable[..., Any], event: int) -> Callable[..., Any]:
    """The function, each of whose calls is measured; what it is to ``inspect`` it stays.

    A generator is measured from its first step to its end.
    """
    if inspect.iscoroutinefunction(function):
        wrapper: Callable[..., Any] = _coroutine(function, event)
    elif inspect.isasyncgenfunction(function):
        wrapper = _async_generator(function, event)
    elif inspect.isgeneratorfunction(function):
        wrapper = _generator(function, event)
    else:
        wrapper = _call(function, event)
    return functools.update_wrapper(wrapper, function)


def _call(function: Callable[..., Any], event: int) -> Callable[..., Any]:
    start, end = recorder.start, recorder.end

    def measured_call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the function takes and gives
        token = start(event)
        try:
            return function(*args, **kwargs)
        finally:
            end(event, token)

    return measured_call


def _coroutine(function: Callable[..., Any], event: int) -> Callable[..., Any]:
    start, end = recorder.start, recorder.end

    async def measured_coroutine(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        token = start(event)
        try:
            return await function(*args, **kwargs)
        finally:
            end(event, token)

    return measured_coroutine


def _generator(function: Callable[..., Any], event: int) -> Callable[..., Any]:
    start, end = recorder.start, recorder.end

    def measured_generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:  # noqa: ANN401
        token = start(event)
        try:
            return (yield from function(*args, **kwargs))
        finally:
            end(event, token)

    return measured_generator


def _async_generator(function: Callable[..., Any], event: int) -> Callable[..., Any]:
    start, end = recorder.start, recorder.end

    async def measured_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:  # noqa: ANN401
        token = start(event)
        generator = function(*args, **kwargs)
        try:
            item = await anext(generator)
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    await generator.aclose()
                    raise
                except BaseException as error:
                    item = await generator.athrow(error)
                else:
                    item = await generator.asend(sent)
        except StopAsyncIteration:
            return
        finally:
            end(event, token)

    return measured_generator


def _running() -> object:
    """What keeps overlapping uses of one ``measure`` object apart: the task, else the thread."""
    asyncio = sys.modules.get("asyncio")  # where nobody imported it, no task runs
    if asyncio is not None:
        with contextlib.suppress(RuntimeError):  # no event loop runs here
            task = asyncio.current_task()
            if task is not None:
                return task
    return threading.get_ident()


def _context_variable() -> Any:  # noqa: ANN401 - a ContextVar, when contexts are kept in one
    return getattr(_RUNTIME_CONTEXT, "_current_context", None)


def _restart_in_child() -> None:
    reader.restart_in_child()
    event_ids.restart_in_child()


event_ids.listen(reader.set_name)
reader.connect(_context_variable(), _SPAN_KEY, CORRELATION_KEY, _running, measured)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart_in_child)
