"""Who reports: the resource that every metric, span and log record carries."""

from __future__ import annotations

import os
import platform
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading import redaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.resources import Resource

    from otel_trading.settings import Settings


def build_resource(settings: Settings, version: str) -> Resource:
    """The resource of this process; see ``of_child`` for those it forks."""
    from opentelemetry.sdk.resources import Resource

    attributes: dict[str, str | int] = {
        "host.name": platform.node(),
        "process.pid": os.getpid(),
        **settings.resource_attributes,
        "service.name": service_name(settings),
        "deployment.environment.name": settings.profile,
        "telemetry.distro.name": "otel-trading",
        "telemetry.distro.version": version,
        "trading.execution.mode": "live" if settings.trade_execution else "paper",
    }
    attributes.setdefault("service.instance.id", str(uuid.uuid4()))
    if settings.service_version:
        attributes["service.version"] = settings.service_version
    made = Resource.create(attributes)
    return Resource(redaction.attributes(made.attributes), made.schema_url)


def of_child(parent: Resource) -> Resource:
    """The resource of a forked child: the parent's, under an instance id of its own.

    The id is the one the SDK gives the child, also where the parent's was set by hand: two processes with the same one
    would overwrite each other's metrics.
    """
    from opentelemetry.sdk.resources import Resource, ServiceInstanceIdResourceDetector

    return parent.merge(ServiceInstanceIdResourceDetector().detect()).merge(Resource({"process.pid": os.getpid()}))


def service_name(settings: Settings) -> str:
    """The name that was set, else the one in the resource attributes, else the script's."""
    return settings.service_name or settings.resource_attributes.get("service.name") or script_name(sys.orig_argv)


def script_name(command: Sequence[str]) -> str:
    """The bot's name by its command line: the script's or the module's.

    >>> script_name(["python", "-u", "bots/my_bot.py", "--live"]), script_name(["python", "-m", "bots.maker"])
    ('my_bot', 'bots.maker')
    >>> script_name(["python"])
    'python'
    """
    arguments = iter(command[1:])
    for argument in arguments:
        if argument == "-m":
            return next(arguments, "python")
        if argument in {"-c", "-"}:
            break
        if argument in {"-W", "-X", "--check-hash-based-pycs"}:
            next(arguments, None)
        elif not argument.startswith("-"):
            name = Path(argument).stem
            return Path(argument).parent.name if name == "__main__" else name
    return "python"
