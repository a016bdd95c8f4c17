"""The bot as a process: whether it lives, is healthy, and has what it needs."""

from __future__ import annotations

from otel_trading.provisioning.rules.kit.liveness import LIVENESS
from otel_trading.provisioning.rules.kit.resources import RESOURCES
from otel_trading.provisioning.rules.model import Group

BOT = Group(name="bot", rules=(*LIVENESS, *RESOURCES))
