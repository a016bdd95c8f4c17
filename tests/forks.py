"""Work in forked children."""

from __future__ import annotations

import os
import pickle
import select
import signal
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT = 60.0


def in_child(work: Callable[[], Any]) -> Any:
    """What the work returns in a forked child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with os.fdopen(writing, "wb") as out:
                out.write(pickle.dumps(work()))
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    if not select.select([reading], [], [], WAIT)[0]:
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, "rb") as result:
        answer = result.read()
    os.waitpid(child, 0)
    assert answer, "the child failed"
    return pickle.loads(answer)  # noqa: S301 - our own child's
