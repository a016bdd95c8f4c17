"""Who alerts and who is told, for one stack: what its files cannot say, as it comes from the environment."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.provisioning.rules.channels import VARIABLES
from otel_trading.stack.errors import StackError
from otel_trading.stack.files import config_file

if TYPE_CHECKING:
    from collections.abc import Mapping

ENGINES = ("prometheus", "grafana")
LINKS = ("ALERT_GRAFANA_URL", "ALERT_RUNBOOKS_URL")
SETTINGS = ("ALERT_ENGINE", "ALERT_RULES", "ALERT_MAINTENANCE", "ALERT_GROUP_WAIT", *LINKS, *VARIABLES)
"""The variables that are read here."""

_PRIVATE = 0o700


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Whether anything is to be other than in the repository's files."""
    return any(environment.get(name) for name in SETTINGS)


def write_rules(folder: Path, environment: Mapping[str, str]) -> None:
    """Write the rules of Prometheus: without alerts where Grafana alerts, so that nobody is told twice.

    Raises:
        StackError: a variable has a value that cannot be used.

    """
    from otel_trading.provisioning.rules import rendering
    from otel_trading.provisioning.rules.kit import RULES

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if own := _own(environment):
        for file in sorted((own / "rules").glob("*.yml")):
            shutil.copy(file, folder)
    elif _engine(environment) == "grafana" or environment.get("ALERT_RUNBOOKS_URL"):
        alerts, runbooks = _engine(environment) != "grafana", _runbooks(environment)
        for name, text in rendering.for_prometheus(RULES, alerts=alerts, runbooks=runbooks).items():
            (folder / name).write_text(text, "utf-8")
    else:
        for file in sorted(config_file("collector", "rules").glob("*.yml")):
            shutil.copy(file, folder)


def write_alertmanager(folder: Path, environment: Mapping[str, str], *, inside: str = "", mode: int = 0o600) -> Path:
    """Write Alertmanager's configuration and the files of its secrets.

    Args:
        folder: where to; nobody else may look into its parent.
        environment: the variables.
        inside: where Alertmanager sees the folder, when that is elsewhere.
        mode: of the files of secrets.

    Raises:
        StackError: a variable has a value that cannot be used.

    """
    from otel_trading.provisioning.rules import alertmanager

    try:
        made = alertmanager.configuration(environment, secrets=f"{inside or folder}/secrets")
    except ValueError as error:
        raise StackError(str(error)) from error
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.parent.chmod(_PRIVATE)
    secrets = folder / "secrets"
    shutil.rmtree(secrets, ignore_errors=True)
    secrets.mkdir(parents=True)
    for name, text in made.secrets.items():
        file = secrets / name
        file.touch(mode=mode)
        file.chmod(mode)
        file.write_text(text, "utf-8")
    written = folder / "alertmanager.yml"
    written.write_text(made.text, "utf-8")
    return written


def write_provisioning(folder: Path, environment: Mapping[str, str]) -> Path:
    """Write what Grafana is provisioned with, and return the folder: the repository's own unless Grafana alerts.

    Raises:
        StackError: a variable has a value that cannot be used.

    """
    from otel_trading.provisioning.rules import grafana
    from otel_trading.provisioning.rules.kit import RULES

    source = config_file("grafana", "provisioning")
    if _engine(environment) != "grafana":
        return source
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    alerting = folder / "alerting"
    alerting.mkdir(exist_ok=True)
    try:
        found = grafana.files(RULES, environment, _runbooks(environment))
    except ValueError as error:
        raise StackError(str(error)) from error
    if own := _own(environment):
        found = {name: text for name, text in found.items() if not name.startswith("rules-")}
        found |= {file.name: file.read_text("utf-8") for file in sorted((own / "grafana").glob("rules-*.yaml"))}
    for name, text in found.items():
        (alerting / name).write_text(text, "utf-8")
    return folder


def for_containers(data: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Write all three below ``data``, and return the variables with which compose.yaml mounts them.

    Raises:
        StackError: a variable has a value that cannot be used.

    """
    if not is_asked_for(environment):
        return {}
    base = data / "alerting"
    rules = base / "rules"
    write_rules(rules, environment)
    # the container's user is nobody: it may read the files, and on the host the folder above them is closed
    told = write_alertmanager(base / "alertmanager", environment, inside="/etc/alertmanager", mode=0o644)
    return {
        "PROMETHEUS_RULES": str(rules),
        "ALERTMANAGER_SETTINGS": str(told.parent),
        "GRAFANA_PROVISIONING": str(write_provisioning(base / "provisioning", environment)),
    }


def _engine(environment: Mapping[str, str]) -> str:
    chosen = environment.get("ALERT_ENGINE") or ENGINES[0]
    if chosen not in ENGINES:
        raise StackError(f"ALERT_ENGINE={chosen!r} is not allowed; allowed is {' or '.join(ENGINES)}")
    return chosen


def _runbooks(environment: Mapping[str, str]) -> str:
    from otel_trading.provisioning.rules.alertmanager import address
    from otel_trading.provisioning.rules.prometheus import RUNBOOKS

    try:
        return address(environment, "ALERT_RUNBOOKS_URL") or RUNBOOKS
    except ValueError as error:
        raise StackError(str(error)) from error


def _own(environment: Mapping[str, str]) -> Path | None:
    if not (text := environment.get("ALERT_RULES")):
        return None
    folder = Path(text).expanduser()
    if not any((folder / "rules").glob("*.yml")):
        made = "a folder that `otel-trading rules render` wrote, with rules/*.yml in it"
        raise StackError(f"ALERT_RULES={text!r} is not allowed; allowed is {made}")
    return folder
