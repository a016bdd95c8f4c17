"""What the instrumentations of HTTP clients have in common."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

from otel_trading.extras import require
from otel_trading.instrument.hooks import guarded
from otel_trading.instrument.http.exchange import Rules
from otel_trading.instrument.http.stability import choose_conventions
from otel_trading.instrument.instrumentor import Instrumentor
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from otel_trading.instrument.patching import Patches
    from otel_trading.instrument.reporting import Reporting

_OURS = frozenset({"meter_provider", "tracer_provider", "trace_hosts", "url_template"})
_complaints = Complaints("hooks of instrumentations")


class HttpInstrumentor(Instrumentor):
    """An instrumentation of contrib's, by our rules.

    ``instrument()`` takes what contrib's does, and

    - ``trace_hosts``: hosts that are sent trace headers; without it those of the settings.
    - ``url_template``: a function that is given a URL without query and credentials, and gives the template of its
      path, ``/orders/{id}``, or ``None`` where the kit shall find one.

    Where the bot has set up contrib's own instrumentation, that stays as it is.
    """

    contrib: ClassVar[str]
    """The module of contrib's instrumentation."""
    contrib_class: ClassVar[str]
    extra: ClassVar[str]
    hooks: ClassVar[tuple[str, ...]] = ("request_hook", "response_hook")

    def instrumentation_dependencies(self) -> Collection[str]:
        """The packages and their versions that contrib knows."""
        needed: Collection[str] = self._of_contrib().instrumentation_dependencies()
        return needed

    def instrument(self, **given: Any) -> Any:  # noqa: ANN401 - the contract's
        """Instrument the library; see the class."""
        choose_conventions()
        return super().instrument(**given)

    def _patch(self, patches: Patches, said: Reporting, **given: Any) -> None:  # noqa: ANN401
        instrumentor = self._of_contrib()
        if instrumentor.is_instrumented_by_opentelemetry:
            return
        hosts = given.get("trace_hosts")
        rules = Rules(
            said,
            said.trace_hosts if hosts is None else (hosts,) if isinstance(hosts, str) else hosts,
            _guarded_filter(given.get("url_template"), f"url_template of {self.extra}", lambda _: None),
        )
        patches.afterwards(lambda: setattr(rules, "on", False))
        module = self._module()
        patches.wrap(module, "inject", rules.inject)
        patches.wrap(module, "is_http_instrumentation_enabled", lambda allowed: lambda: rules.enabled() and allowed())
        options = {name: value for name, value in given.items() if name not in _OURS}
        options |= {name: self._hook(name, given.get(name)) for name in self.hooks}
        if "url_filter" in given:
            options["url_filter"] = _guarded_filter(given["url_filter"], f"url_filter of {self.extra}", str)
        instrumentor.instrument(
            skip_dep_check=True, tracer_provider=rules.tracer_provider, meter_provider=rules.meter_provider, **options
        )
        patches.afterwards(instrumentor.uninstrument)
        self._prepare(patches, module, rules)

    def _prepare(self, patches: Patches, module: Any, rules: Rules) -> None:  # noqa: ANN401 - contrib's module
        """Replace what else has to be."""

    def _hook(self, name: str, hook: Any) -> Any:  # noqa: ANN401 - any function
        """The user's hook, whose errors stay with us."""
        if inspect.iscoroutinefunction(hook):
            return _guarded_coroutine(hook, f"{name} of {self.extra}")
        return guarded(hook, f"{name} of {self.extra}")

    def _module(self) -> Any:  # noqa: ANN401
        return require(self.contrib, extra=self.extra)

    def _of_contrib(self) -> Any:  # noqa: ANN401
        return getattr(self._module(), self.contrib_class)()


def _guarded_coroutine(hook: Callable[..., Any], name: str) -> Callable[..., Any]:
    async def called(*args: Any) -> None:  # noqa: ANN401 - as the hook takes them
        try:
            await hook(*args)
        except Exception as error:
            _complaints.say(f"{name} failed: {type(error).__name__}: {error}; the instrumentation goes on without it")

    return called


def _guarded_filter(given: Callable[[Any], Any] | None, name: str, otherwise: Callable[[Any], Any]) -> Any:  # noqa: ANN401
    if given is None:
        return None
    wanted = given

    def called(url: Any) -> Any:  # noqa: ANN401 - a library's own kind of URL
        try:
            return wanted(url)
        except Exception as error:
            _complaints.say(f"{name} failed: {type(error).__name__}: {error}; the instrumentation goes on without it")
            return otherwise(url)

    return called
