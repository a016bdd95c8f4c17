"""A process that adopts, appends and settles until it is killed, and says each thing it did once it is done."""

from __future__ import annotations

import os
import sys
import threading
from itertools import count

from otel_trading._native import Spool

THREADS = 2


def main(folder: str, sync: str) -> None:
    spool = Spool(folder, "killed", sync="always" if sync == "always" else "none", budget=1 << 30)
    spool.adopt()
    _say("ready")
    for number in range(THREADS):
        threading.Thread(target=_work, args=(spool, number), daemon=True).start()
    threading.Event().wait()


def _work(spool: Spool, thread: int) -> None:
    for number in count():
        key = f"{os.getpid()}.{thread}.{number}"
        spool.append("logs" if number % 3 else "traces", "low" if number % 2 else "important", 1, body(key))
        _say(f"appended {key}")
        if number % 4 and (parcel := spool.next("logs")) is not None:
            old = parcel.body.partition(b" ")[0].decode()
            _say(f"settling {old}")
            spool.settle(parcel.number)
            _say(f"settled {old}")
        if number % 50 == 0:
            spool.maintain()


def body(key: str) -> bytes:
    """Bytes that begin with the key and follow from it; some are longer than a segment's rest."""
    _, _, number = key.split(".")
    return f"{key} ".encode() * (1 + int(number) * 7919 % 3_000)


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # in one piece: others write, too


if __name__ == "__main__":
    main(*sys.argv[1:])
