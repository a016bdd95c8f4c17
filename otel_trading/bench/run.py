"""One run over the rows."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from otel_trading.bench.model import Bench, Outcome
from otel_trading.bench.sink import sink
from otel_trading.flight.folder import default_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from otel_trading.bench.model import Effort, Row


def run(rows: Sequence[Row], effort: Effort, collector: Path | None = None) -> Iterator[tuple[Row, Outcome]]:
    """Each row with its outcome, as soon as it is measured; spans are sent to the Collector where there is one."""
    with _defaults_only(), sink() as endpoint:
        bench = Bench(effort, endpoint, collector)
        try:
            for row in rows:
                yield row, _measured(row, bench)
        finally:
            bench.close()


def _measured(row: Row, bench: Bench) -> Outcome:
    try:
        return row.measure(bench)
    except Exception as error:  # one row that cannot be measured does not take the others with it
        return Outcome(failed={"the row": f"{type(error).__name__}: {error}"})


@contextmanager
def _defaults_only() -> Iterator[None]:
    """No variable and no configuration file of a bot decides what is measured; its recordings are left alone."""
    variables = {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}
    folder = os.getcwd()  # noqa: PTH109 - to come back to
    for name in variables:
        del os.environ[name]
    flights = default_folder().parent
    flights.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=flights) as ours, tempfile.TemporaryDirectory() as empty:
        folders = {"FLIGHT": ours, "SPOOL": f"{empty}/spool", "EMERGENCY": f"{empty}/emergency"}
        given = {f"OTEL_TRADING_{name}_FOLDER": place for name, place in folders.items()}
        os.environ |= given
        os.chdir(empty)
        try:
            yield
        finally:
            os.chdir(folder)
            for name in given:
                os.environ.pop(name, None)
            os.environ.update(variables)
