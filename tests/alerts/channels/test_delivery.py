"""The outbox: order, floods, restarts, the end of the bot."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from otel_trading.alerts.channels import Custom, PagerDuty, Slack, Telegram, Webhook
from otel_trading.alerts.delivery import Outbox
from otel_trading.alerts.model import AlertLevel
from otel_trading.testing import capture
from tests.alerts.channels.conftest import Desk, Recorder, alert, told, wait_until
from tests.alerts.channels.services import ROUTING_KEY, SLACK_PATH, TELEGRAM_TOKEN, hang
from tests.forks import in_child

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.alerts.channels.services import Service


def slack(server: Service, **more: Any) -> Slack:
    return Slack(name="desk", webhook_url=server.url + SLACK_PATH, **more)


def test_log_is_told_first_and_without_channels(desk: Callable[..., Desk]) -> None:
    """The caller has written the line when posting returns; nobody else is needed."""
    opened = desk()
    opened.outbox.post(told(alert("venue is gone", "ERROR", fields={"venue": "kraken"})))
    (line,) = opened.log.lines
    assert line[0] == "error"
    assert line[1] == "alert venue is gone: no update for 31 s"
    assert line[2]["event"] == "alert.told"
    assert (line[2]["venue"], line[2]["alert"], line[2]["alert_level"]) == ("kraken", "stale_data/binance", "error")
    assert opened.outcomes("log") == ["sent"]


def test_log_is_the_error_stream_when_telemetry_is_off(caplog: pytest.LogCaptureFixture) -> None:
    """An alert is never nowhere."""
    Outbox(lambda: None).post(told(alert("venue is gone", "CRITICAL")))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("CRITICAL", "otel-trading: alert venue is gone: no update for 31 s")
    ]


def test_levels_of_channels_hold(serve: Callable[[str], Service], desk: Callable[..., Desk]) -> None:
    """A channel is told from its level on, and of tests."""
    server = serve("slack")
    opened = desk(slack(server, level="ERROR"))
    opened.post(alert("small", "WARNING"))
    opened.post(alert("big", "ERROR"))
    opened.post(alert("try", "INFO"), kind="test")
    wait_until(lambda: len(opened.outcomes("desk")) == 2)
    assert [body["text"] for body in server.taken] == ["🔴 *ERROR: big*", "🧪 *INFO, test: try*"]


def test_unknown_channel_is_told_of_once(desk: Callable[..., Desk], caplog: pytest.LogCaptureFixture) -> None:
    """A route to nowhere is one message, not a flood."""
    opened = desk()
    for _ in range(3):
        opened.post(alert(), "dsek")
    assert [record.getMessage() for record in caplog.records] == [
        "otel-trading: alerts: there is no channel 'dsek'; known: log"
    ]


def test_important_first_and_each_alert_in_order(serve: Callable[[str], Service], desk: Callable[..., Desk]) -> None:
    """While a channel cannot be told, what waits is sorted; an alert's end never comes before its beginning."""
    server = serve("webhook")
    server.always = 503
    opened = desk(Webhook(name="hook", url=server.url))
    opened.post(alert("info", "INFO", subject="1"))
    wait_until(lambda: server.seen)
    opened.post(alert("warning", subject="2"))
    opened.post(alert("critical", "CRITICAL", subject="3"))
    opened.post(alert("critical", "CRITICAL", subject="3", state="resolved"), kind="resolved")
    server.always = None
    wait_until(lambda: len(server.taken) == 4)
    titles = [(body["title"], body["kind"]) for body in server.taken]
    assert (
        titles.index(("critical", "first"))
        < titles.index(("critical", "resolved"))
        < titles.index(("warning", "first"))
    )


