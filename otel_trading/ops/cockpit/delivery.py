"""What becomes of telemetry: sent, pending, lost, and where it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.ops.cockpit.values import Tree, known, number, words

if TYPE_CHECKING:
    from otel_trading.status import Status

_PROBLEMS = 20


def delivery(status: Status, unreachable: tuple[str, ...]) -> Tree:
    """The accounts of the signals, the spool, what is wrong."""
    spool = status.spool
    return known(
        signals={
            signal: known(
                emitted=account.emitted,
                sent=account.sent,
                pending=max(0, account.pending),
                dropped=account.lost,
                reasons={words(reason, 60): count for reason, count in account.dropped.items() if count} or None,
                error=words(account.last_error),
                target=words(", ".join(status.targets.get(signal, ()))) or None,
            )
            for signal, account in status.signals.items()
        },
        unreachable=[words(url) for url in unreachable],
        spool=None
        if spool is None
        else known(
            folder=words(spool.folder),
            disk=spool.disk_bytes,
            memory=spool.memory_bytes,
            age=number(spool.age, 0),
            trouble=words(spool.trouble),
        ),
        problems=[words(problem) for problem in status.problems[:_PROBLEMS]],
    )
