"""Parts that installed packages bring by entry point: samplers, id generators, configurators."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from otel_trading.settings.problems import Problem, report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import Sampler

_DEFAULT_SAMPLER = "parentbased_always_on"


def sampler(name: str, argument: str | None) -> Sampler:
    """The head sampler by the name ``OTEL_TRACES_SAMPLER`` uses; an unusable one is reported and all is kept."""
    from opentelemetry.sdk.trace import sampling

    built_in: dict[str, Any] = {
        "always_on": sampling.ALWAYS_ON,
        "always_off": sampling.ALWAYS_OFF,
        _DEFAULT_SAMPLER: sampling.DEFAULT_ON,
        "parentbased_always_off": sampling.DEFAULT_OFF,
    }
    chosen = name.strip().lower()
    if chosen in built_in:
        return built_in[chosen]  # type: ignore[no-any-return]
    if chosen in {"traceidratio", "parentbased_traceidratio"}:
        root = sampling.TraceIdRatioBased(_ratio(argument))
        return sampling.ParentBased(root) if chosen.startswith("parentbased") else root
    try:
        made = _named("opentelemetry_traces_sampler", name)(argument)
        if isinstance(made, sampling.Sampler):
            return made
    except Exception:  # noqa: S110 - whatever the plug-in does, the answer is the report below
        pass
    allowed = "always_on, always_off, traceidratio, their parentbased_ forms, or the name of an installed sampler"
    report(Problem("traces_sampler", name, allowed, _DEFAULT_SAMPLER, "OTEL_TRACES_SAMPLER or argument"))
    return sampling.DEFAULT_ON


def id_generator(variables: Mapping[str, str]) -> IdGenerator | None:
    """The id generator of ``OTEL_PYTHON_ID_GENERATOR``; ``None`` for the SDK's own."""
    name = variables.get("OTEL_PYTHON_ID_GENERATOR", "random").strip()
    return None if name in {"", "random"} else _named("opentelemetry_id_generator", name)()


def configurator(kind: str, variables: Mapping[str, str]) -> Any:  # noqa: ANN401 - the SDK's private callable types
    """The scope configurator of ``OTEL_PYTHON_{TRACER,METER,LOGGER}_CONFIGURATOR``, if one is named."""
    variable = f"OTEL_PYTHON_{kind.upper()}_CONFIGURATOR"
    name = variables.get(variable, "").strip()
    if not name:
        return None
    try:
        return _named(f"_opentelemetry_{kind}_configurator", name)
    except LookupError:
        report(Problem(variable, name, "the name of an installed configurator", "none", "environment"))
        return None


def _ratio(argument: str | None) -> float:
    try:
        ratio = 1.0 if argument is None else float(argument)
        if 0.0 <= ratio <= 1.0:
            return ratio
    except ValueError:
        pass
    report(Problem("traces_sampler_arg", argument, "a ratio from 0 to 1", "1.0", "OTEL_TRACES_SAMPLER_ARG or argument"))
    return 1.0


def _named(group: str, name: str) -> Any:  # noqa: ANN401 - whatever the package offers
    for entry in entry_points(group=group, name=name.strip()):
        return entry.load()
    raise LookupError(name)