def test_flood_becomes_a_digest_and_nothing_is_lost_silently(
    serve: Callable[[str], Service], desk: Callable[..., Desk]
) -> None:
    """400 alerts are a few messages, which say how many there are; what is critical has one of its own."""
    server = serve("telegram")
    began = time.monotonic()
    opened = desk(Telegram(name="phone", bot_token=TELEGRAM_TOKEN, chat_id=("-1",), api_url=server.url, per_minute=600))
    for count in range(400):
        rule = "stale_data" if count % 3 else "high_latency"
        opened.post(alert(f"n {count}", rule=rule, subject=str(count)))
    opened.post(alert("venue is gone", "CRITICAL", subject="x"))
    wait_until(lambda: len(opened.outcomes("phone")) >= 401 and all(s.waiting == 0 for s in opened.outbox.channels()))
    texts = [body["text"] for body in server.taken]
    assert len(texts) <= Telegram.rate.burst + 10 * (time.monotonic() - began)
    assert sum("CRITICAL: venue is gone" in text for text in texts) == 1
    digests = [text for text in texts if " more: " in text]
    counted = sum(int(text.split("WARNING: ")[1].split(" more")[0]) for text in digests)
    single = sum("WARNING: n " in text for text in texts)
    assert single + counted == 400
    outcomes = opened.outcomes("phone")
    assert outcomes.count("suppressed") == counted


def test_pauses_are_kept(serve: Callable[[str], Service], desk: Callable[..., Desk]) -> None:
    """While a service asks for a pause nothing is sent, however important."""
    server = serve("slack")
    server.faults.append((429, {"Retry-After": "1"}))
    opened = desk(slack(server))
    began = time.monotonic()
    opened.post(alert("one", "CRITICAL"))
    wait_until(lambda: len(server.seen) == 1)
    opened.post(alert("two", "CRITICAL", subject="2"))
    wait_until(lambda: opened.outcomes("desk") == ["sent", "sent"])
    assert time.monotonic() - began >= 0.9
    assert len(server.seen) == 3


def test_acknowledgement_reaches_pagerduty(serve: Callable[[str], Service], desk: Callable[..., Desk]) -> None:
    """Who has no word for it hears nothing."""
    server, other = serve("pagerduty"), serve("slack")
    pager = PagerDuty(name="pager", routing_key=ROUTING_KEY, api_url=server.url + "/v2/enqueue")
    opened = desk(pager, slack(other))
    opened.post(alert(level="CRITICAL"), "pager")
    opened.outbox.acknowledged(alert(level="CRITICAL"))
    wait_until(lambda: len(server.taken) == 2)
    assert [body["event_action"] for body in server.taken] == ["trigger", "acknowledge"]
    assert server.taken[0]["dedup_key"] == server.taken[1]["dedup_key"]
    wait_until(lambda: opened.last("pager").kind == "acknowledged")
    assert other.seen == []


def test_channels_of_the_bot_are_told(desk: Callable[..., Desk]) -> None:
    """A coroutine or a function that blocks, both in their own way; one that raises is asked again."""
    got: list[str] = []

    class Own:
        name = "own"

        async def send(self, payload: Any) -> None:
            got.append(payload.title)
            if len(got) == 1:
                raise ConnectionError("token=abcdefghijklmnop1234")

    class Blocking:
        def send(self, payload: Any) -> None:
            got.append(threading.current_thread().name)

    opened = desk()
    opened.outbox.add(Custom(name="own", channel=Own()))
    opened.outbox.add(Custom(name="blocking", channel=Blocking()))
    opened.post(alert("hello"), "own", "blocking")
    wait_until(lambda: opened.outcomes("own") == ["sent"] and opened.outcomes("blocking") == ["sent"])
    assert sorted(got) == ["hello", "hello", "otel-alerts-custom"]
    opened.outbox.use([], "basis-bot")
    assert {status.name for status in opened.outbox.channels()} == {"own", "blocking"}


def test_reconfiguration_keeps_what_waits(serve: Callable[[str], Service], desk: Callable[..., Desk]) -> None:
    """The same channel goes on; one under another address takes over; one that is gone says what it had."""
    old, new = serve("webhook"), serve("webhook")
    old.always = 503
    opened = desk(Webhook(name="hook", url=old.url), Webhook(name="gone", url=old.url))
    opened.post(alert("kept"))
    wait_until(lambda: len(old.seen) >= 2)
    opened.outbox.use([Webhook(name="hook", url=new.url)], "basis-bot")
    wait_until(lambda: opened.outcomes("hook") == ["sent"])
    assert [body["title"] for body in new.taken] == ["kept"]
    assert opened.outcomes("gone") == ["failed"]


