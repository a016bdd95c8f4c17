"""What the code says: the kit's own dashboards and rules, or those of a module of the user's."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning import canonical
from otel_trading.provisioning.files import FOLDER, board_of, groups_of, rendered
from otel_trading.provisioning.grafana import rules
from otel_trading.provisioning.grafana import tree as trees
from otel_trading.provisioning.grafana.errors import ProvisioningError
from otel_trading.provisioning.ids import panel_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_trading.provisioning.grafana.tree import Tree

DASHBOARDS = "dashboards"
ALERTING = "alerting"


@dataclass(frozen=True, slots=True)
class Coded:
    """A dashboard of the code.

    Args:
        uid: what it is called for ever.
        board: in classic form, canonical.
        folder: the titles of its folder, separated by ``/``.
        file: where it is rendered to, from the folder of the project.
        slugs: the names of its panels, by their numbers.

    """

    uid: str
    board: dict[str, Any]
    folder: str = ""
    file: str = ""
    slugs: Mapping[int, str] = field(default_factory=dict)

    @property
    def tree(self) -> Tree:
        """Its tree."""
        return trees.tree(self.board, folder=self.folder)


@dataclass(frozen=True, slots=True)
class Code:
    """All that the code says.

    Args:
        boards: the dashboards.
        rules: the tree of Grafana's own alert rules.
        files: the text of each file, from the folder of the project, without edits.

    """

    boards: tuple[Coded, ...]
    rules: Tree
    files: Mapping[str, str]


def code(modules: Sequence[str] = ()) -> Code:
    """What modules say, or the kit where there is none.

    Args:
        modules: names to import; each has DASHBOARDS, RULES or both.

    Raises:
        ProvisioningError: a module cannot be imported, has neither, or two dashboards have the same uid.

    """
    if not modules:
        return _of_kit()
    dashboards: list[Any] = []
    groups: list[Any] = []
    for name in modules:
        module = _imported(name)
        if not hasattr(module, "DASHBOARDS") and not hasattr(module, "RULES"):
            raise ProvisioningError(f"--module {name} has neither DASHBOARDS nor RULES; it needs one of them")
        dashboards += _sequence(module, "DASHBOARDS")
        groups += _sequence(module, "RULES")
    return of(dashboards, _rule_files(groups) if groups else {})


def of(dashboards: Sequence[Any], more: Mapping[str, str], folder: str = "") -> Code:
    """The code of some dashboards.

    Args:
        dashboards: each with ``uid``, ``folder`` and ``render()``; with ``slugs()``, or made of panels with a ``slug``.
        more: further files.
        folder: of those that name none.

    """
    boards = tuple(_coded(each, folder) for each in dashboards)
    uids = [each.uid for each in boards]
    if twice := sorted({uid for uid in uids if uids.count(uid) > 1}):
        raise ProvisioningError(f"two dashboards have the same uid: {', '.join(twice)}")
    made = {each.file: canonical.written(each.board) for each in boards} | dict(more)
    groups = [group for name, text in more.items() for group in groups_of(name, text)]
    return Code(boards, rules.tree(groups), made)


def _of_kit() -> Code:
    try:
        dashboards = import_module("otel_trading.provisioning.boards").BOARDS
    except ImportError as error:
        raise ProvisioningError(
            f"the kit's dashboards cannot be imported: {error}; name yours with --module"
        ) from error
    own_files = rendered()
    made = {name.removeprefix(f"{FOLDER}/"): own_files[name] for name in own_files if name.startswith(f"{FOLDER}/")}
    places = {board["uid"]: name for name, text in made.items() if (board := board_of(name, text)) is not None}
    own = of(dashboards, {name: text for name, text in made.items() if name not in places.values()}, "Trading")
    boards = tuple(
        Coded(each.uid, each.board, each.folder, places.get(each.uid, each.file), each.slugs) for each in own.boards
    )
    return Code(boards, own.rules, made)


def _coded(dashboard: Any, folder: str) -> Coded:  # noqa: ANN401 - whatever a module has
    try:
        board = canonical.canonical(dashboard.render())
        uid = str(board["uid"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ProvisioningError(f"{dashboard!r} of DASHBOARDS is no dashboard: {error!r}") from error
    within = str(getattr(dashboard, "folder", "") or folder)
    return Coded(uid, board, within, f"{DASHBOARDS}/{uid}.json", _slugs(dashboard))


def _slugs(dashboard: Any) -> dict[int, str]:  # noqa: ANN401 - whatever a module has
    named = getattr(dashboard, "slugs", None)
    if callable(named):
        given: Any = named()
        return {int(number): str(slug) for number, slug in given.items()}
    slugs = (getattr(panel, "slug", None) for panel in (dashboard if hasattr(dashboard, "__iter__") else ()))
    return {panel_id(slug): slug for slug in slugs if isinstance(slug, str)}


def _rule_files(groups: Sequence[Any]) -> dict[str, str]:
    made: dict[str, str] = import_module("otel_trading.provisioning.rules.grafana").files(groups)
    return {f"{ALERTING}/{name}": text for name, text in made.items() if groups_of(name, text)}


def _imported(name: str) -> Any:  # noqa: ANN401 - a module
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except ImportError as error:
        raise ProvisioningError(f"--module {name} cannot be imported from {here}: {error}") from error
    except Exception as error:
        raise ProvisioningError(f"--module {name} fails when it is imported: {error!r}") from error


def _sequence(module: Any, name: str) -> list[Any]:  # noqa: ANN401 - a module
    found = getattr(module, name, ())
    if isinstance(found, str | bytes) or not hasattr(found, "__iter__"):
        raise ProvisioningError(f"{name} of {module.__name__} is {type(found).__name__}; allowed is a sequence")
    return list(found)
