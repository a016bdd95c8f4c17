"""Putting capture behind the process' telemetry for a while, and leaving everything as it was found.

OpenTelemetry's global providers can be set once in a process. The kit makes stand-ins global; what they point to is
exchanged here, as ``configure()`` does it, except that what was there before is kept and comes back.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from opentelemetry import _logs, metrics, trace
from opentelemetry.metrics import Asynchronous

import otel_trading.configure  # noqa: F401 - the module is shadowed by its function, and is taken from sys.modules
from otel_trading import building
from otel_trading.operations import Operations
from otel_trading.reloading.reloading import Reloading
from otel_trading.resource import build_resource
from otel_trading.settings import resolve
from otel_trading.testing.companions import begin_at_zero, held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from otel_trading.metrics.native import NativeMeterProvider
    from otel_trading.pipeline import Pipeline
    from otel_trading.settings import Resolved
    from otel_trading.telemetry import Telemetry

_configuring: Any = sys.modules["otel_trading.configure"]
_build_pipeline = building.build_pipeline
_NOWHERE = Path(os.devnull)
_RUNTIME = ("container.", "cpython.", "process.", "system.", "trading.health.", "trading.runtime.")
_EXCHANGED = ("replace", "settle")
_STATE = ("resolved", "_pipeline", "operations", "reloading", "_bridge", "_uninstrument", "_problems", "_running")


@contextmanager
def captured_by(
    build: Callable[[Resolved], Pipeline], options: Mapping[str, str], native: NativeMeterProvider | None
) -> Iterator[Telemetry]:
    """Everything the bot reports goes to the pipelines that ``build`` makes, also after it calls ``configure()``.

    ``options`` hold until then; ``native`` is the provider that measures if it is the native one.
    """
    with ExitStack() as stack:
        stack.enter_context(_root_logger_restored())
        current: Telemetry | None = _configuring._current  # noqa: SLF001 - the kit's own
        stack.enter_context(held(current))
        stack.enter_context(_runtime_muted(current, native))
        before = _suspended(current)
        stack.enter_context(mock.patch.object(building, "build_pipeline", _only_if_on(build)))
        stack.enter_context(mock.patch.object(_configuring, "_declared", return_value=None))
        stack.enter_context(mock.patch.object(Operations, "apply", return_value=[]))
        stack.enter_context(mock.patch.object(_configuring, "_spool", return_value=None))
        stack.enter_context(mock.patch.object(_configuring, "_native", return_value=native))
        handle = _started(options)
        begin_at_zero(handle)
        if native is not None:  # again: what was held has said its last
            native.registry.reset()
        stack.callback(_restore, handle, before, native)
        stack.enter_context(_observables_forgotten(handle, native))
        handle.observe_itself()  # on the engine of this capture; at first it was perhaps another
        yield handle


def foreign_providers() -> list[str]:
    """The global providers that are not the kit's: what goes through them is not captured."""
    names = {
        "meter": metrics.get_meter_provider(),
        "tracer": trace.get_tracer_provider(),
        "logger": _logs.get_logger_provider(),
    }
    current = _configuring._current  # noqa: SLF001
    ours = {name: getattr(current, f"{name}_provider", None) for name in names}
    return [f"{name} provider {type(found).__qualname__}" for name, found in names.items() if found is not ours[name]]


def _only_if_on(build: Callable[[Resolved], Pipeline]) -> Callable[..., Pipeline]:
    def build_captured(resolved: Resolved, *others: Any) -> Pipeline:  # noqa: ANN401 - resource and engine
        return _build_pipeline(resolved, *others) if resolved.settings.disabled else build(resolved)

    return build_captured


def _started(options: Mapping[str, str]) -> Telemetry:
    """The process' handle, with a captured pipeline behind it; made and made global if there is none yet."""
    resolved = resolve(
        {**options, "instrument": "none", "service_name": "test", "runtime_enabled": False},
        variables={},
        folder=_NOWHERE,
    )
    current: Telemetry | None = _configuring._current  # noqa: SLF001
    if current is not None:
        _make_exchangeable(current)
    handle: Telemetry = _configuring._configured(resolved, [])  # noqa: SLF001
    _make_exchangeable(handle)
    root = logging.getLogger()
    if root.level == logging.WARNING:  # as configure() does, also where pytest has put its own handlers
        root.setLevel(options["log_level"])
    return handle


def _make_exchangeable(handle: Telemetry) -> None:
    """Let a reconfiguration take effect at once; what the old pipeline holds stays where it is."""

    def exchange(pipeline: Pipeline) -> None:
        handle._detach()  # noqa: SLF001
        again = pipeline.meter_provider is handle._pipeline.meter_provider  # noqa: SLF001
        with _callbacks_kept(handle) if again else nullcontext():
            _use(handle, pipeline)

    handle.replace = exchange  # type: ignore[method-assign]
    handle.settle = lambda: None  # type: ignore[method-assign]


