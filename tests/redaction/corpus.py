"""Secrets that look real and are nobody's, put together at run time, and texts that look like secrets and are none."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import uuid
from dataclasses import dataclass
from pathlib import Path

import otel_trading

BASE62 = string.ascii_letters + string.digits
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
HEX = "0123456789abcdef"
URLSAFE = BASE62 + "-_"
_LIST = Path(__file__).parents[2] / "native" / "redaction" / "src" / "words.txt"


@dataclass(frozen=True)
class Secret:
    """A text, and what in it must never be seen."""

    spot: str
    text: str
    secret: str

    @property
    def parts(self) -> list[str]:
        """The secret and its halves, where these are long enough to tell."""
        half = len(self.secret) // 2
        return [self.secret, *([self.secret[:half], self.secret[half:]] if half >= 8 else [])]


class Forge:
    """Makes keys of a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same keys each time

    def letters(self, length: int, alphabet: str = BASE62) -> str:
        return "".join(self._random.choices(alphabet, k=length))

    def mixed(self, length: int, alphabet: str = BASE62) -> str:
        """With upper case, lower case and digits."""
        body = [*self.letters(length - 4, alphabet), "g", "Z", "7", "k"]
        self._random.shuffle(body)
        return "".join(body)

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128)))

    def encoded(self, size: int) -> str:
        return base64.b64encode(self._random.randbytes(size)).decode()

    def words(self, count: int) -> str:
        return " ".join(self._random.sample(_LIST.read_text().split(), count))

    def wif(self) -> str:
        body = b"\x80" + self._random.randbytes(32) + b"\x01"
        number = int.from_bytes(body + hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4])
        text = ""
        while number:
            number, digit = divmod(number, 58)
            text = BASE58[digit] + text
        return text

    def jwt(self) -> str:
        def part(content: dict[str, object]) -> str:
            return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

        return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': self.letters(12)})}.{self.letters(43, URLSAFE)}"

    def pem(self, kind: str, gap: str = "\n") -> tuple[str, str]:
        body = self.encoded(180)
        lines = gap.join(body[at : at + 64] for at in range(0, len(body), 64))
        edge = "-" * 5
        return f"{edge}BEGIN {kind}PRIVATE KEY{edge}{gap}{lines}{gap}{edge}END {kind}PRIVATE KEY{edge}", body[:64]


def secrets(seed: int = 7) -> list[Secret]:
    """One of each kind and spot."""
    forge = Forge(seed)
    return [*_named(forge), *_requests(forge), *_shaped(forge), *_wallets(forge)]


def _named(forge: Forge) -> list[Secret]:
    """Told by a name beside them."""
    found = []
    spots = {
        "query": "GET /api/v3/order?symbol=BTCUSDT&{0}={1}&recvWindow=5000",
        "json": 'sent {{"{0}": "{1}", "side": "buy"}}',
        "json in json": '{{"body": "{{\\"{0}\\":\\"{1}\\",\\"n\\":1}}"}}',
        "repr": "headers {{'Accept': '*/*', '{0}': '{1}'}}",
        "pairs": "[(b'accept', b'*/*'), (b'{0}', b'{1}')]",
        "header": "{0}: {1}\r\nHost: venue.example",
        "code": 'client = Client({0}="{1}", testnet=True)',
        "environment": "export {0}={1}",
        "option": "started with --{0} {1} --live",
        "escaped": "redirect=https%3A%2F%2Fx%2F%3F{0}%3D{1}%26a%3D1",
        "yaml": "venue:\n  {0}: {1}\n  name: binance\n",
        "toml": '{0} = "{1}"\n',
    }
    names = [
        "api_key", "apiKey", "secretKey", "API_SECRET", "signature", "access_token", "listenKey", "passphrase",
        "client_secret", "private_key", "X-MBX-APIKEY", "KC-API-SIGN", "POLY_PASSPHRASE",
    ]  # fmt: skip
    for number, (spot, template) in enumerate(spots.items()):
        for name in (names[number % len(names)], names[(number + 5) % len(names)]):
            secret = forge.mixed(36)
            found.append(Secret(f"{spot}, {name}", template.format(name, secret), secret))
    password = forge.mixed(14)
    found.append(Secret("password", f"login failed: password={password}", password))
    return found


