"""The options of shutting down."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator
from pydantic_settings import BaseSettings

from otel_trading.settings import parse
from otel_trading.settings.rows import A_TIME, NAME, SWITCH, Count, Exporters, FromZero, Positive, option


class Ending(BaseSettings):
    """How a block of ``telemetry.running(...)`` ends, and where the bot keeps its state."""

    ending_timeout: Positive = option(
        25.0,
        "Longest time from the wish to stop to the end of it, all steps and telemetry's delivery (shutdown_timeout) "
        "within it; Kubernetes kills after 30 s, Docker after 10 s unless told otherwise.",
        allowed=A_TIME,
    )
    ending_step_timeout: Positive = option(
        10.0, "Longest time of a step that has no timeout of its own.", allowed=A_TIME
    )
    ending_grace: FromZero = option(
        5.0,
        "Time that a block which looks at run.should_stop, or waits for run.wait_stop(), has to end by itself; others "
        "are cancelled at once.",
        allowed="a number from 0 up (seconds)",
    )
    ending_hurry: Positive = option(2.0, "What is left of the time after a second signal.", allowed=A_TIME)
    ending_close_positions: bool = option(
        False, "Whether the step close_positions is done, or left out.", allowed=SWITCH
    )
    ending_signals: Annotated[Exporters, AfterValidator(parse.stopping_signals)] = option(
        ("SIGTERM", "SIGINT"),
        "The signals that end the block in order.",
        allowed="a comma separated list of SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2",
    )
    ending_exit: Literal["signal", "zero", "return"] = option(
        "signal",
        "How the process goes on when a signal ended the block: it unwinds and ends by that signal, it unwinds and "
        "ends with status 0, or the block returns.",
        allowed="signal, zero or return",
    )
    ending_report: bool = option(True, "Whether a report of the steps is printed at the end.", allowed=SWITCH)
    state_file: NAME | None = option(
        None,
        "Where telemetry.state keeps the bot's state; without it <state folder>/otel-trading/state/<service>.json.",
        allowed="the path of a file",
    )
    state_keep: Count = option(3, "Older states that are kept beside the newest.", allowed="a whole number above 0")