def _use(handle: Telemetry, pipeline: Pipeline) -> None:
    handle._pipeline = pipeline  # noqa: SLF001
    handle.meter_provider.use(pipeline.meter_provider, pipeline.ledgers["metrics"])
    handle.tracer_provider.use(pipeline.tracer_provider, pipeline.ledgers["traces"])
    handle.logger_provider.use(pipeline.logger_provider)


class _Suspended:
    """What stood behind the handle, and the processors that others had added: they may send to anywhere."""

    def __init__(self, handle: Telemetry) -> None:
        self.state = {name: getattr(handle, name) for name in _STATE}
        self.exchange = {name: vars(handle)[name] for name in _EXCHANGED if name in vars(handle)}
        self.spans = handle.tracer_provider.added.processors
        self.logs = handle.logger_provider.added.processors
        if self.state["_running"] and self.state["_bridge"] is not None:
            self.state["_bridge"].detach()
        handle.operations.deafen()
        self.listeners = {} if handle._trading is None else handle._trading.listeners  # noqa: SLF001
        handle._bridge, handle._uninstrument, handle.operations = None, [], Operations(handle)  # noqa: SLF001
        handle.reloading = Reloading(handle, handle.operations)
        handle.tracer_provider.added.processors, handle.logger_provider.added.processors = [], []

    def resume(self, handle: Telemetry) -> None:
        vars(handle).update(self.state)
        vars(handle).update(self.exchange)
        with _callbacks_kept(handle):
            _use(handle, self.state["_pipeline"])
        handle.tracer_provider.added.processors, handle.logger_provider.added.processors = self.spans, self.logs
        if self.state["_running"]:
            handle.operations.listen()
        if self.state["_running"] and self.state["_bridge"] is not None:
            self.state["_bridge"].attach()


def _suspended(handle: Telemetry | None) -> _Suspended | None:
    return None if handle is None else _Suspended(handle)


def _restore(handle: Telemetry, before: _Suspended | None, native: NativeMeterProvider | None) -> None:
    handle._detach()  # noqa: SLF001
    handle.operations.deafen()
    if handle._trading is not None:  # noqa: SLF001
        handle._trading.listened_to_by({} if before is None else before.listeners)  # noqa: SLF001
    for name in _EXCHANGED:
        vars(handle).pop(name, None)
    if before is not None:
        before.resume(handle)
        return
    handle._running = False  # noqa: SLF001
    idle = resolve({"disabled": True}, variables={}, folder=_NOWHERE)
    _use(handle, _build_pipeline(idle, build_resource(idle.settings, ""), native))


@contextmanager
def _callbacks_kept(handle: Telemetry) -> Iterator[None]:
    """Observables are not registered anew where they are already: their callbacks would be asked twice."""
    observables = [instrument for instrument in _all_instruments(handle) if isinstance(instrument, Asynchronous)]
    with ExitStack() as stack:
        for instrument in observables:
            stack.enter_context(mock.patch.object(instrument, "_create", _nothing))
        yield


def _all_instruments(handle: Telemetry) -> list[Any]:
    meters = list(handle.meter_provider._meters.values())  # noqa: SLF001 - other threads may make more meanwhile
    return [instrument for meter in meters for instrument in list(meter._instruments.values())]  # noqa: SLF001


@contextmanager
def _observables_forgotten(handle: Telemetry, native: NativeMeterProvider | None) -> Iterator[None]:
    """End the callbacks that are registered inside the block: afterwards they would report a bot that is gone."""
    known = {id(instrument) for instrument in _all_instruments(handle)}
    callbacks = {id(observable): observable.callbacks for observable in _native_observables(native)}
    try:
        yield
    finally:
        for instrument in _all_instruments(handle):
            if isinstance(instrument, Asynchronous) and id(instrument) not in known:
                instrument._create = _nothing  # type: ignore[attr-defined]  # noqa: SLF001
        for observable in _native_observables(native):
            observable.callbacks = callbacks.get(id(observable), [])
        _list_callbacks(native)


@contextmanager
def _runtime_muted(handle: Telemetry | None, native: NativeMeterProvider | None) -> Iterator[None]:
    """What runtime telemetry registered before the block says nothing inside: the test is not about its process."""
    with ExitStack() as stack:
        for instrument in _all_instruments(handle) if handle is not None else ():
            if isinstance(instrument, Asynchronous) and getattr(instrument, "name", "").startswith(_RUNTIME):
                stack.enter_context(mock.patch.object(instrument, "_create", _nothing))
        for observable in _native_observables(native):
            if observable.name.startswith(_RUNTIME):
                stack.enter_context(mock.patch.object(observable, "callbacks", []))
        _list_callbacks(native)
        yield
    _list_callbacks(native)


def _list_callbacks(native: NativeMeterProvider | None) -> None:
    if native is not None:
        native._streams._list_observables()  # noqa: SLF001


def _native_observables(native: NativeMeterProvider | None) -> list[Any]:
    entries = native._streams._entries if native is not None else []  # noqa: SLF001
    return [entry.handle for entry in entries if entry.identity.observable]


def _nothing(_: object) -> None:
    """What is created of an instrument that ended."""


@contextmanager
def _root_logger_restored() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    try:
        yield
    finally:
        root.setLevel(level)
