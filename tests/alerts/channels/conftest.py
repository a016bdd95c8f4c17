from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.alerts.delivery import Outbox
from otel_trading.alerts.model import AlertLevel, AlertPayload, Notification
from otel_trading.ops.thread import OpsThread
from tests.alerts.channels import services
from tests.alerts.channels.services import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from otel_trading.alerts.channels import Channel
    from otel_trading.alerts.record import Delivery


class Recorder:
    """Stands for the bot's logger: what is logged is kept."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Callable[..., None]:
        def write(message: str, **data: Any) -> None:
            self.lines.append((level, message, data))

        return write

    def of(self, event: str) -> list[str]:
        return [message for _, message, data in self.lines if data.get("event") == event]


def wait_until(holds: Callable[[], Any], timeout: float = 30.0) -> None:
    """Wait generously."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def alert(title: str = "feed is stale", level: str = "WARNING", **more: Any) -> AlertPayload:
    values: dict[str, Any] = {"message": "no update for 31 s", "rule": "stale_data", "subject": "binance"} | more
    return AlertPayload(AlertLevel(level), title, **values)


def told(payload: AlertPayload, *channels: str, kind: Any = "first", number: str = "") -> Notification:
    return Notification(payload, channels, kind, id=number)


class Desk:
    """An outbox on an ops thread, with channels that it was given."""

    def __init__(self, channels: tuple[Channel, ...], folder: Path, service: str = "basis-bot", **options: Any) -> None:
        self.log = Recorder()
        self.outbox = Outbox(lambda: self.log, **options)  # type: ignore[arg-type,return-value]
        self.outbox.use(channels, service, str(folder))
        self.thread = OpsThread()

    def open(self) -> Desk:
        self.outbox.housed(housed=True)
        self.thread.house([self.outbox])
        return self

    def close(self) -> None:
        assert self.thread.close(10)
        self.outbox.close()

    def post(self, payload: AlertPayload, *channels: str, kind: Any = "first", number: str = "") -> None:
        names = channels or tuple(status.name for status in self.outbox.channels())
        self.outbox.post(told(payload, *names, kind=kind, number=number))

    def outcomes(self, channel: str) -> list[str]:
        return [each.outcome for each in reversed(self.outbox.deliveries()) if each.channel == channel]

    def last(self, channel: str) -> Delivery:
        return next(each for each in self.outbox.deliveries() if each.channel == channel)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Give opened outboxes, closed at the end."""
    opened: list[Desk] = []

    def make(*channels: Channel, folder: Path | None = None, **options: Any) -> Desk:
        opened.append(Desk(channels, folder or tmp_path / "alerts", **options).open())
        wait_until(lambda: opened[-1].outbox._office is not None)
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def serve() -> Iterator[Callable[[str], Service]]:
    """Give servers by the service's name; nothing wrong was asked of them when the test ends."""
    with ExitStack() as stack:
        begun: list[Service] = []

        def start(name: str) -> Service:
            begun.append(stack.enter_context(Service(getattr(services, name))))
            return begun[-1]

        yield start
    assert [wrong for service in begun for wrong in service.wrong] == []