def _requests(forge: Forge) -> list[Secret]:
    key, signature, token, password = forge.mixed(64), forge.letters(64, HEX), forge.mixed(40), forge.mixed(16)
    basic = base64.b64encode(f"bot:{password}".encode()).decode()
    return [
        Secret("signed URL", f"https://api.binance.com/api/v3/order?timestamp=17&signature={signature}", signature),
        Secret("stream's path", f"wss://stream.binance.com:9443/ws/{key}", key),
        Secret("combined stream", f"wss://fstream.binance.com/stream?streams=btcusdt@trade/{key}", key),
        Secret("bearer", f"Authorization: Bearer {token}", token),
        Secret("bearer alone", f"sent 'Bearer {token}' to the venue", token),
        Secret("basic", f"Proxy-Authorization: Basic {basic}", basic),
        Secret("cookie", f"Cookie: session={token}; theme=dark\r\n", token),
        Secret("URL's user", f"https://bot:{password}@venue.example/api", password),
        Secret("database", f"postgresql+asyncpg://bot:{password}@db:5432/trades?ssl=1", password),
        Secret("redis", f"redis://:{password}@cache:6379/0", password),
        Secret("unescaped password", f"amqp://bot:{password[:5]}/{password[5:]}@mq:5672/", password[5:]),
        Secret("token in URL", f"https://{token}@github.com/org/bots.git", token),
        Secret("proxy", f"using proxy http://me:{password}@10.0.0.1:3128", password),
        Secret("form", f"nonce=17&ordertype=market&api_sign={signature}&otp=1", signature),
    ]


def _shaped(forge: Forge) -> list[Secret]:
    """Told by themselves."""
    shapes = {
        "exchange's key": ("using key {0} now", forge.mixed(64)),
        "JWT": ("refused {0}", forge.jwt()),
        "AWS": ("as {0}", "AK" + "IA" + forge.letters(16, string.ascii_uppercase + string.digits)),
        "GitHub": ("as {0}", "gh" + "p_" + forge.letters(36)),
        "GitHub, fine": ("as {0}", "github" + "_pat_" + forge.letters(82, BASE62 + "_")),
        "GitLab": ("as {0}", "gl" + "pat-" + forge.mixed(20)),
        "Slack": ("as {0}", "xo" + "xb-" + forge.letters(12, string.digits) + "-" + forge.mixed(24)),
        "Telegram": ("as {0}", forge.letters(10, "123456789") + ":AA" + forge.letters(33, URLSAFE)),
        "Discord": ("as {0}", "M" + forge.mixed(23) + "." + forge.letters(6) + "." + forge.mixed(38)),
        "Google": ("as {0}", "AI" + "za" + forge.letters(35, URLSAFE)),
        "Google, OAuth": ("as {0}", "ya" + "29." + forge.mixed(60)),
        "Stripe": ("as {0}", "sk" + "_live_" + forge.mixed(24)),
        "OpenAI": ("as {0}", "sk" + "-proj-" + forge.mixed(60)),
        "Anthropic": ("as {0}", "sk" + "-ant-api03-" + forge.mixed(60)),
        "npm": ("as {0}", "np" + "m_" + forge.mixed(36)),
        "PyPI": ("as {0}", "py" + "pi-AgE" + forge.mixed(80)),
        "SendGrid": ("as {0}", "SG" + "." + forge.mixed(22) + "." + forge.mixed(43)),
        "Hugging Face": ("as {0}", "hf" + "_" + forge.letters(34)),
        "Grafana": ("as {0}", "gl" + "sa_" + forge.mixed(32) + "_" + forge.letters(8, HEX)),
        "DigitalOcean": ("as {0}", "dop" + "_v1_" + forge.letters(64, HEX)),
        "Vault": ("as {0}", "hv" + "s." + forge.mixed(32)),
        "Slack's hook": (
            "to https://hooks.slack.com/services/{0}",
            f"T{forge.letters(8)}/B{forge.letters(8)}/{forge.mixed(24)}",
        ),
        "Discord's hook": ("to https://discord.com/api/webhooks/123456789/{0}", forge.mixed(68)),
        "Telegram's URL": ("https://api.telegram.org/bot{0}/sendMessage", "987654321:AA" + forge.letters(33, URLSAFE)),
    }
    return [Secret(spot, text.format(secret), secret) for spot, (text, secret) in shapes.items()]


