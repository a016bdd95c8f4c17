"""``otel-trading grafana``: dashboards and rules between the code, the files, and Grafana."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from otel_trading.cli.outcomes import WIDE, field, names_of, table, tell
from otel_trading.provisioning.files import FOLDER
from otel_trading.provisioning.grafana import comparing, pulling, pushing, rendering, sources
from otel_trading.provisioning.grafana.client import Client, Place
from otel_trading.provisioning.grafana.dashboards import Dashboards
from otel_trading.provisioning.grafana.errors import ProvisioningError
from otel_trading.provisioning.grafana.folders import Folders
from otel_trading.provisioning.grafana.instance import instance
from otel_trading.provisioning.grafana.merge import Prefer
from otel_trading.provisioning.grafana.outcome import BAD, State
from otel_trading.provisioning.grafana.project import RULES, Project
from otel_trading.provisioning.grafana.rendering import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_trading.provisioning.grafana.sources import Code

PARTS = ("dashboards", "rules", "contacts")
_WHO = {comparing.Who.CODE: "green", comparing.Who.GRAFANA: "yellow", comparing.Who.BOTH: "bold red"}


@click.group()
def grafana() -> None:
    """Dashboards and alert rules: from the code to Grafana, and edits made there back into the project.

    GRAFANA_URL says where Grafana is, GRAFANA_TOKEN or GRAFANA_TOKEN_FILE holds the token of a service account.
    """


def _of_code(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what code and which files are meant; errors become one message."""

    @wraps(command)
    def with_code(*, modules: tuple[str, ...], folder: Path, **options: Any) -> Any:  # noqa: ANN401 - the command's
        with _messages():
            return command(code=sources.code(modules), project=Project(folder), **options)

    added: Any = with_code
    for add in (
        click.option(
            "--folder",
            type=click.Path(path_type=Path, file_okay=False),
            default=FOLDER,
            show_default=True,
            help="The project's folder for Grafana.",
        ),
        click.option(
            "--module",
            "modules",
            multiple=True,
            metavar="NAME",
            help="A module with DASHBOARDS, RULES or both, such as mybot.dashboards; else the kit's own. Repeatable.",
        ),
    ):
        added = add(added)
    return added  # type: ignore[no-any-return]


