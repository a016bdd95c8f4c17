"""Code in fresh interpreters: what is measured there is printed as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from otel_trading.bench.contenders import NotThereError

_LIMIT_S = 600.0


def run(code: str, *arguments: str, limit: float = _LIMIT_S) -> Any:  # noqa: ANN401 - what the code printed
    """The last line that ``code`` prints, parsed; ``NotThereError`` where it ends with a missing import."""
    process = subprocess.run(  # noqa: S603 - our own code in this interpreter
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    last = (process.stderr.strip().splitlines() or ["no output"])[-1]
    if process.returncode == 0:
        return json.loads(process.stdout.splitlines()[-1])
    if last.startswith(("ModuleNotFoundError", "otel_trading.bench.contenders.base.NotThereError")):
        raise NotThereError(last.partition(": ")[2])
    raise RuntimeError(last)
