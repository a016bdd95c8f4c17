"""Keys made for one run, and checking what clients sign with them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_trading.extras import require

if TYPE_CHECKING:
    from collections.abc import Mapping

_ORDER = (
    ("salt", "uint256"),
    ("maker", "address"),
    ("signer", "address"),
    ("tokenId", "uint256"),
    ("makerAmount", "uint256"),
    ("takerAmount", "uint256"),
    ("side", "uint8"),
    ("signatureType", "uint8"),
    ("timestamp", "uint256"),
    ("metadata", "bytes32"),
    ("builder", "bytes32"),
)
_SIGN_DATA = (
    ("contents", "Order"),
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
    ("salt", "bytes32"),
)
_AUTH = (("address", "address"), ("timestamp", "string"), ("nonce", "uint256"), ("message", "string"))
_ZERO = f"0x{0:064x}"
_CHAIN = 137
_EXCHANGES = {False: "0xE111180000d2663C0091e4f400237545B87B996B", True: "0xe2222d279d744050d28e00520010520000310F59"}
_WALLET_SIGNS = 3
_BITS = 2048


class RsaKey:
    """A key for Kalshi's requests: ``pem`` is the client's part; made anew each time.

    >>> key = RsaKey()
    >>> key.verifies("1700000000000GET/trade-api/v2/portfolio/balance", "bm90IHNpZ25lZA==")
    False
    """

    def __init__(self) -> None:
        rsa: Any = require("cryptography.hazmat.primitives.asymmetric.rsa", extra="demo")
        shapes: Any = require("cryptography.hazmat.primitives.serialization", extra="demo")
        key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
        form = shapes.Encoding.PEM, shapes.PrivateFormat.PKCS8, shapes.NoEncryption()
        self.pem: str = key.private_bytes(*form).decode()
        self._public = key.public_key()

    def verifies(self, text: str, signature: str) -> bool:
        """Whether this key signed the text, with RSA-PSS and SHA-256."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
        try:
            self._public.verify(base64.b64decode(signature), text.encode(), pss, hashes.SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True


def ethereum_key() -> str:
    """A private key of a wallet for Polymarket, made anew each time."""
    return f"0x{secrets.token_hex(32)}"


def address_of(private_key: str) -> str:
    """The address of a wallet."""
    exchange = _ccxt()
    address: str = exchange.eth_get_address_from_private_key(private_key)
    return address.lower()


class Credentials(NamedTuple):
    """What Polymarket's requests are signed with."""

    key: str
    secret: str
    passphrase: str

    @classmethod
    def new(cls) -> Credentials:
        """Made anew."""
        secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        parts = secrets.token_hex(16)
        key = "-".join((parts[:8], parts[8:12], parts[12:16], parts[16:20], parts[20:]))
        return cls(key, secret, secrets.token_hex(32))

    def signature(self, timestamp: str, method: str, path: str, body: str) -> str:
        """Over a request, without its query."""
        text = f"{timestamp}{method}{path}{body}".encode()
        digest = hmac.new(base64.urlsafe_b64decode(self.secret), text, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode()

    def signed(self, headers: Mapping[str, str], method: str, path: str, body: str) -> bool:
        """Whether a request is signed with these."""
        wanted = self.signature(headers.get("POLY_TIMESTAMP", ""), method, path, body)
        return (
            headers.get("POLY_API_KEY") == self.key
            and headers.get("POLY_PASSPHRASE") == self.passphrase
            and hmac.compare_digest(wanted, headers.get("POLY_SIGNATURE", ""))
        )


def login_signer(headers: Mapping[str, str]) -> str | None:
    """The wallet that signed a request for credentials; ``None`` where nobody did."""
    message = {
        "address": headers.get("POLY_ADDRESS", ""),
        "timestamp": headers.get("POLY_TIMESTAMP", ""),
        "nonce": int(headers.get("POLY_NONCE", "0")),
        "message": "This message attests that I control the given wallet",
    }
    domain = {"name": "ClobAuthDomain", "version": "1", "chainId": _CHAIN}
    return _signer(domain, {"ClobAuth": _types(_AUTH)}, message, headers.get("POLY_SIGNATURE", ""))


def order_signer(order: Mapping[str, Any], *, negative_risk: bool) -> str | None:
    """The wallet that signed an order; ``None`` where nobody did."""
    domain = {
        "name": "Polymarket CTF Exchange",
        "version": "2",
        "chainId": _CHAIN,
        "verifyingContract": _EXCHANGES[negative_risk],
    }
    message = {name: order[name] for name, _ in _ORDER} | {"side": 0 if order["side"] == "BUY" else 1}
    message["salt"] = str(order["salt"])
    types = {"Order": _types(_ORDER)}
    if order["signatureType"] == _WALLET_SIGNS:
        types = {"TypedDataSign": _types(_SIGN_DATA), **types}
        message = {
            "contents": message,
            "name": "DepositWallet",
            "version": "1",
            "chainId": _CHAIN,
            "verifyingContract": order["signer"],
            "salt": _ZERO,
        }
    return _signer(domain, types, message, order["signature"])


def _types(fields: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields]


def _signer(
    domain: Mapping[str, Any], types: Mapping[str, Any], message: Mapping[str, Any], signature: str
) -> str | None:
    """Who signed a structured message (EIP-712); a signature that a wallet wraps begins with its owner's."""
    exchange, coincurve = _ccxt(), require("coincurve", extra="demo")
    try:
        encoded = exchange.eth_encode_structured_data(domain, types, message)
        digest: bytes = exchange.hash(encoded, "keccak", "binary")
        plain = bytes.fromhex(signature.removeprefix("0x")[:130])
        recoverable = plain[:64] + bytes([plain[64] - 27])
        key = coincurve.PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except Exception:  # whatever is wrong with it, nobody signed it
        return None
    hashed: bytes = exchange.hash(key.format(compressed=False)[1:], "keccak", "binary")
    return f"0x{hashed[-20:].hex()}"


def _ccxt() -> Any:  # noqa: ANN401 - ccxt carries no types
    return require("ccxt.base.exchange", extra="demo").Exchange
