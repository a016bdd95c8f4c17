"""What the rows of the table of options are made of: types, allowed values, and the variables of each signal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from otel_trading.settings import parse

Profile = Literal["development", "staging", "production"]
Exporters = tuple[str, ...]
Texts = tuple[str, ...] | list[str]
"""Texts that may have commas in them."""
Parser = Callable[[str], object]
EnvNames = tuple[str | tuple[str, Parser], ...]

NAME = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
URL = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(parse.collector_url)]
TRUSTED = Annotated[str, BeforeValidator(str), AfterValidator(parse.authorities)]
OWN = Annotated[str, BeforeValidator(str), AfterValidator(parse.pem_file)]
MS = parse.seconds_from_milliseconds


def option(
    default: object,
    documentation: str,
    *,
    allowed: str,
    env: EnvNames = (),
    secret: bool = False,
    restart: bool = False,
    **constraints: Any,  # noqa: ANN401 - handed to pydantic as it is
) -> Any:  # noqa: ANN401 - the field's annotation says the type
    """One row of the table; ``env`` names standard variables, with a parser where their unit or form differs.

    What needs a ``restart`` holds from the first ``configure()`` to the end of the process.
    """
    extra: Any = {"allowed": allowed, "env": env, "secret": secret, "restart": restart}
    return Field(default, description=documentation, json_schema_extra=extra, repr=not secret, **constraints)


def per_signal(kind: str, parser: Parser | None = None) -> dict[str, EnvNames]:
    names = {signal: f"OTEL_EXPORTER_OTLP_{signal.upper()}_{kind}" for signal in ("traces", "metrics", "logs")}
    return {signal: ((name, parser) if parser else name,) for signal, name in names.items()}


ENDPOINT, PROTOCOL, HEADERS = per_signal("ENDPOINT"), per_signal("PROTOCOL"), per_signal("HEADERS")
TIMEOUT, COMPRESSION = per_signal("TIMEOUT", MS), per_signal("COMPRESSION")
CERTIFICATE, INSECURE = per_signal("CERTIFICATE"), per_signal("INSECURE")
CLIENT_KEY, CLIENT_CERTIFICATE = per_signal("CLIENT_KEY"), per_signal("CLIENT_CERTIFICATE")

EXPORTERS = "a comma separated list of exporters (otlp, console, none, or the name of an installed one)"
A_URL = "an http or https URL with a port up to 65535, such as http://127.0.0.1:4318"
ANY_TEXT = "text"
SWITCH = "true or false"
PORT = "a port from 0 (any free one) to 65535"
SECONDS = "a number above 0 (seconds; the OTEL_ variable counts milliseconds)"
COUNT = "a whole number above 0"
PEM = "a readable file in PEM"
PAIRS = "key=value pairs, comma separated"
PROTOCOLS = "http/protobuf or grpc"
COMPRESSIONS = "gzip, deflate (http/protobuf only) or none"
A_TIME = "a number above 0 (seconds)"
SAMPLING = "a number from 1 up (seconds)"
A_LIMIT = "a number from 0 up; 0 is no limit"
SOME_TEXTS = "a list; in a variable one a line, or JSON"
LEVEL = "DEBUG, INFO, WARNING, ERROR or CRITICAL"

Protocol = Literal["http/protobuf", "grpc"]
Compression = Literal["gzip", "deflate", "none"]
Headers = dict[str, str]
Tables = Annotated[dict[str, Any], BeforeValidator(parse.from_json)]
"""Tables by name, as configuration files have them; in a variable JSON."""
Rows = Annotated[tuple[dict[str, Any], ...], BeforeValidator(parse.from_json)]
"""Tables, one after the other; in a variable JSON."""
Port = Annotated[int, Field(ge=0, le=65_535)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
Sampling = Annotated[float, Field(ge=1, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Series = Annotated[int, Field(ge=2)]
FromZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]
