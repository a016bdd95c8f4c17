"""Rules: what is worth telling somebody, written once and rendered for Prometheus and for Grafana.

`Rule`, `Recording`, `Group`, `Case` and `Slo` are for the bot's own rules too; `otel_trading.provisioning.rules.kit`
has those of the kit, and ``otel-trading rules`` lists, renders and tests both.
"""

from __future__ import annotations

from otel_trading.provisioning.rules.model import Case, Group, Recording, Rule
from otel_trading.provisioning.rules.slo import Burn, Slo

__all__ = ["Burn", "Case", "Group", "Recording", "Rule", "Slo"]
