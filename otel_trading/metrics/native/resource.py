"""Who reports, for the core and, where readers of the SDK ask, as the SDK's ``Resource``."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any

from otel_trading import _native, values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.resources import Resource


class Reporter:
    """A resource given as the SDK's, as attributes, or not at all (then it is what the SDK makes of nothing)."""

    def __init__(self, given: Resource | Mapping[str, Any] | None) -> None:
        self._given = given
        self._changed: dict[str, Any] = {}
        self._native: _native.Resource | None = None
        self._made: Resource | None = None
        self._sdk: Resource | None = None

    @property
    def native(self) -> _native.Resource:
        """For the core's encoders."""
        if self._native is None:
            attributes = {
                str(name): values.clean(value) for name, value in {**self._given_attributes(), **self._changed}.items()
            }
            self._native = _native.Resource(attributes, getattr(self._given, "schema_url", ""))
        return self._native

    @property
    def sdk(self) -> Resource:
        """For the SDK's readers; asks the SDK's detectors at the first time, in threads of its own."""
        if self._sdk is None:
            from opentelemetry.sdk.resources import Resource

            if self._made is None:
                given = self._given
                self._made = given if isinstance(given, Resource) else Resource.create(dict(given or {}))
            self._sdk = self._made.merge(Resource(self._changed)) if self._changed else self._made
        return self._sdk

    def restart_in_child(self) -> None:
        """A forked child is another process and another instance."""
        known = {**self._given_attributes(), **(self._made.attributes if self._made else {})}
        own: dict[str, Any] = {"process.pid": os.getpid(), "service.instance.id": str(uuid.uuid4())}
        self._changed = {name: value for name, value in own.items() if name in known}
        self._native = self._sdk = None

    def _given_attributes(self) -> Mapping[str, Any]:
        given: Any = self._given
        return getattr(given, "attributes", given) or {}
