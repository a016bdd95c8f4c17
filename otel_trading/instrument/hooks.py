"""The functions of a user's that an instrumentation calls: what they raise stays with us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable

_complaints = Complaints("hooks of instrumentations")


def guarded(hook: Callable[..., Any] | None, name: str) -> Callable[..., None] | None:
    """The hook, whose errors are reported once and go no further; ``None`` where there is none.

    >>> guarded(lambda span: span.no_such_method(), "request_hook of ccxt")(object())
    """
    if hook is None:
        return None
    given = hook

    def called(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the hook takes them
        try:
            given(*args, **kwargs)
        except Exception as error:
            _complaints.say(f"{name} failed: {type(error).__name__}: {error}; the instrumentation goes on without it")

    return called