def test_flush_waits_only_while_something_can_happen(
    serve: Callable[[str], Service], desk: Callable[..., Desk]
) -> None:
    """What goes out in time is waited for; a service that asked for ten minutes is not."""
    server = serve("slack")
    opened = desk(slack(server))
    opened.post(alert("one"))
    assert opened.outbox.flush(30)
    assert len(server.taken) == 1
    server.faults.append((429, {"Retry-After": "600"}))
    opened.post(alert("two"))
    wait_until(lambda: opened.outbox.channels()[0].failing)
    began = time.monotonic()
    assert not opened.outbox.flush(30)
    assert time.monotonic() - began < 15


def test_end_of_the_bot_says_what_was_not_told(serve: Callable[[str], Service], tmp_path: Path) -> None:
    """What waits at the end is a line in the log."""
    server = serve("slack")
    server.faults.append((503, {"Retry-After": "600"}))
    ending = Desk((slack(server),), tmp_path).open()
    ending.outbox.post(told(alert("lost"), "desk"))
    wait_until(lambda: ending.outbox.channels() and ending.outbox.channels()[0].failing)
    ending.close()
    (line,) = ending.log.of("alert.undelivered")
    assert line.startswith("alert not delivered: lost (desk: 503")


def test_end_of_the_bot_is_no_flood(serve: Callable[[str], Service], tmp_path: Path) -> None:
    """Of many that wait a few have lines of their own, the others one together."""
    server = serve("webhook")
    server.faults.append((503, {"Retry-After": "600"}))
    ending = Desk((Webhook(name="hook", url=server.url),), tmp_path).open()
    for count in range(60):
        ending.outbox.post(told(alert(f"n {count}", subject=str(count)), "hook"))
    wait_until(lambda: ending.outbox.channels() and ending.outbox.channels()[0].failing)
    ending.close()
    lines = ending.log.of("alert.undelivered")
    assert len(lines) == 6
    assert lines[-1] == "55 more alerts not delivered, as the bot ended first: 55 stale_data"


def test_critical_alerts_survive_the_bot(
    serve: Callable[[str], Service], desk: Callable[..., Desk], tmp_path: Path
) -> None:
    """The next start tells what this one could not, in order, once; the file is the user's own and holds no secret."""
    server = serve("slack")
    server.faults.append((429, {"Retry-After": "600"}))
    folder = tmp_path / "alerts"
    one = Desk((slack(server),), folder).open()
    secret = "xoxb-1234567890-abcdefghijklmnopqrstu"
    one.outbox.post(told(alert("breach", "CRITICAL", message=f"token={secret}"), "desk", number="n-1"))
    one.outbox.post(told(alert("small"), "desk"))
    wait_until(lambda: '"failed"' in "".join(path.read_text() for path in folder.glob("*.jsonl")))
    (file,) = folder.glob("*.jsonl")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
    text = file.read_text()
    assert secret not in text
    assert "sEcReT" not in text
    one.close()
    two = desk(slack(server), folder=folder)
    wait_until(lambda: two.outcomes("desk") == ["sent"])
    assert [body["text"] for body in server.taken] == ["🚨 *CRITICAL: breach*"]
    three = desk(slack(server), folder=folder)
    three.post(alert("new"))
    wait_until(lambda: three.outcomes("desk") == ["sent"])
    assert len(server.taken) == 2


KILLED = """
import sys, time
from otel_trading.alerts.channels import Slack, Webhook
from tests.alerts.channels.conftest import Desk, alert, told
from pathlib import Path
slack, hook = sys.argv[1], sys.argv[2]
channels = (Slack(name="desk", webhook_url=slack, timeout=60), Webhook(name="hook", url=hook, timeout=60))
opened = Desk(channels, Path(sys.argv[3])).open()
opened.outbox.post(told(alert("breach", "CRITICAL"), "desk", "hook", number="n-1"))
time.sleep(600)
"""


def test_killed_while_it_was_told(serve: Callable[[str], Service], desk: Callable[..., Desk], tmp_path: Path) -> None:
    """After kill -9: a service that knows ids is told again, of the other one the log says that nobody knows."""
    chat, hook = serve("slack"), serve("webhook")
    chat.always = hook.always = hang
    arguments = [chat.url + SLACK_PATH, hook.url, str(tmp_path / "alerts")]
    with subprocess.Popen([sys.executable, "-c", KILLED, *arguments]) as bot:
        wait_until(lambda: chat.seen and hook.seen, 60)
        bot.send_signal(signal.SIGKILL)
    chat.always = hook.always = None
    opened = desk(slack(chat), Webhook(name="hook", url=hook.url))
    wait_until(lambda: opened.outcomes("hook") == ["sent"])
    assert [body["id"] for body in hook.taken] == ["n-1"]
    assert opened.outcomes("desk") == ["uncertain"]
    assert chat.taken == []
    assert opened.log.of("alert.undelivered")[0].startswith("alert perhaps not delivered: breach")


