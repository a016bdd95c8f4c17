"""What the native tracing types call where speed does not matter. None of it raises.

The names are those the core looks up when it is connected.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry import context as context_api
from opentelemetry.context import Context
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)
from opentelemetry.trace.propagation import _SPAN_KEY as SPAN_KEY

from otel_trading import values
from otel_trading.settings.complaints import Complaints
from otel_trading.tracing.silent import SilentSpan

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import ReadableSpan

    from otel_trading import _native

__all__ = ["INVALID_SPAN", "SPAN_KEY", "Context", "SpanContext", "SpanKind", "TraceFlags"]

_CODES = {StatusCode.UNSET: 0, StatusCode.OK: 1, StatusCode.ERROR: 2}
_STATUS = (StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR)
_complaints = [Complaints("spans")]


def begin() -> None:
    """Say again what was said: there is a new provider."""
    _complaints[0] = Complaints("spans")


INVALID_SPAN = SilentSpan(INVALID_SPAN_CONTEXT)
NO_TRACE_STATE = TraceState.get_default()

_runtime = context_api._RUNTIME_CONTEXT  # noqa: SLF001 - the one place the current context is kept
variable = _runtime._current_context if type(_runtime) is ContextVarsRuntimeContext else None  # noqa: SLF001
unset = None if variable is None else contextvars.Context().run(variable.get)
GROUND = Context()
get_current = context_api.get_current
attach = context_api.attach
detach = context_api.detach


def clean(value: object, length: int) -> object:
    """An attribute's value as plain values, texts cut to ``length`` characters.

    >>> clean(["buy", 1, None], 2), clean({"a": object()}, 9)
    (('bu', 1, None), {'a': None})
    """
    try:
        return values.clean(value, length, _foreign)
    except Exception:  # the bot's own ``__str__``, or a sequence that contains itself
        return None


def _foreign(kind: type) -> None:
    complain(f"attributes of type {kind.__name__} become text, or nothing")


def mapping(given: object) -> dict[str, Any] | None:
    """Attributes as a dict whose keys are texts; ``None`` when they are none."""
    try:
        if isinstance(given, Mapping):
            named = {values.key_text(key): value for key, value in given.items()}
            if "" in named or not all(isinstance(key, str) for key in given):
                complain("an attribute's key has to be a text that is not empty")
                named.pop("", None)
            return named
    except Exception:
        return None
    complain("attributes have to be a mapping")
    return None


def replaced(text: str) -> bytes:
    """A text that has no UTF-8 as some."""
    return text.encode("utf-8", "replace")


def complain(message: str) -> None:
    """Say once what is wrong with a call."""
    _complaints[0].say(message)


def parent(span: object) -> tuple[int, int, int, bool, TraceState | None] | None:
    """What identifies a parent that is not native; ``None`` when it is no valid parent."""
    try:
        if not isinstance(span, Span):
            return None
        context = span.get_span_context()
    except Exception:
        return None
    if not isinstance(context, SpanContext) or not context.is_valid:
        return None
    return context.trace_id, context.span_id, context.trace_flags, context.is_remote, context.trace_state or None


def sample(
    sampler: Any,  # noqa: ANN401
    context: Context | None,
    trace_id: int,
    name: str,
    kind: SpanKind,
    attributes: object,
    links: object,
    _: TraceState | None,
) -> tuple[int, object, TraceState | None] | None:
    """What a sampler decides: 0 drop, 1 record, 2 record and sample; ``None`` when it fails."""
    try:
        given = attributes if isinstance(attributes, Mapping) else None
        result = sampler.should_sample(context, trace_id, name, kind, given, links or ())
        return result.decision.value, dict(result.attributes or {}), result.trace_state or None
    except Exception as error:
        complain(f"the sampler fails, spans are recorded: {type(error).__name__}: {error}")
        return None


def non_recording(context: SpanContext) -> SilentSpan:
    """A span that only hands its context on."""
    return SilentSpan(context)


def on_start(processors: Any, span: _native.Span, context: Context | None) -> None:  # noqa: ANN401
    """Tell the SDK's span processors; one that raises costs itself."""
    for processor in processors:
        try:
            processor.on_start(span, parent_context=context)
        except Exception as error:
            _blame(processor, error)


