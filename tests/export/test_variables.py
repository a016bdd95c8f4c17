from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from otel_trading.export.destination import SIGNALS, destination
from otel_trading.settings import resolve
from tests.export.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

_VALUES = {
    "ENDPOINT": "http://collector:4318/base",
    "PROTOCOL": "grpc",
    "HEADERS": "api-key=a%2Cb, team=arb",
    "COMPRESSION": "none",
    "TIMEOUT": "2500",
    "INSECURE": "true",
    "CERTIFICATE": "",
    "CLIENT_KEY": "",
    "CLIENT_CERTIFICATE": "",
}
"""Every variable of the OTLP exporter specification, with a value that is no default; files are the test's own."""


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder: Path = tmp_path_factory.mktemp("authority")
    authority = Authority(folder)
    certificate, key = authority.client
    return _VALUES | {"CERTIFICATE": authority.certificate, "CLIENT_CERTIFICATE": certificate, "CLIENT_KEY": key}


@pytest.mark.parametrize("kind", _VALUES)
@pytest.mark.parametrize("signal", [None, *SIGNALS])
def test_every_variable_of_the_specification_is_an_option(
    values: dict[str, str], kind: str, signal: str | None
) -> None:
    """For all signals, and for each."""
    variable = f"OTEL_EXPORTER_OTLP_{signal.upper()}_{kind}" if signal else f"OTEL_EXPORTER_OTLP_{kind}"
    resolved = resolve({}, variables={variable: values[kind]})
    option = f"{signal}_{kind.lower()}" if signal else kind.lower()
    assert resolved.problems == ()
    assert resolved.origins[option] == f"environment {variable}"
    assert getattr(resolved.settings, option) is not None


def test_variables_mean_what_the_specification_says(values: dict[str, str]) -> None:
    """Times are milliseconds, headers are percent-decoded, paths are added to the endpoint for all signals alone."""
    variables = {f"OTEL_EXPORTER_OTLP_{kind}": value for kind, value in values.items() if kind != "PROTOCOL"}
    variables["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"] = "http://logs:4318/as/it/is"
    variables["OTEL_EXPORTER_OTLP_LOGS_TIMEOUT"] = "100"
    resolved = resolve({}, variables=variables)
    traces, logs = destination(resolved, "traces"), destination(resolved, "logs")
    assert (traces.url, logs.url) == ("http://collector:4318/base/v1/traces", "http://logs:4318/as/it/is")
    assert (traces.timeout, logs.timeout) == (2.5, 0.1)
    assert traces.headers == {"api-key": "a,b", "team": "arb"}
    assert (traces.compression, traces.credentials.certificate) == ("none", values["CERTIFICATE"])
