"""The ``MeterProvider`` of the native engine."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry import metrics as api

from otel_trading import _native, values
from otel_trading.metrics import guard
from otel_trading.metrics.native.identity import Scope
from otel_trading.metrics.native.meter import NativeMeter
from otel_trading.metrics.native.observer import Observer
from otel_trading.metrics.native.reader import Collection, NativeReader
from otel_trading.metrics.native.resource import Reporter
from otel_trading.metrics.native.streams import Streams
from otel_trading.settings import Problem, report
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.metrics.view import View as SdkViews
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.util.types import Attributes

    from otel_trading.metrics.native.recorder import MeasurementRecorder
    from otel_trading.metrics.native.rules import View
    from otel_trading.metrics.native.sdk_reader import SdkReader

Exemplars = Literal["trace_based", "always_on", "always_off"]


class NativeMeterProvider(api.MeterProvider):
    """Meters whose instruments cost nanoseconds, with the SDK's readers and views or our own.

    ``metric_readers`` are the SDK's or ``NativeReader``; ``views`` are the SDK's or ``Rule``. ``cardinality_limit`` is
    the number of series of one stream, beyond which measurements go to ``otel.metric.overflow``. ``histogram_size`` is
    the number of exponential buckets kept in the process; readers may ask for fewer. A gauge that nobody set for
    ``gauge_ttl`` seconds is no longer reported (0: for ever). A callback is waited for ``callback_timeout`` seconds at
    most. Nothing here raises into the bot; what cannot be used is reported once.

    >>> reader = NativeReader()
    >>> provider = NativeMeterProvider([reader])
    >>> provider.get_meter("bot").create_counter("bot.frames").add(2, {"venue": "binance"})
    >>> [(name, points[0][3]) for _, name, *_, points in reader.collect().metrics()]
    [('bot.frames', 2)]
    >>> provider.shutdown()
    True
    """

    def __init__(
        self,
        metric_readers: Sequence[MetricReader | NativeReader] = (),
        resource: Resource | Mapping[str, Any] | None = None,
        views: Sequence[SdkViews | View] = (),
        *,
        cardinality_limit: int = 2_000,
        histogram_size: int = 160,
        gauge_ttl: float = 0.0,
        exemplars: Exemplars | None = None,
        callback_timeout: float = 1.0,
        meter_configurator: Callable[[Any], Any] | None = None,
        shutdown_on_exit: bool = False,
    ) -> None:
        self.registry = _native.Registry()
        self.registry.set_slow_path(guard.number, values.attributes)
        self.registry.gauge_ttl = gauge_ttl
        self.registry.exemplars = exemplars or _exemplars(os.environ)
        self._disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        self._reporter = Reporter(resource)
        self._complaints = Complaints("instruments")
        self._observer = Observer(callback_timeout)
        self._streams = Streams(
            self.registry, _views(views), cardinality_limit=cardinality_limit, histogram_size=histogram_size
        )
        self._configurator = meter_configurator
        self._meters: dict[Scope, NativeMeter] = {}
        self._scopes: dict[int, Scope] = {}
        self._readers: dict[MetricReader | NativeReader, tuple[NativeReader | SdkReader, Collection]] = {}
        self._spares: list[NativeReader] = []
        self.recorder: MeasurementRecorder | None = None
        """Keeps what series hold in a file, once somebody wants that."""
        self._running = True
        self._owner = os.getpid()
        self._lock = threading.RLock()
        for reader in metric_readers:
            self.add_metric_reader(reader)
        _restart_after_fork(self)
        if shutdown_on_exit:
            atexit.register(self.shutdown)

    @property
    def enabled(self) -> bool:
        """Whether measurements are taken; may be switched at any time, off means that calls return at once."""
        return self.registry.enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self.registry.enabled = enabled

    @property
    def resource(self) -> _native.Resource:
        """Who reports, for ``Snapshot.otlp`` and ``Snapshot.expose``; another one in a forked child."""
        return self._reporter.native

    def set_resource(self, resource: Resource | Mapping[str, Any]) -> None:
        """Report for another resource from the next collection on."""
        self._reporter = Reporter(resource)

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes | None = None,
    ) -> NativeMeter:
        """A meter by name, version, schema and attributes; the same one for the same scope."""
        if not name:
            self._complaints.say("a meter has no name; its instruments work, but nobody can tell whose they are")
        cleaned, key = values.attributes(attributes) or values.attributes(None) or ({}, ())
        scope = Scope(str(name or ""), version or None, schema_url or None, cleaned, key)
        with self._lock:
            if scope not in self._meters:
                self._meters[scope] = self._made(scope)
            return self._meters[scope]

    def add_metric_reader(self, reader: MetricReader | NativeReader) -> bool:
        """Let a reader read, from now on; whether it can. One that cannot is reported."""
        with self._lock:
            if reader in self._readers:
                return True
            try:
                served = self._served(reader)
            except Exception as error:  # a reader we do not understand costs itself
                report(f"{type(reader).__name__} gets no metrics: {error}")
                return False
            self._readers[reader] = served
        self._streams.add_reader(*served)
        return True

    def remove_metric_reader(
        self, reader: MetricReader | NativeReader, *, shutdown: bool = True, timeout_millis: float = 30_000
    ) -> None:
        """Let a reader read no longer; one of the SDK is shut down first. Series and totals stay."""
        with self._lock:
            served = self._readers.pop(reader, None)
        if served is None:
            return
        if shutdown and not isinstance(reader, NativeReader):
            _told(reader, "shutdown", timeout_millis)
        served[0].detach()
        self._streams.remove_reader(served[1])

    def take_reader(self, **preferences: Any) -> NativeReader:  # noqa: ANN401 - those of ``NativeReader``
        """A reader with these preferences; one that was given back goes on where it left off.

        >>> provider = NativeMeterProvider()
        >>> reader = provider.take_reader(temporality="delta")
        >>> provider.give_back(reader)
        >>> provider.take_reader(temporality="delta") is reader, provider.take_reader() is reader
        (True, False)
        """
        wanted = NativeReader(**preferences)
        with self._lock:
            found = next((spare for spare in self._spares if spare.preferences == wanted.preferences), wanted)
            self._spares = [spare for spare in self._spares if spare is not found]
        self.add_metric_reader(found)
        return found

    def give_back(self, reader: NativeReader) -> None:
        """Keep a reader for the next one who takes it: deltas go on, nothing is counted twice."""
        with self._lock:
            self._spares.append(reader)

    def refine(self, histogram_size: int) -> None:
        """Keep series of histograms that are made from now on in as many exponential buckets."""
        self._streams.refine(histogram_size)

    def rest(self) -> None:
        """Let threads that wait for the next collection end."""
        self._observer.rest()

    def set_meter_configurator(self, configurator: Callable[[Any], Any] | None) -> None:
        """Decide anew which scopes are enabled, for the meters that exist, too."""
        with self._lock:
            self._configurator = configurator
            for scope, meter in self._meters.items():
                meter.enable(self._enabled(scope))

    def dropped(self) -> dict[str, int]:
        """Measurements that were lost, by reason."""
        failed = sum(callback.failures for seen in self._streams.observables for callback in seen.callbacks)
        own = {"callback_failed": failed, "callback_late": self._observer.missed}
        return {**self.registry.dropped(), **{reason: count for reason, count in own.items() if count}}

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Let the SDK's readers deliver within the time they share; whether all did."""
        return self._tell_all("force_flush", timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000) -> bool:
        """Let the SDK's readers deliver a last time; then measurements are no longer taken. Whether all delivered."""
        with self._lock:
            if not self._running:
                return True
            self._running = False
        atexit.unregister(self.shutdown)
        delivered = self._tell_all("shutdown", timeout_millis)
        self._observer.rest()
        self.registry.enabled = False
        return delivered

    def restart_in_child(self) -> None:
        """Begin at zero in a forked child; called after a fork, and harmless when called again."""
        if self._owner == os.getpid():
            return
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self.registry.reset_in_child()
        self._streams.restart_in_child()
        self._observer.restart_in_child()
        for meter in self._meters.values():
            meter.restart_in_child()
        self._reporter.restart_in_child()

    def _served(self, reader: MetricReader | NativeReader) -> tuple[NativeReader | SdkReader, Collection]:
        if isinstance(reader, NativeReader):
            if reader.attached:
                raise ValueError("it belongs to another meter provider already")
            collection = Collection(self._streams, self._observer, keep_exemplars=reader.keep_exemplars)
            reader.attach(collection)
            return reader, collection
        from otel_trading.metrics.native.sdk_reader import SdkReader

        served = SdkReader(reader)
        _ = self._reporter.sdk  # now, for it cannot be made any more when the last collection is at the process' end
        collection = Collection(self._streams, self._observer)
        served.attach(collection, self, lambda: self._reporter.sdk, self._scopes.__getitem__)
        return served, collection

    def _made(self, scope: Scope) -> NativeMeter:
        number = self.registry.scope(scope.name, scope.version or "", scope.schema_url or "", scope.attributes)
        self._scopes[number] = scope
        return NativeMeter(scope, number, self._streams, self._complaints, enabled=self._enabled(scope))

    def _enabled(self, scope: Scope) -> bool:
        if self._disabled:
            return False
        if self._configurator is None:
            return True
        from otel_trading.metrics.native.sdk_names import instrumentation_scope

        try:
            return bool(self._configurator(instrumentation_scope(scope)).is_enabled)
        except Exception as error:
            self._complaints.say(f"the meter configurator fails, {scope.name!r} is enabled: {error}")
            return True

    def _tell_all(self, what: str, timeout_millis: float) -> bool:
        deadline = time.monotonic() + timeout_millis / 1_000
        answers = [
            _told(reader, what, (deadline - time.monotonic()) * 1_000)
            for reader in list(self._readers)
            if not isinstance(reader, NativeReader)
        ]
        return all(answers)