def _of_grafana(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which Grafana is meant; the command gets what it reaches."""

    @wraps(command)
    def with_grafana(
        *,
        url: str | None,
        org: int | None,
        ca: Path | None,
        api: str,
        what: tuple[str, ...],
        project: Project,
        dry_run: bool = False,
        **options: Any,  # noqa: ANN401 - the command's
    ) -> Any:  # noqa: ANN401 - the command's
        place = Place.of(os.environ, url, org, ca)
        errors = Console(stderr=True)
        if place.is_overheard:
            errors.print(f"the token goes to {place.url} unencrypted; use https", style="yellow", soft_wrap=True)
        client = Client(place)
        with errors.status("asking Grafana what it is") as status:
            there = instance(client)
            if there.caution:
                errors.print(there.caution, style="yellow", soft_wrap=True)
            reach = pulling.Reach(
                Dashboards(client, there, legacy=api == "legacy"),
                Folders(client),
                project,
                frozenset(what or _used(project)),
                dry_run,
                told=status.update,
            )
            return command(reach=reach, finished=status.stop, **options)

    added: Any = with_grafana
    for add in (
        click.option(
            "--what",
            type=click.Choice(PARTS),
            multiple=True,
            help="Only these; else dashboards, and what of the others the project has already. Repeatable.",
        ),
        click.option(
            "--api",
            type=click.Choice(["newest", "legacy"]),
            default="newest",
            help="Save dashboards by /apis where Grafana has it, or always by /api.",
        ),
        click.option(
            "--ca", type=click.Path(path_type=Path, dir_okay=False), help="Certificates to trust; GRAFANA_CA."
        ),
        click.option("--org", type=int, help="The number of the organisation; else GRAFANA_ORG_ID or the token's."),
        click.option("--url", help="Where Grafana is; else GRAFANA_URL."),
    ):
        added = add(added)
    return added  # type: ignore[no-any-return]


_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")
_with_time = click.option("--time", "with_time", is_flag=True, help="Heed the range of time and the refresh, too.")


@grafana.command()
@_of_code
@click.option("--prune", is_flag=True, help="Forget the edits that no longer change anything.")
@_dry_run
def render(*, code: Code, project: Project, prune: bool, dry_run: bool) -> None:
    """Write the files: what the code says, with the edits that were pulled."""
    tell(rendering.render(code, project, dry_run=dry_run, prune=prune), names_of(code))


@grafana.command()
@_of_code
def check(*, code: Code, project: Project) -> None:
    """Check that the files are current and that every edit still fits the code; exits with 1 when not."""
    found = rendering.check(code, project)
    tell(found, names_of(code))
    if not found:
        click.echo(f"{project.folder}: {len(code.files)} files are current, every edit fits")


@grafana.command()
@_of_code
@_of_grafana
@click.option("--message", default="otel-trading grafana push", show_default=True, help="For the history of versions.")
@click.option("--overwrite", is_flag=True, help="Even over edits that were not pulled.")
@click.option("--secrets", is_flag=True, help="Send contact points again whose secrets may have changed.")
@click.option("--delete", is_flag=True, help="Delete dashboards that were pushed once and are no longer in the code.")
@_dry_run
def push(
    *,
    code: Code,
    reach: pulling.Reach,
    finished: Callable[[], None],
    message: str,
    overwrite: bool,
    secrets: bool,
    delete: bool,
) -> None:
    """Save in Grafana what differs there; never over an edit that was not pulled."""
    found = pushing.push(code, reach, message=message, overwrite=overwrite, secrets=secrets, delete=delete)
    finished()
    tell(found, names_of(code))


@grafana.command()
@_of_code
@_of_grafana
@click.option(
    "--prefer",
    type=click.Choice([each.value for each in Prefer]),
    help="Whose value stands where both changed a field; else that is an error.",
)
@click.option("--as-stored", is_flag=True, help="Keep dashboards of the newer schema as files of their own.")
@_with_time
@_dry_run
def pull(
    *,
    code: Code,
    reach: pulling.Reach,
    finished: Callable[[], None],
    prefer: str | None,
    as_stored: bool,
    with_time: bool,
) -> None:
    """Keep what was edited in Grafana beside the code; exits with 1 where both changed the same field."""
    chosen = None if prefer is None else Prefer(prefer)
    found = pulling.pull(code, reach, prefer=chosen, with_time=with_time, as_stored=as_stored)
    finished()
    tell(found, names_of(code))


@grafana.command()
@_of_code
@_of_grafana
@_with_time
def diff(*, code: Code, reach: pulling.Reach, finished: Callable[[], None], with_time: bool) -> None:
    """Show where the project and Grafana differ, and which side changed it; exits with 1 where they do."""
    found = comparing.compare(code, reach, with_time=with_time)
    finished()
    names = names_of(code)
    tell([each.outcome for each in found], names, leave=False)
    for each in found:
        if each.differences:
            table(
                each.outcome.subject,
                ("field", "project", "Grafana", "changed by"),
                [
                    (
                        field(one.path, names),
                        shown(one.ours, WIDE),
                        shown(one.theirs, WIDE),
                        Text(one.who, _WHO[one.who]),
                    )
                    for one in each.differences
                ],
            )
    sys.exit(any(each.outcome.state in BAD | {State.CHANGED, State.MISSING} for each in found))


def _used(project: Project) -> set[str]:
    """What of Grafana a project has to do with already."""
    used = {"dashboards"}
    if project.base(RULES).is_file() or project.overrides(RULES).is_file():
        used.add("rules")
    return used | ({"contacts"} if project.names("contacts") else set())


@contextmanager
def _messages() -> Iterator[None]:
    try:
        yield
    except ProvisioningError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'a file'}: {error.strerror or error}") from error
