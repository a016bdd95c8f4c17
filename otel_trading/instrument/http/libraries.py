"""The HTTP clients that are instrumented: what is special about each."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar

from otel_trading.instrument.http.instrumentor import HttpInstrumentor
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.instrument.http.exchange import Rules
    from otel_trading.instrument.patching import Patches

_HTTP_2 = 20
_RULES = "otel_trading_rules"
_complaints = Complaints("instrumented requests")


class HttpxInstrumentor(HttpInstrumentor):
    """httpx: ``Client`` and ``AsyncClient``; the hooks of the latter are coroutine functions."""

    contrib = "opentelemetry.instrumentation.httpx"
    contrib_class = "HTTPXClientInstrumentor"
    extra = "httpx"
    hooks: ClassVar[tuple[str, ...]] = ("request_hook", "response_hook", "async_request_hook", "async_response_hook")


class RequestsInstrumentor(HttpInstrumentor):
    """requests; what it asks of urllib3 is not told again."""

    contrib = "opentelemetry.instrumentation.requests"
    contrib_class = "RequestsInstrumentor"
    extra = "requests"


class Urllib3Instrumentor(HttpInstrumentor):
    """urllib3, where it is used directly."""

    contrib = "opentelemetry.instrumentation.urllib3"
    contrib_class = "URLLib3Instrumentor"
    extra = "urllib3"

    def _hook(self, name: str, hook: Any) -> Any:  # noqa: ANN401 - any function
        users = super()._hook(name, hook)
        if name != "response_hook":
            return users

        def response_hook(span: Any, pool: Any, response: Any) -> None:  # noqa: ANN401 - contrib's
            _tell_version(span, response, lambda version: "2" if version == _HTTP_2 else f"1.{version % 10}")
            if users is not None:
                users(span, pool, response)

        return response_hook


class AiohttpClientInstrumentor(HttpInstrumentor):
    """aiohttp's ``ClientSession``, also those that were there before."""

    contrib = "opentelemetry.instrumentation.aiohttp_client"
    contrib_class = "AioHttpClientInstrumentor"
    extra = "aiohttp"

    def _hook(self, name: str, hook: Any) -> Any:  # noqa: ANN401 - any function
        users = super()._hook(name, hook)
        if name != "response_hook":
            return users

        def response_hook(span: Any, params: Any) -> None:  # noqa: ANN401 - contrib's
            _tell_version(span, getattr(params, "response", None), lambda version: f"{version.major}.{version.minor}")
            if users is not None:
                users(span, params)

        return response_hook

    def _prepare(self, patches: Patches, module: Any, rules: Rules) -> None:  # noqa: ANN401
        patches.wrap(module, "create_trace_config", lambda create: _switched(create, rules))
        session = module.aiohttp.ClientSession
        configs = _configs_of(vars(session)["__init__"])
        patches.wrap(session, "_request", lambda request: _joining(request, rules, configs))


def _tell_version(span: Any, response: Any, text: Callable[[Any], str]) -> None:  # noqa: ANN401
    version = getattr(response, "version", None)
    if version:
        span.set_attribute("network.protocol.version", text(version))


def _switched(create: Callable[..., Any], rules: Rules) -> Callable[..., Any]:
    """Trace configurations that do nothing once the instrumentation is taken back: sessions keep theirs."""

    def create_trace_config(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - contrib's
        config = create(*args, **options)
        begin = config.on_request_start[0]

        async def on_request_start(session: Any, context: Any, params: Any) -> None:  # noqa: ANN401 - aiohttp's
            if rules.on:
                await begin(session, context, params)

        config.on_request_start[0] = on_request_start
        config.otel_trading_rules = rules
        return config

    return create_trace_config


def _joining(request: Callable[..., Any], rules: Rules, configs: Callable[[], list[Any]]) -> Callable[..., Any]:
    """Have sessions traced that were made before anybody looked."""

    @functools.wraps(request)
    def _request(session: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - aiohttp's
        try:
            known = session._trace_configs  # noqa: SLF001 - contrib's own way to them
            if not any(getattr(config, _RULES, None) is rules for config in known):
                left = [config for config in known if not hasattr(config, _RULES)]
                session._trace_configs = left + configs()  # noqa: SLF001
        except Exception as error:
            _complaints.say(f"a session of aiohttp is not traced: {type(error).__name__}: {error}")
        return request(session, *args, **options)

    return _request


def _configs_of(init: Any) -> Callable[[], list[Any]]:  # noqa: ANN401 - contrib's wrapper of ClientSession.__init__
    """Makes the trace configurations that contrib gives to a new session."""

    def configs() -> list[Any]:
        made: list[Any] = []
        init._self_wrapper(lambda **options: made.extend(options["trace_configs"]), None, (), {})  # noqa: SLF001 - wrapt's
        for config in made:
            config.freeze()
        return made

    return configs
