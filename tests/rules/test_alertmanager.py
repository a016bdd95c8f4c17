"""Who is told: Alertmanager's configuration, its secrets, and what the stack makes of both."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from otel_trading.provisioning.rules.alertmanager import configuration
from otel_trading.provisioning.rules.maintenance import windows
from otel_trading.stack import Ports
from otel_trading.stack.alerting import for_containers, write_alertmanager, write_provisioning, write_rules
from otel_trading.stack.binaries import cache_directory, find_tool
from otel_trading.stack.components import Site
from otel_trading.stack.errors import StackError
from otel_trading.stack.files import config_file

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = {
    "ALERT_SLACK_WEBHOOK_URL": "https://hooks.example.com/secret-slack",
    "ALERT_TELEGRAM_BOT_TOKEN": "123:secret-telegram",
    "ALERT_TELEGRAM_CHAT_ID": "-1001",
    "ALERT_DISCORD_WEBHOOK_URL": "https://discord.example.com/secret-discord",
    "ALERT_PAGERDUTY_ROUTING_KEY": "secret-pagerduty",
    "ALERT_EMAIL_TO": "desk@example.com",
    "ALERT_EMAIL_FROM": "bot@example.com",
    "ALERT_SMTP_HOST": "mail.example.com:587",
    "ALERT_SMTP_USERNAME": "bot",
    "ALERT_SMTP_PASSWORD": "secret-smtp",
    "ALERT_WEBHOOK_URL": "https://hook.example.com/secret-hook",
    "ALERT_WEBHOOK_TOKEN": "secret-token",
    "ALERT_WATCHDOG_URL": "https://watch.example.com/secret-watchdog",
}


def receivers(environment: dict[str, str]) -> dict[str, set[str]]:
    found = yaml.safe_load(configuration(environment).text)["receivers"]
    return {each["name"]: set(each) - {"name"} for each in found}


def test_nobody_is_told_until_a_variable_is_set() -> None:
    """The committed file has routes and no channel."""
    assert receivers({}) == {name: set() for name in ("nobody", "critical", "warning", "info", "watchdog")}


def test_a_channel_is_there_when_its_variables_are() -> None:
    """One, and all."""
    assert receivers({"ALERT_DISCORD_WEBHOOK_URL": "https://d.example.com"})["warning"] == {"discord_configs"}
    everything = receivers(EVERYTHING)
    chats = {"slack_configs", "telegram_configs", "discord_configs", "webhook_configs"}
    assert everything["critical"] == chats | {"pagerduty_configs", "email_configs"}
    assert everything["warning"] == everything["info"] == chats
    assert everything["watchdog"] == {"webhook_configs"}
    assert everything["nobody"] == set()


def test_no_secret_is_in_the_configuration() -> None:
    """They are in files of their own."""
    made = configuration(EVERYTHING)
    assert "secret-" not in made.text
    assert "secret-" not in repr(made)
    assert set(made.secrets) == {
        *("slack", "telegram", "discord", "pagerduty", "email", "webhook", "webhook-token", "watchdog"),
    }


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ALERT_TELEGRAM_BOT_TOKEN": "1:a"}, "ALERT_TELEGRAM_CHAT_ID='' is not allowed"),
        ({"ALERT_TELEGRAM_BOT_TOKEN": "1:a", "ALERT_TELEGRAM_CHAT_ID": "@me"}, "ALERT_TELEGRAM_CHAT_ID='@me'"),
        ({"ALERT_EMAIL_TO": "a@b.c"}, "ALERT_EMAIL_FROM, ALERT_SMTP_HOST='' is not allowed"),
        ({"ALERT_MAINTENANCE": "kalshi sometimes"}, "ALERT_MAINTENANCE='kalshi sometimes' is not allowed"),
        ({"ALERT_MAINTENANCE": "kalshi funday 01:00-02:00"}, "allowed are VENUE DAYS"),
        ({"ALERT_MAINTENANCE": "kalshi daily 03:00-02:00"}, "allowed are VENUE DAYS"),
        ({"ALERT_MAINTENANCE": "kalshi daily 01:00-02:00 Mars/Base"}, "no time zone"),
    ],
)
def test_what_cannot_be_used_is_said(environment: dict[str, str], said: str, tmp_path: Path) -> None:
    """With the variable, its value and what is allowed; the stack says it as its own error."""
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        configuration(environment)
    with pytest.raises(StackError, match=said.partition("=")[0]):
        write_alertmanager(tmp_path / "a" / "b", environment)


def test_messages_link_to_where_people_can_read(tmp_path: Path) -> None:
    """The panel in Grafana, and the page of the runbook."""
    told = {
        "ALERT_SLACK_WEBHOOK_URL": "https://hooks.example.com/x",
        "ALERT_GRAFANA_URL": "https://grafana.example.com/",
    }
    assert "Dashboard: https://grafana.example.com{{ .Annotations.dashboard }}" in configuration(told).text
    with pytest.raises(ValueError, match="ALERT_GRAFANA_URL='grafana' is not allowed; allowed is an address"):
        configuration({"ALERT_GRAFANA_URL": "grafana"})
    books = {"ALERT_RUNBOOKS_URL": "https://wiki.example.com/runbooks"}
    write_rules(tmp_path / "rules", books)
    assert (
        "runbook_url: https://wiki.example.com/runbooks/OrderAckSlow.md"
        in (tmp_path / "rules" / "orders.yml").read_text()
    )
    assert len(alerts(tmp_path / "rules")) > 90
    with pytest.raises(StackError, match="ALERT_RUNBOOKS_URL='here' is not allowed"):
        write_rules(tmp_path / "rules", {"ALERT_RUNBOOKS_URL": "here"})


def test_maintenance_of_a_venue_is_quiet() -> None:
    """Its alerts come through a route that is mute then; others do not."""
    found = yaml.safe_load(
        configuration({"ALERT_MAINTENANCE": "nyse saturday:sunday 00:00-24:00 America/New_York"}).text
    )
    [interval] = found["time_intervals"]
    assert interval["time_intervals"] == [
        {
            "times": [{"start_time": "00:00", "end_time": "24:00"}],
            "weekdays": ["saturday:sunday"],
            "location": "America/New_York",
        }
    ]
    mute = [route for route in found["route"]["routes"] if route.get("mute_time_intervals") == [interval["name"]]]
    assert [route["receiver"] for route in mute] == ["critical", "warning", "info"]
    assert all('trading_venue_name="nyse"' in route["matchers"] for route in mute)
    assert [window.venue for window in windows("a daily 01:00-02:00; b monday 03:00-04:00")] == ["a", "b"]


@pytest.mark.stack
@pytest.mark.usefixtures("backends")
@pytest.mark.parametrize("environment", [{}, EVERYTHING], ids=["nobody", "everybody"])
def test_amtool_takes_it(environment: dict[str, str], tmp_path: Path) -> None:
    """The real Alertmanager's tool, and it routes as it should."""
    amtool = find_tool("amtool", cache_directory())
    assert amtool is not None
    file = write_alertmanager(tmp_path / "private" / "alertmanager", environment)

    def ask(*arguments: str) -> str:
        done = subprocess.run([amtool, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "SUCCESS" in ask("check-config", str(file))
    route = ("config", "routes", "test", f"--config.file={file}")
    assert ask(*route, "alertname=Watchdog", "severity=none").strip() == "watchdog"
    assert ask(*route, "alertname=BotGone", "severity=critical", "job=a").strip() == "critical"
    assert ask(*route, "alertname=X", "severity=warning", "trading_venue_name=kalshi").strip() == "warning"
    assert ask(*route, "alertname=X", "severity=other").strip() == "nobody"


def test_secrets_are_for_the_owner_alone(tmp_path: Path) -> None:
    """Files and the folder above them; what is no longer set goes."""
    folder = tmp_path / "private" / "alertmanager"
    file = write_alertmanager(folder, EVERYTHING)
    assert folder.parent.stat().st_mode & 0o077 == 0
    assert {each.stat().st_mode & 0o777 for each in (folder / "secrets").iterdir()} == {0o600}
    assert (folder / "secrets" / "slack").read_text() == EVERYTHING["ALERT_SLACK_WEBHOOK_URL"]
    assert str(folder / "secrets" / "slack") in file.read_text()
    write_alertmanager(folder, {})
    assert list((folder / "secrets").iterdir()) == []


def alerts(folder: Path) -> list[str]:
    rules: list[dict[str, Any]] = [
        rule for file in folder.glob("*.yml") for rule in yaml.safe_load(file.read_text())["groups"][0]["rules"]
    ]
    return [rule["alert"] for rule in rules if "alert" in rule]


def test_one_engine_tells(tmp_path: Path) -> None:
    """Prometheus with nothing for Grafana, or Grafana with no alert in Prometheus."""
    write_rules(tmp_path / "rules", {})
    assert len(alerts(tmp_path / "rules")) > 90
    assert write_provisioning(tmp_path / "p", {}) == config_file("grafana", "provisioning")
    assert not (config_file("grafana", "provisioning") / "alerting").exists()

    asked = {"ALERT_ENGINE": "grafana", "ALERT_SLACK_WEBHOOK_URL": "https://hooks.example.com/x"}
    write_rules(tmp_path / "rules", asked)
    assert alerts(tmp_path / "rules") == []
    assert list((tmp_path / "rules").glob("*.yml"))
    made = write_provisioning(tmp_path / "p", asked)
    assert (made / "datasources").is_dir()
    assert len(list((made / "alerting").glob("rules-*.yaml"))) > 10

    with pytest.raises(StackError, match="ALERT_ENGINE='both' is not allowed; allowed is prometheus or grafana"):
        write_rules(tmp_path / "rules", {"ALERT_ENGINE": "both"})


def test_own_rules_take_the_place_of_the_kits(tmp_path: Path) -> None:
    """A rendered folder; one that is none is said to be."""
    (tmp_path / "mine" / "rules").mkdir(parents=True)
    (tmp_path / "mine" / "rules" / "mine.yml").write_text("groups: [{name: mine, rules: []}]")
    write_rules(tmp_path / "rules", {"ALERT_RULES": str(tmp_path / "mine")})
    assert [file.name for file in (tmp_path / "rules").iterdir()] == ["mine.yml"]
    with pytest.raises(StackError, match=r"ALERT_RULES=.* is not allowed; allowed is a folder that"):
        write_rules(tmp_path / "rules", {"ALERT_RULES": str(tmp_path)})


def test_containers_mount_what_was_asked_for(tmp_path: Path) -> None:
    """Nothing is written where nothing is asked for."""
    assert for_containers(tmp_path, {"HOME": "/root"}) == {}
    assert list(tmp_path.iterdir()) == []
    mounted = for_containers(tmp_path, {**EVERYTHING, "ALERT_ENGINE": "grafana"})
    assert set(mounted) == {"PROMETHEUS_RULES", "ALERTMANAGER_SETTINGS", "GRAFANA_PROVISIONING"}
    told = (tmp_path / "alerting" / "alertmanager" / "alertmanager.yml").read_text()
    assert "/etc/alertmanager/secrets/slack" in told
    assert (tmp_path / "alerting").stat().st_mode & 0o077 == 0


def test_variables_can_be_settings_of_the_stack(tmp_path: Path) -> None:
    """As other variables of the configuration files."""
    site = Site(ports=Ports(), data=tmp_path, settings={"ALERT_ENGINE": "grafana"})
    write_rules(tmp_path / "rules", site.environment())
    assert alerts(tmp_path / "rules") == []
