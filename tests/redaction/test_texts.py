"""Secrets are found in texts wherever they stand, and nothing else is."""

from __future__ import annotations

import ast
import gzip
import importlib
import itertools
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.semconv._incubating import attributes

import otel_trading as ot
from otel_trading import _native, redaction
from tests.redaction.corpus import Secret, innocents, secrets

if TYPE_CHECKING:
    from types import ModuleType

SECRETS = secrets()
ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
_LINES = 2_000

words = st.text(max_size=40)


def test_the_corpus_is_large() -> None:
    """What these tests say holds for many kinds, in many spots."""
    assert len({each.spot for each in SECRETS}) >= 75


@pytest.mark.parametrize("each", SECRETS, ids=lambda each: each.spot)
def test_a_secret_is_masked_where_it_stands(each: Secret) -> None:
    """Neither it nor a half of it is left, and what stands around it is."""
    masked = ot.redact(each.text)
    assert "[redacted:" in masked
    assert not [part for part in each.parts if part in masked], masked
    assert masked.startswith(each.text[: masked.index("[redacted:")])


@pytest.mark.parametrize("seed", range(20))
def test_the_letters_of_a_secret_do_not_matter(seed: int) -> None:
    """Other keys of the same kinds are found, too."""
    left = [each.spot for each in secrets(1_000 + seed) if any(part in ot.redact(each.text) for part in each.parts)]
    assert left == []


@pytest.mark.parametrize("number", range(len(innocents())))
def test_what_is_no_secret_stays(number: int) -> None:
    """Ids, hashes, addresses, prices, times, prose and code are as they were."""
    text = innocents()[number]
    assert ot.redact(text) is text


@pytest.mark.parametrize("seed", range(20))
def test_the_letters_of_an_id_do_not_matter(seed: int) -> None:
    """Other ids and hashes stay, too."""
    assert [text for text in innocents(2_000 + seed) if ot.redact(text) is not text] == []


def test_the_recordings_hold_no_secret() -> None:
    """Everything that venues send in public is as it was."""
    files = [path for path in DATA.rglob("*") if path.suffix in {".csv", ".gz", ".json"}]
    assert len(files) > 10
    hits = []
    for path in files:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", errors="replace") as lines:
            hits += [line.strip() for line in itertools.islice(lines, _LINES) if ot.redact(line) is not line]
    # One of them is an order as it is signed.
    assert [hit.split(":")[0] for hit in hits] == ['"signature"']


def test_the_texts_of_other_tests_are_left_alone() -> None:
    """Of all texts in these tests, only those about secrets change."""
    about = ("token", "signature", "authorization", "apikey", "api-key", "basic ", "private key", "://")
    examples = (
        "akiaiosfodnn7example",
        "xoxb-1234567890-",
        "110201543:aah",
        "secret-header-0123",
        "glsa_5pjk",
        '"hunter22"',
    )
    changed = []
    for path in (ROOT / "tests").rglob("*.py"):
        if path.parent.name == "redaction":
            continue
        texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        changed += [text for text in texts if isinstance(text, str) and ot.redact(text) is not text]
    assert [text for text in changed if not any(word in text.lower() for word in about + examples)] == []


@given(words, st.sampled_from(SECRETS), words)
@example("\ud800", SECRETS[0], "")
def test_a_secret_is_found_in_any_text(before: str, each: Secret, after: str) -> None:
    """Whatever stands around it, on lines of their own."""
    masked = ot.redact(f"{before}\n{each.text}\n{after}")
    assert not [part for part in each.parts if part in masked]


@given(st.text() | st.lists(st.sampled_from(SECRETS).map(lambda each: each.text) | words).map("".join))
def test_masking_twice_is_masking_once(text: str) -> None:
    """What is masked holds no secret."""
    once = ot.redact(text)
    assert ot.redact(once) == once


@given(st.text(alphabet="abcdefghij .,-", max_size=60))
def test_a_text_without_hits_is_the_same_object(text: str) -> None:
    """Nothing is made where there is nothing to do."""
    assert ot.redact(text) is text


def test_attributes_are_masked_by_their_keys_and_by_their_texts() -> None:
    """At any depth, numbers and bytes, too; what a key only may mean depends on the value."""
    given = {
        "api_key": "k",
        "pin": 5,
        "password": 1234,
        "secret": None,
        "nested": {"headers": [{"OK-ACCESS-SIGN": "abc"}], "token": "USDC"},
        "secrets": ["one", {"two": "three"}, True],
        "payload": b'{"apiKey": "abc"}',
        "token": "dG9rZW4tMDAx.x9zzzzQ1-",
        "x" * 20 + " password=abc": True,
        "signature": "5" * 87,
    }
    assert redaction.attributes(given) == {
        "api_key": "[redacted:api_key]",
        "pin": 5,
        "password": "[redacted:password]",
        "secret": None,
        "nested": {"headers": [{"OK-ACCESS-SIGN": "[redacted:signature]"}], "token": "USDC"},
        "secrets": ["[redacted:secret]", {"two": "[redacted:secret]"}, True],
        "payload": '{"apiKey": "[redacted:api_key]"}',
        "token": "[redacted:token]",
        "x" * 20 + " password=[redacted:password]": True,
        "signature": "5" * 87,
    }
    clean = {"symbol": "BTC/USDT", "n": [1, 2.5, None, {"a": b"\xff"}]}
    assert redaction.attributes(clean) is clean


def test_hits_are_counted_by_kind() -> None:
    """Once a mask."""
    before = redaction.counts()
    ot.redact("password=hunter2 and https://x/?signature=abcdef&signature=fedcba")
    after = redaction.counts()
    assert after["password"] - before.get("password", 0) == 1
    assert after["signature"] - before.get("signature", 0) == 2


def test_a_text_is_masked_before_it_is_cut() -> None:
    """The part of a key before the cut would be known by nothing."""
    from otel_trading import values

    key = "gh" + "p_" + "A1b2" * 9
    assert "A1b2" not in str(values.clean(f"as {key}", 20))


def test_keys_can_be_asked_for() -> None:
    """As the log path does."""
    assert _native.is_secret_key("X-MBX-APIKEY")
    assert not _native.is_secret_key("trading.order.client_id")


def test_names_of_conventions_are_no_names_of_secrets() -> None:
    """What OpenTelemetry calls things is exported."""
    named = {name for module in _conventions() for name in vars(module).values() if isinstance(name, str)}
    assert len(named) > 500
    assert {name for name in named if "." in name and _native.is_secret_key(name)} == set()


def _conventions() -> list[ModuleType]:
    found = pkgutil.iter_modules(attributes.__path__, f"{attributes.__name__}.")
    return [importlib.import_module(module.name) for module in found]
