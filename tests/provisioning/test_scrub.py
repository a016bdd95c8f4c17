from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_trading.provisioning.grafana.errors import ProvisioningError
from otel_trading.provisioning.grafana.scrub import filled, scrubbed
from tests.provisioning.samples import BOARD, OVERVIEW
from tests.provisioning.standin.server import TOKEN


@pytest.mark.parametrize("board", [BOARD, OVERVIEW], ids=["every kind", "overview"])
def test_dashboards_without_secrets_stay_as_they_are(board: dict[str, Any]) -> None:
    clean = scrubbed(copy.deepcopy(board), within="bot")
    assert clean.document == board
    assert clean.needs == {}


@pytest.mark.parametrize(
    "key",
    ["token", "bottoken", "integrationKey", "password", "basicAuthPassword", "authorization_credentials", "apiKey"],
)
def test_keys_say_what_is_secret(key: str) -> None:
    clean = scrubbed({"settings": {key: "short"}}, within="ops")
    [name] = clean.needs
    assert clean.document == {"settings": {key: f"${{{name}}}"}}


@pytest.mark.parametrize(
    "secret",
    [
        TOKEN,
        "xoxb-1234567890-abcdefghijkl",
        "https://hooks.slack.com/services/T000/B000/XXXXYYYYZZZZ",
        "a94a8fe5ccb19ba61c4c0873d391e987",
        "Zk3vQ9xLw2Rt7Yp1Bn6Mc8Hd4Js0Fg5A",
    ],
)
def test_shapes_and_randomness_say_what_is_secret(secret: str) -> None:
    board = copy.deepcopy(BOARD)
    board["panels"][0]["links"] = [
        {"title": "x", "url": f"https://a.example/?q={secret}" if "/" not in secret else secret}
    ]
    board["panels"][6]["options"]["content"] = f"see {secret} there"
    clean = scrubbed(board, within="bot")
    assert clean.needs
    tail = secret.rpartition("/")[2]
    assert tail not in json.dumps(clean.document)
    environment = dict.fromkeys(clean.needs, "new")
    assert "new" in json.dumps(filled(clean.document, clean.needs, environment))


@pytest.mark.parametrize(
    "harmless",
    [
        'histogram_quantile(0.95, sum by (le) (rate(trading_order_ack_duration_seconds_bucket{job=~"$job"}[5m])))',
        "9f4f8a1c-1111-4222-8333-123456789abc",
        "https://docs.example/runbooks/OrderRejectRateHigh#what-to-do-first",
        "rgba(0, 211, 255, 1)",
        "${DS_PROMETHEUS}",
        "StdDevOfOrderAcknowledgementLatency",
    ],
)
def test_what_only_looks_long_is_left_alone(harmless: str) -> None:
    assert scrubbed({"expr": harmless, "text": harmless}).needs == {}


def test_what_grafana_does_not_tell_keeps_the_placeholder_it_had() -> None:
    known = {"settings": {"url": "${MY_HOOK}"}}
    clean = scrubbed({"type": "slack", "settings": {"url": "[REDACTED]"}}, known)
    assert clean.document["settings"] == known["settings"]
    assert set(clean.needs) == {"MY_HOOK"}


@given(st.dictionaries(st.sampled_from(["password", "title", "token", "expr"]), st.text(max_size=30), max_size=4))
def test_what_is_scrubbed_once_stays_so(document: dict[str, str]) -> None:
    once = scrubbed(document, within="bot")
    again = scrubbed(once.document, within="bot")
    assert again.document == once.document
    assert set(again.needs) == set(once.needs)


def test_only_needed_placeholders_are_filled() -> None:
    document = {"url": "${HOOK}", "query": "${VENUE}", "text": "a ${HOOK} b"}
    assert filled(document, ["HOOK"], {"HOOK": "x", "VENUE": "y"}) == {"url": "x", "query": "${VENUE}", "text": "a x b"}
    with pytest.raises(ProvisioningError, match="not set in the environment: HOOK"):
        filled(document, ["HOOK", "UNUSED"], {"HOOK": ""})