def _wallets(forge: Forge) -> list[Secret]:
    key, pair = forge.letters(64, HEX), forge.mixed(88, BASE58)
    few, many, listed = forge.words(12), forge.words(24), forge.words(12)
    found = [
        Secret("private key, near", f"loaded private key 0x{key} for the maker", key),
        Secret("private key, named", f"PRIVATE_KEY=0x{key}", key),
        Secret("key pair", f"Solana keypair: private key {pair}", pair),
        Secret("WIF", f"importing {(wif := forge.wif())}", wif),
        Secret("extended key", f"from {(extended := 'xp' + 'rv' + forge.mixed(107, BASE58))}", extended),
        Secret("seed phrase", f"wallet restored from {few}", few),
        Secret("24 words", f'{{"mnemonic": "{many}"}}', many),
        Secret(
            "listed words",
            ", ".join(f'"{word}"' for word in listed.split()),
            ", ".join(f'"{word}"' for word in listed.split()[2:5]),
        ),
    ]
    for kind in ("", "RSA ", "EC ", "OPENSSH "):
        for gap in ("\n", "\\n"):
            text, line = forge.pem(kind, gap)
            found.append(Secret(f"PEM {kind}{gap!r}", f"key file: {text} end", line))
    return found


def innocents(seed: int = 11) -> list[str]:
    """Texts of bots that hold no secret."""
    forge = Forge(seed)
    hash64, address = forge.letters(64, HEX), forge.letters(40, HEX)
    source = Path(otel_trading.__file__).parent
    return [
        forge.uuid(),
        f"x-{forge.letters(22)}",
        f"clientOrderId={forge.letters(32)} orderId=28457120045",
        f"tx 0x{hash64} to 0x{address}",
        f"block {hash64}",
        f"sha512 {forge.letters(128, HEX)}",
        f"signature {forge.mixed(88, BASE58)} confirmed in slot 289124001",
        f"mint {forge.mixed(44, BASE58)}",
        "token_id=71321045679252212594626385532706912750332728571942532289631379312455583992563",
        "asset_id: 52114319501245915516055106046884209969926127482827954674443846427813813222426",
        f"condition 0x{hash64}, tokenId 0x{forge.letters(62, HEX)}",
        "2025-01-15T14:23:45.123456Z INFO order filled 0.015 BTC/USDT:USDT @ 43210.12 fee=0.000015 BNB",
        f"00-{forge.letters(32, HEX)}-{forge.letters(16, HEX)}-01",
        '{"e":"bookTicker","u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21","a":"25.36","A":"40.66"}',
        "wss://stream.binance.com:9443/ws/btcusdt@depth20@100ms",
        "wss://stream.binance.com:9443/stream?streams=btcusdt@trade/ethusdt@bookTicker/solusdt@aggTrade",
        "https://api.kraken.com:443/0/public/OHLC?pair=XBTUSD&interval=60&since=1736950000",
        "the keys of the book are prices; the key of an order is its id: 5, the token is USDC",
        "Every order that was sent this morning has been answered, and the author of the strategy has signed it off.",
        "basic: false, bearer of bad news: the venue is down",
        "idempotency_key=7f3a9c12 partition_key=BTC/USDT public_key=0x04ab cache_key=a:b:c",
        "sign=-1 seed=42 token=USDC token=0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48 auth=none pass=3",
        f"etag W/{forge.letters(27)} ulid 01JH{forge.letters(22, '0123456789ABCDEFGHJKMNPQRSTVWXYZ')}",
        "git@github.com:org/repo.git ssh://git@github.com/x mailto:me@example.com http://[::1]:4318/v1/traces",
        "sqlite:////var/lib/bot/trades.db postgresql://db.example:5432/trades",
        "password=None api_key='' token=null secret=**** signature: None",
        (source / "configure.py").read_text(),
        (source / "tracing" / "native" / "hooks.py").read_text(),
        "".join(
            f'  File "/srv/bot/{name}.py", line 12, in sign\n    self.{name} = {name}\n' for name in ("token", "secret")
        ),
    ]