def test_files_of_others_and_torn_ones_do_no_harm(desk: Callable[..., Desk], tmp_path: Path) -> None:
    """A file that somebody wrote into, or that the end of the process tore, costs what cannot be read."""
    folder = tmp_path / "alerts"
    folder.mkdir(0o700)
    (folder / "basis-bot.1.jsonl").write_text('{"what": "post"}\n[1]\n{"what": "done", "id": "x", "channels": 5}\n{"wh')
    (folder / "other.1.jsonl").write_text("kept")
    opened = desk()
    wait_until(lambda: not (folder / "basis-bot.1.jsonl").exists())
    assert (folder / "other.1.jsonl").read_text() == "kept"
    opened.post(alert())


def test_disk_that_cannot_be_written_costs_the_file_only(
    serve: Callable[[str], Service], desk: Callable[..., Desk], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Alerts go out; one message says what does not work."""
    server = serve("slack")
    (tmp_path / "alerts").write_text("a file where the folder should be")
    opened = desk(slack(server))
    for count in range(3):
        opened.post(alert(f"n {count}", "CRITICAL", subject=str(count)))
    wait_until(lambda: len(server.taken) == 3)
    said = [record.getMessage() for record in caplog.records if "outlive" in record.getMessage()]
    assert len(said) == 1


def test_forked_child_has_an_outbox_of_its_own(serve: Callable[[str], Service], desk: Callable[..., Desk]) -> None:
    """What waits is told by the parent alone."""
    server = serve("slack")
    server.always = 503
    opened = desk(slack(server))
    opened.post(alert("parent's", "CRITICAL"))
    wait_until(lambda: server.seen)

    def child() -> None:
        opened.outbox.restart_in_child()
        assert opened.outbox.channels()[0].waiting == 0
        opened.thread.restart_in_child()
        opened.outbox.post(told(alert("child's"), "desk"))
        opened.open()
        wait_until(lambda: opened.outcomes("desk") == ["sent"], 60)
        opened.thread.close(5)

    server.always = None
    in_child(child)
    wait_until(lambda: len(server.taken) == 2)
    assert sorted(body["text"] for body in server.taken) == ["⚠️ *WARNING: child's*", "🚨 *CRITICAL: parent's*"]


def test_posting_never_raises(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it is handed."""
    outbox = Outbox()
    outbox.post(None)  # type: ignore[arg-type]
    outbox.post(told(alert(fields={1: object()})))
    assert "cannot be posted" in caplog.records[0].getMessage()
    assert outbox.deliveries()[0].outcome == "sent"


def test_deliveries_are_measured(serve: Callable[[str], Service], desk: Callable[..., Desk]) -> None:
    """By level, channel and outcome; and how long it took."""
    server = serve("slack")
    with capture() as telemetry:
        opened = desk(slack(server))
        opened.outbox.measure(telemetry.meter)
        opened.post(alert())
        wait_until(lambda: opened.outcomes("desk") == ["sent"])
        told_to = {"trading.alert.level": "warning", "trading.alert.outcome": "sent"}
        count = telemetry.metrics["trading.alert.notifications"]
        assert count(**told_to, **{"trading.alert.channel": "log"}).value == 1
        assert count(**told_to, **{"trading.alert.channel": "desk"}).value == 1
        duration = telemetry.metrics["trading.alert.delivery.duration"]
        assert duration(**{"trading.alert.channel": "desk"}).count == 1


def test_deliveries_are_bounded() -> None:
    """The newest are kept, the newest first."""
    outbox = Outbox(Recorder)  # type: ignore[arg-type]
    for count in range(1_200):
        outbox.post(told(alert(subject=str(count))))
    assert len(outbox.deliveries()) == 1_000
    assert outbox.deliveries()[0].key == "stale_data/1199"
    assert outbox.deliveries()[0].level is AlertLevel.WARNING
