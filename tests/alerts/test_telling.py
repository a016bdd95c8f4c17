"""When people are told, how often, and who."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.alerts.model import AlertLevel, AlertPayload
from tests.alerts.watched import Watched, said

if TYPE_CHECKING:
    from otel_trading.alerts.model import State


def firing(
    subject: str = "", level: str = "WARNING", rule: str = "edge", state: State = "firing", **fields: str
) -> AlertPayload:
    return AlertPayload(
        AlertLevel(level), f"{rule} {subject}", "", fields=fields, rule=rule, subject=subject, state=state
    )


def kinds(told: Any) -> list[str]:
    return [each.kind for each in told]


def test_the_same_is_told_once() -> None:
    """However often the bot says it, until it is over and comes again."""
    watched = Watched()
    for _ in range(5):
        watched.manager.fire(firing("a"))
        watched.after(10)
    assert list(said(watched.outbox.posted)) == [("first", "WARNING", "edge/a")]
    watched.manager.fire(firing("a", state="resolved"))
    watched.manager.fire(firing("a", state="resolved"))
    watched.manager.fire(firing("never told", state="resolved"))
    assert list(said(watched.after(10))) == [("resolved", "WARNING", "edge/a")]
    watched.manager.fire(firing("a"))
    assert kinds(watched.after(10)) == ["first"]


def test_what_comes_together_is_one_notification() -> None:
    """The first goes out at once, those of the next seconds together; what is critical does not wait."""
    watched = Watched()
    for place in range(4):
        watched.manager.fire(firing(f"{place}"))
    [first] = watched.look()
    assert len(first.others) == 3
    for place in range(4, 8):
        watched.manager.fire(firing(f"{place}"))
        assert watched.after(0.5) == []
    [rest] = watched.after(1.5)
    assert len(rest.others) == 3
    watched.manager.fire(firing("8", "CRITICAL"))
    watched.manager.fire(firing("9", rule="another"))
    assert [each.alert.subject for each in watched.look()] == ["8", "9"]
    for place in range(10):
        watched.manager.fire(firing(f"{place}", state="resolved"))
    watched.manager.fire(firing("9", rule="another", state="resolved"))
    told = watched.after(4)
    assert sorted(len(each.others) for each in told) == [0, 0, 7]
    assert all(each.kind == "resolved" for each in told)


def test_over_before_it_was_told_is_told_in_order() -> None:
    """What waits in a group goes out before its end does, and before it begins again."""
    watched = Watched()
    watched.manager.fire(firing("a"))
    watched.look()
    watched.manager.fire(firing("b"))
    watched.after(0.5)
    watched.manager.fire(firing("b", state="resolved"))
    assert list(said(watched.look())) == [("first", "WARNING", "edge/b"), ("resolved", "WARNING", "edge/b")]
    watched.manager.fire(firing("b"))
    watched.manager.fire(firing("b", state="resolved"))
    watched.manager.fire(firing("b"))
    told = list(said(watched.after(5)))
    assert [kind for kind, _, _ in told] == ["first"]


def test_escalation_goes_on_until_somebody_cares() -> None:
    """By the steps of the rule: further channels, a higher level; then reminders."""
    steps = [{"after": "30s", "channels": ["mail"]}, {"after": "1h", "level": "CRITICAL"}]
    watched = Watched(
        alerts_rules={"approaching_limits": {"escalation": steps, "channels": ["chat"]}}, alerts_reminder_interval=7_200
    )
    watched.manager.fire(firing("turnover", rule="approaching_limits"))
    [first] = watched.look()
    assert first.channels == ("log", "chat")
    assert watched.after(29) == []
    [second] = watched.after(2)
    assert (second.kind, second.channels, second.alert.level) == ("escalation", ("log", "chat", "mail"), "WARNING")
    assert watched.after(3_560, step=10) == []
    [third] = watched.after(30, step=10)
    assert (third.kind, third.alert.level) == ("escalation", "CRITICAL")
    [reminder] = watched.after(7_250, step=10)
    assert (reminder.kind, reminder.channels) == ("reminder", ("log", "chat", "mail"))
    assert watched.manager.acknowledge("approaching_limits/turnover", by="anna")
    assert watched.after(20_000, step=100) == []
    watched.manager.fire(firing("turnover", rule="approaching_limits", state="resolved"))
    [over] = watched.look()
    assert (over.kind, over.channels, over.alert.level) == ("resolved", ("log", "chat", "mail"), "CRITICAL")
    assert not watched.manager.acknowledge("approaching_limits/turnover")


def test_a_warning_of_the_requirements_reaches_the_pager_in_time() -> None:
    """Chat at once; the pager after the rule's own time: two minutes for silent data."""
    watched = Watched()
    watched.manager.fire(firing("binance", rule="stale_data"))
    [first] = watched.look()
    assert first.channels == ("log", "chat", "mail")
    assert watched.after(119) == []
    [second] = watched.after(2)
    assert (second.kind, second.alert.level, set(second.channels)) == (
        "escalation",
        "ERROR",
        {"log", "chat", "mail", "pager"},
    )


