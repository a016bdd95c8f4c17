"""What ends a command, in one message for people."""

from __future__ import annotations


class ProvisioningError(Exception):
    """Something of the project does not let the command go on."""


class GrafanaError(ProvisioningError):
    """Grafana does not answer, or not what was asked for.

    Args:
        message: what happened and what helps.
        status: the status of its answer; 0 where there was none.

    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ChangedMeanwhileError(GrafanaError):
    """Somebody saved the same thing in Grafana since it was read."""


class UnknownThereError(GrafanaError):
    """Grafana has no such thing, or does not let the token see it."""


class NewerSchemaError(GrafanaError):
    """A dashboard uses what only the newer schema has; made a classic one, it would lose that."""
