from __future__ import annotations

import logging
import logging.config
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver

Bot = Callable[..., subprocess.CompletedProcess[str]]


def bodies(receiver: OtlpReceiver) -> list[str]:
    """The text of every record received."""
    return [record.body.string_value for record in receiver.logs]


def test_wrong_format_arguments_do_not_raise(
    configured: Configure, receiver: OtlpReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """A format error is printed as the standard library prints it, and the next line is shipped."""
    handle = configured()
    root = logging.getLogger()
    others = [other for other in root.handlers if type(other).__name__ != "BridgeHandler"]
    for other in others:  # pytest's own handler would raise, as it should in tests
        root.removeHandler(other)
    try:
        logging.getLogger("bot").warning("px %d", "abc")
        logging.getLogger("bot").warning("px %d", 5)
    finally:
        for other in others:
            root.addHandler(other)
    assert handle.flush(5)
    assert bodies(receiver) == ["px 5"]
    assert "Logging error" in capsys.readouterr().err


def test_level_holds_for_export(configured: Configure, receiver: OtlpReceiver) -> None:
    """Records below log_level are not shipped."""
    handle = configured(log_level="ERROR")
    logging.getLogger("bot").warning("not this")
    logging.getLogger("bot").error("this")
    assert handle.flush(5)
    assert bodies(receiver) == ["this"]


def test_exceptions_carry_their_type_and_stack(configured: Configure, receiver: OtlpReceiver) -> None:
    """logger.exception ships type, message and stack trace."""
    handle = configured()
    try:
        raise ValueError("no such symbol")
    except ValueError:
        logging.getLogger("bot").exception("order failed")
    assert handle.flush(5)
    attributes = {attribute.key: attribute.value.string_value for attribute in receiver.logs[0].attributes}
    assert attributes["exception.type"] == "ValueError"
    assert attributes["exception.message"] == "no such symbol"
    assert "Traceback" in attributes["exception.stacktrace"]


@pytest.mark.parametrize(
    "setup",
    [
        'logging.basicConfig(level=logging.INFO, format="BOT %(message)s")',
        'logging.config.dictConfig({"version": 1, "root": {"level": "INFO", "handlers": ["h"]}, "formatters": '
        '{"f": {"format": "BOT %(message)s"}}, "handlers": {"h": '
        '{"class": "logging.StreamHandler", "formatter": "f"}}})',
    ],
)
@pytest.mark.parametrize("order", ["before", "after"])
def test_bots_own_logging_configuration_works_as_without_us(
    bot: Bot, receiver: OtlpReceiver, setup: str, order: str
) -> None:
    """basicConfig and dictConfig do what they always did, before and after configure(), and records are shipped."""
    call = "ot.configure(banner=False)"
    first, second = (setup, call) if order == "before" else (call, setup)
    run = bot(
        f"import logging, logging.config\nimport otel_trading as ot\n{first}\n{second}\n"
        "logging.getLogger('bot').info('hello')\nlogging.getLogger('bot').debug('not this')\n",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    assert run.stderr == "BOT hello\n"
    assert bodies(receiver) == ["hello"]


def test_bot_without_logging_configuration_still_sees_its_warnings(bot: Bot, receiver: OtlpReceiver) -> None:
    """Without any handler warnings go to standard error as ever, and records from INFO up are shipped."""
    run = bot(
        "import logging\nimport otel_trading as ot\not.configure(banner=False)\n"
        "logging.getLogger('bot').info('quiet')\nlogging.getLogger('bot').warning('loud')\n",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    assert run.stderr == "loud\n"
    assert sorted(bodies(receiver)) == ["loud", "quiet"]


def test_shutdown_leaves_logging_as_it_was(configured: Configure) -> None:
    """Handlers, level and configuration functions are the original ones again."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.basicConfig, logging.config.dictConfig)
    configured().shutdown()
    assert (list(root.handlers), root.level, logging.basicConfig, logging.config.dictConfig) == before