def on_end(processors: Any, span: _native.Span) -> None:  # noqa: ANN401
    """Tell the SDK's span processors, which get a view of their own of the span."""
    from otel_trading.tracing.native.readable import readable as view

    for processor in processors:
        try:
            processor._on_ending(span)  # noqa: SLF001 - as the SDK does
        except Exception as error:
            _blame(processor, error)
    try:
        seen = view(span)
    except Exception as error:
        complain(f"a span cannot be shown to span processors: {type(error).__name__}: {error}")
        return
    for processor in processors:
        try:
            processor.on_end(seen)
        except Exception as error:
            _blame(processor, error)


def _blame(processor: object, error: Exception) -> None:
    complain(f"span processor {type(processor).__name__} fails: {type(error).__name__}: {error}")


def exception_attributes(error: BaseException, attributes: object, escaped: bool) -> dict[str, object]:
    """The attributes of the event that describes an exception, as OpenTelemetry's conventions name them."""
    kind = type(error)
    module = kind.__module__
    described: dict[str, object] = {
        "exception.type": kind.__qualname__ if module in (None, "builtins") else f"{module}.{kind.__qualname__}",
        "exception.message": _message(error),
        "exception.stacktrace": _stacktrace(error),
        "exception.escaped": str(escaped),
    }
    if isinstance(attributes, Mapping):
        described.update(attributes)
    return described


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "?"


def _stacktrace(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:
        return ""


def status(code: int, text: str | None) -> Status:
    """The API's status."""
    return Status(_STATUS[code], text)


def read_status(given: object, text: object) -> tuple[int, str | None] | None:
    """Code and description of what was given to ``set_status``; ``None`` when it makes no sense."""
    if isinstance(given, Status):
        if text is not None:
            complain("a description beside a Status is ignored: the Status has its own")
        code, text = given.status_code, given.description
    elif isinstance(given, StatusCode):
        code = given
    else:
        complain("set_status() needs a Status or a StatusCode")
        return None
    if text is not None and not isinstance(text, str):
        complain("a status's description has to be a text")
    described = text if isinstance(text, str) and code is StatusCode.ERROR else None
    return _CODES[code], described


def readable(span: _native.Span) -> ReadableSpan:
    """The span as opentelemetry-sdk shows spans."""
    from otel_trading.tracing.native.readable import readable as view

    return view(span)


def events(span: _native.Span) -> Any:  # noqa: ANN401 - a sequence of the SDK's events
    """The events of a span as opentelemetry-sdk shows them."""
    return readable(span).events


def links(span: _native.Span) -> Any:  # noqa: ANN401 - a sequence of links
    """The links of a span as opentelemetry-sdk shows them."""
    return readable(span).links


def decorate(span: _native.CurrentSpan, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function, or coroutine function, that runs inside a span of its own each time."""
    again = span._again  # noqa: SLF001 - the core's half of this
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def traced_coroutine(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            with again():
                return await function(*args, **kwargs)

        return traced_coroutine

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        with again():
            return function(*args, **kwargs)

    return traced


def trace_id(generator: Any) -> int:  # noqa: ANN401
    """A trace id of somebody else's generator."""
    return _made(generator.generate_trace_id, 128)


def span_id(generator: Any) -> int:  # noqa: ANN401
    """A span id of somebody else's generator."""
    return _made(generator.generate_span_id, 64)


def _made(generate: Callable[[], object], bits: int) -> int:
    try:
        made = generate()
        if isinstance(made, int) and 0 < made < 1 << bits:
            return made
        problem = f"{made!r} is no id"
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    complain(f"the id generator fails, spans get other ids: {problem}")
    return 0


def link(given: object) -> tuple[SpanContext, object] | None:
    """Context and attributes of a ``Link``, or of such a pair, when it links to anything."""
    try:
        context, attributes = given if isinstance(given, tuple) else (given.context, given.attributes)  # type: ignore[attr-defined]
    except Exception:
        return None
    if isinstance(context, SpanContext) and (context.is_valid or attributes or context.trace_state):
        return context, attributes
    return None