def test_flapping_is_damped() -> None:
    """What ends and begins again and again fires on, until it stays away for longer."""
    watched = Watched()
    bad = {"trading": None}
    watched.manager.rule("flaky", for_=0)(lambda _: "trading" in bad)
    told = []
    for _ in range(40):
        bad["trading"] = None
        told += watched.after(5)
        bad.pop("trading")
        told += watched.after(5)
    assert kinds(told) == ["first", "resolved", "first", "resolved", "first", *kinds(told)[5:]]
    assert len(told) <= 7
    bad.clear()
    assert kinds(watched.after(2_000, step=5)) == ["resolved"]


def test_silences() -> None:
    """Nobody is told as long as they hold; afterwards, if it still fires; that it is over is told to who was told."""
    watched = Watched()
    silence = watched.manager.silence("ed*", "b*", seconds=60, reason="known", by="anna")
    watched.manager.fire(firing("a"))
    watched.manager.fire(firing("b"))
    watched.manager.fire(firing("bc", state="event"))
    assert [key for _, _, key in said(watched.after(5))] == ["edge/a"]
    assert [each.id for each in watched.manager.silences()] == [silence.id]
    assert {alert.key for alert in watched.manager.active()} == {"edge/a", "edge/b"}
    assert list(said(watched.after(60))) == [("first", "WARNING", "edge/b")]
    assert watched.manager.silences() == []
    watched.manager.silence(level="WARNING")
    watched.manager.fire(firing("c", "ERROR"))
    watched.manager.fire(firing("d"))
    watched.manager.fire(firing("a", state="resolved"))
    watched.manager.fire(firing("d", state="resolved"))
    assert sorted(said(watched.after(5))) == [("first", "ERROR", "edge/c"), ("resolved", "WARNING", "edge/a")]
    [left] = watched.manager.silences()
    assert watched.manager.end_silence(left.id)
    assert not watched.manager.end_silence(left.id)


def test_silences_outlive_the_bot(tmp_path: Any) -> None:
    """In its state folder; a file that cannot be read costs nobody anything."""
    folder = str(tmp_path / "state")
    watched = Watched(alerts_folder=folder, service_name="my bot/1")
    watched.manager.silence("edge", seconds=3_600, reason="known")
    watched.manager.silence("short", seconds=10)
    watched.look()
    watched.manager._watch.store.close()
    [file] = (tmp_path / "state").iterdir()
    assert file.name == "my_bot_1.silences.json"
    again = Watched(watched.clock, alerts_folder=folder, service_name="my bot/1")
    again.clock.advance(60)
    again.look()
    again.manager._watch.store._aside.join(5)
    again.look()
    assert [(each.rule, each.reason) for each in again.manager.silences()] == [("edge", "known")]
    again.manager.fire(firing("a"))
    assert again.after(5) == []
    again.manager._watch.store.close()
    file.write_text("{}[")
    third = Watched(watched.clock, alerts_folder=folder, service_name="my bot/1")
    third.look()
    third.manager._watch.store._aside.join(5)
    third.look()
    assert third.manager.silences() == []


def test_more_than_people_read_is_one_digest() -> None:
    """Half a minute of everything at once: the first notifications, and then how many more."""
    watched = Watched(alerts_rate=5, alerts_group_interval=0)
    for place in range(12):
        watched.manager.fire(firing("", rule=f"rule_{place:02}"))
    told = watched.look()
    assert len(told) == 5
    watched.manager.fire(firing("x", "CRITICAL"))
    assert [each.alert.level for each in watched.after(5)] == ["CRITICAL"]
    told = watched.after(60)
    [digest] = [each for each in told if each.alert.rule == "alerts_held_back"]
    assert digest.alert.title == "7 more alerts in the last minute"
    assert digest.alert.message.startswith("rule_0")
    assert digest.alert.fields == {"count": "7"}
    assert len(digest.others) == 7
    for place in range(12):
        watched.manager.fire(firing("", rule=f"rule_{place:02}", state="resolved"))
    assert kinds(watched.after(2)) == ["resolved"] * 5


def test_moments_that_repeat_are_counted() -> None:
    """Told at once, then how often more, as long as it goes on."""
    watched = Watched()
    told = []
    for _ in range(100):
        watched.manager.error("No price", "from the oracle", venue="kraken")
        told += watched.after(1)
    told += watched.after(200)
    assert kinds(told) == ["first", "reminder", "reminder"]
    assert [each.alert.fields.get("times") for each in told] == [None, "60", "39"]
    assert told[0].alert.fields == {"venue": "kraken"}
    watched.manager.info("Started")
    watched.manager.info("Stopped")
    assert [(each.alert.title, each.channels) for each in watched.look()] == [
        ("Started", ("log", "chat")),
        ("Stopped", ("log", "chat")),
    ]


def test_a_rule_can_stop_trading() -> None:
    """At once and once, whether people are told or not."""
    watched = Watched(alerts_rules={"edge_gone": {"stop": True}})
    watched.manager.silence()
    watched.manager.rule("edge_gone", level="ERROR", title="No edge")(lambda _: True)
    assert watched.after(10) == []
    assert watched.stops == ["edge_gone: No edge"]


