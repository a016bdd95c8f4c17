"""A stand-in for Grafana's HTTP API, because a real Grafana cannot be had where these tests run.

It keeps to what Grafana's documentation says of its HTTP API for the versions 9 to 13: paths, methods, fields, statuses
and words of refusals. It is stricter than a real one: whatever a request has that is not documented is written down in
``undocumented``, and the fixture fails the test for it. It also does what a browser does to a dashboard that is saved
there: see ``browser``.
"""

from __future__ import annotations

from tests.provisioning.standin.server import Standin

__all__ = ["Standin"]
