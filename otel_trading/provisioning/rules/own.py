"""The rules of a bot's own module."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from otel_trading.provisioning.rules.kit import RULES
from otel_trading.provisioning.rules.model import Group


def groups_of(module: str) -> tuple[Group, ...]:
    """What a module has as ``RULES``; the working folder is searched, too.

    Raises:
        ValueError: the module cannot be imported, has no ``RULES``, or they are no groups, or have names of the kit's.

    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    allowed = "allowed is a module with RULES, a sequence of Group"
    try:
        loaded = import_module(module)
    except ImportError as error:
        raise ValueError(f"module={module!r} cannot be imported ({error}); {allowed}") from error
    found = getattr(loaded, "RULES", None)
    if not isinstance(found, (tuple, list)) or not all(isinstance(each, Group) for each in found):
        raise ValueError(f"module={module!r}: RULES={found!r} is not allowed; {allowed}")
    taken = {each.name for each in RULES} | {rule.name for each in RULES for rule in each.alerts}
    if twice := sorted(
        {name for each in found for name in (each.name, *(r.name for r in each.alerts)) if name in taken}
    ):
        raise ValueError(f"module={module!r}: the names {', '.join(twice)} are the kit's; allowed are others")
    return tuple(found)