def test_own_rules() -> None:
    """A function says whether something holds, in words, or for what; the configuration has the last word."""
    watched = Watched(alerts_rules={"slow": {"threshold": 5, "level": "critical", "channels": "mail"}})
    value: dict[str, Any] = {"slow": False}

    @watched.manager.rule("slow", level="WARNING", for_=10, title="It is slow", runbook="https://wiki/slow")
    def slow(view: Any) -> Any:
        if value["slow"] == "raise":
            raise ZeroDivisionError
        return value["slow"]

    assert watched.after(30) == []
    value["slow"] = ["binance", "kraken"]
    assert watched.after(9) == []
    [told] = watched.after(2)
    assert (told.alert.level, told.alert.title, told.channels) == ("CRITICAL", "It is slow", ("log", "mail"))
    assert told.alert.fields == {"subject": "binance", "runbook": "https://wiki/slow"}
    assert len(told.others) == 1
    value["slow"] = "raise"
    assert watched.after(30) == []
    assert len(watched.manager.active()) == 2
    value["slow"] = ""
    assert kinds(watched.after(1)) == ["resolved"]


def test_routes() -> None:
    """The first that fits decides; the channels of a rule itself come before."""
    watched = Watched(
        alerts_routes=[
            {"rule": "loss_*", "channels": ["pager", "chat"]},
            {"level": "critical", "channels": "pager"},
            {"channels": ["mail"]},
        ],
        alerts_rules={"stale_data": {"channels": ["chat"]}},
    )
    for rule, level in (("loss_limit", "INFO"), ("edge", "CRITICAL"), ("edge2", "ERROR"), ("stale_data", "CRITICAL")):
        watched.manager.fire(firing(rule=rule, level=level))
    assert {each.alert.rule: each.channels for each in watched.look()} == {
        "loss_limit": ("log", "pager", "chat"),
        "edge": ("log", "pager"),
        "edge2": ("log", "mail"),
        "stale_data": ("log", "chat"),
    }


def test_what_cannot_be_used_is_said() -> None:
    """One clear message each; the default holds."""
    watched = Watched(
        alerts_rules={
            "high_latency": {"threshold": "fast", "for": -1, "treshold": 3, "level": "LOUD"},
            "stale_dat": {"threshold": 3},
            "my_own": {"threshold": 3},
            "low_fill_rate": 7,
            "limit_breach": {"channels": ["pagr"], "severe": "x"},
        },
        alerts_routes=[{"level": "HIGH", "channels": ["chat"]}, {"chanels": ["chat"]}, {"channels": ["mial"]}],
    )
    text = "\n".join(watched.problems)
    for part in (
        "alerts_rules.high_latency.threshold='fast' (settings) is not usable; allowed: a number, or a time such as",
        "using 2.0",
        "alerts_rules.high_latency.for=-1",
        "alerts_rules.high_latency.treshold is no setting of the rule (did you mean threshold?); ignored",
        "alerts_rules.high_latency.level='LOUD'",
        "alerts_rules.stale_dat is no rule (did you mean stale_data?)",
        "alerts_rules.low_fill_rate=7",
        "alerts_rules.limit_breach: there is no channel pagr (did you mean pager?); nobody is told there",
        "alerts_rules.limit_breach.severe='x'",
        "alerts_routes[0]=",
        "alerts_routes[1]=",
        "alerts_routes[2]: there is no channel mial (did you mean mail?)",
    ):
        assert part in text
    assert "my_own" not in text
    assert len(watched.problems) == 11
    [rule] = [rule for rule in watched.manager.rules() if rule.name == "high_latency"]
    assert (rule.threshold, rule.for_, rule.level) == (2.0, 120.0, "WARNING")


def test_rules_change_while_they_fire() -> None:
    """One that is switched off is over; one that stays fires on."""
    watched = Watched()
    watched.manager.rule("always")(lambda _: True)
    watched.manager.rule("still")(lambda _: True)
    assert len(list(said(watched.after(5)))) == 2
    watched.use(alerts_rules={"always": False, "still": {"level": "ERROR"}})
    assert sorted(said(watched.after(5))) == [("escalation", "ERROR", "still"), ("resolved", "WARNING", "always")]


def test_tests_go_to_each_channel() -> None:
    """Or to the one that is named."""
    watched = Watched()
    assert watched.manager.test() == ("log", "chat", "pager", "mail")
    assert {(each.kind, each.channels) for each in watched.outbox.posted} == {
        ("test", (name,)) for name in ("log", "chat", "pager", "mail")
    }
    assert watched.manager.test("mail") == ("mail",)
    assert len({each.id for each in watched.outbox.posted}) == 5


def test_memory_is_bounded() -> None:
    """A rule that finds something new each time fills no memory, and what fires is still told."""
    watched = Watched()
    watched.manager.rule("wild")(lambda _: [f"{place}" for place in range(5_000)])
    watched.after(1)
    assert watched.manager._watch.engine.overflow > 0
    assert len(watched.manager.active()) == 2_000
    assert len(watched.manager.recent()) == 1_000