def _told(reader: MetricReader, what: str, timeout_millis: float) -> bool:
    try:
        return getattr(reader, what)(timeout_millis=max(0.0, timeout_millis)) is not False
    except Exception as error:
        report(f"{type(reader).__name__}: {what} failed: {type(error).__name__}: {error}")
        return False


def _views(given: Sequence[Any]) -> list[View]:
    usable: list[View] = []
    for view in given:
        if hasattr(view, "stream"):
            usable.append(view)
            continue
        try:
            from otel_trading.metrics.native.views import SdkView

            usable.append(SdkView(view))
        except Exception as error:
            report(f"a view is not applied: {error}")
    return usable


def _exemplars(variables: Mapping[str, str]) -> Exemplars:
    name = variables.get("OTEL_METRICS_EXEMPLAR_FILTER", "").strip() or "trace_based"
    if name in {"trace_based", "always_on", "always_off"}:
        return name  # type: ignore[return-value]
    allowed = "trace_based, always_on or always_off"
    report(Problem("OTEL_METRICS_EXEMPLAR_FILTER", name, allowed, "trace_based", "environment"))
    return "trace_based"


def _restart_after_fork(provider: NativeMeterProvider) -> None:
    """Have the provider restarted in forked children as long as it lives."""
    restart = weakref.WeakMethod(provider.restart_in_child)

    def restart_in_child() -> None:
        alive = restart()
        if alive is not None:
            alive()

    os.register_at_fork(after_in_child=restart_in_child)
