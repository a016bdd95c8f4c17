"""The bot's state on the disk: whole at any moment, whatever ends the process."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from otel_trading import forks
from otel_trading.folders import state_folder
from otel_trading.lifecycle import exact
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_trading.settings import Settings

T = TypeVar("T")

_FORMAT = 1
_TEMPORARY = re.compile(r"\.(\d+)\.new$")
_UNSAFE = re.compile(r"[^\w.-]+")


class StateError(RuntimeError):
    """A state that cannot be used, or could not be written."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file says of the state in it: its number, counted up at each save, its version, and when it was saved."""

    path: Path
    generation: int
    version: int
    saved: dt.datetime


class StateFile(Generic[T]):
    """Keeps a state in a file that is replaced as a whole, and some older ones beside it.

    Args:
        path: the file; the older ones have ``.1``, ``.2``, … behind its name.
        model: a dataclass, a pydantic model or any other type that pydantic checks; without one the state is what
            JSON can say, with decimals, times and bytes as they were.
        version: of the state's form; counted up by the bot when it changes.
        upgrade: makes the present form of one of an older version: it gets plain values and their version.
        keep: how many older states are kept.

    >>> import tempfile
    >>> from decimal import Decimal
    >>> state = StateFile(Path(tempfile.mkdtemp()) / "bot.json")
    >>> state.load({"cash": Decimal(0)})
    {'cash': Decimal('0')}
    >>> state.save({"cash": Decimal("12.50")})
    True
    >>> StateFile(state.path).load()
    {'cash': Decimal('12.50')}

    """

    def __init__(
        self,
        path: str | Path,
        model: type[T] | None = None,
        *,
        version: int = 1,
        upgrade: Callable[[Any, int], Any] | None = None,
        keep: int = 3,
    ) -> None:
        self.path = Path(path).expanduser().absolute()
        self.loaded: Saved | None = None
        """What was loaded last."""
        self._model = model
        self._version = version
        self._upgrade = upgrade
        self._keep = keep
        self._lock = forks.lock()
        self._generation = 0

    def save(self, state: T) -> bool:
        """Replace the state; False when that was not possible, which is reported: then the one before holds."""
        try:
            self.keep_or_raise(state)
        except StateError as error:
            report(str(error))
            return False
        return True

    def keep_or_raise(self, state: T) -> str:
        """Replace the state, or raise ``StateError``; what was done, in words."""
        try:
            body = (exact.dumps(state) + "\n").encode()
        except Exception as error:  # a model's own, too
            raise StateError(f"the state is not saved: {error}; the one before holds") from error
        with self._lock:
            try:
                self._generation = max(self._generation, self._newest()) + 1
                self._replace(self._header(body) + body)
            except OSError as error:
                reason = error.strerror or str(error)
                raise StateError(f"the state is not saved in {self.path}: {reason}; the one before holds") from error
        return f"{self.path}, {len(body)} bytes"

    def load(self, default: Any = None) -> Any:  # noqa: ANN401 - the model's type, or what the default is
        """The newest state that is intact; ``default`` when there is none. What is not intact is reported."""
        self.loaded = None
        wrong: list[str] = []
        found: list[tuple[Saved, Any]] = []
        for path in self._files():
            try:
                found.append(_read(path))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
                wrong.append(f"{path}: {error}")
        for saved, plain in sorted(found, key=lambda each: -each[0].generation):
            try:
                state = self._stateful(plain, saved.version)
            except Exception as error:  # the model's, or the bot's own upgrade
                wrong.append(f"{saved.path}: {' '.join(str(error).split())}")
                continue
            self.loaded = saved
            self._generation = max(self._generation, saved.generation)
            if wrong:
                report(
                    f"the state of {saved.saved:%F %T %Z} is used, from {saved.path}; not usable: {'; '.join(wrong)}"
                )
            return state
        if wrong:
            report(f"there is no state that can be used: {'; '.join(wrong)}")
        return default

    def _stateful(self, plain: Any, version: int) -> Any:  # noqa: ANN401
        if version > self._version:
            raise StateError(f"version {version} is newer than {self._version}")
        if version < self._version:
            if self._upgrade is None:
                raise StateError(f"version {version} is older than {self._version}, and there is no upgrade")
            plain = self._upgrade(plain, version)
        if self._model is None:
            return plain
        from pydantic import TypeAdapter

        return TypeAdapter(self._model).validate_python(plain)

    def _header(self, body: bytes) -> bytes:
        about = {
            "otel_trading_state": _FORMAT,
            "generation": self._generation,
            "version": self._version,
            "saved": dt.datetime.now(dt.UTC).isoformat(),
            "bytes": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        return (json.dumps(about) + "\n").encode()

    def _replace(self, content: bytes) -> None:
        """Write a new file, force it onto the disk, and only then have it take the name."""
        folder = self.path.parent
        folder.mkdir(0o700, parents=True, exist_ok=True)
        self._sweep()
        new = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self._shift()
            new.replace(self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise
        _force(folder)

    def _shift(self) -> None:
        """Give the older ones their next names; the newest keeps its own beside it until it is replaced."""
        for number in range(self._keep - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self._older(number).replace(self._older(number + 1))
        if not self.path.exists():
            return
        self._older(1).unlink(missing_ok=True)
        try:
            self._older(1).hardlink_to(self.path)
        except OSError:  # a file system without links
            self.path.replace(self._older(1))

    def _older(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _files(self) -> Iterator[Path]:
        yield self.path
        for number in range(1, self._keep + 1):
            yield self._older(number)

    def _newest(self) -> int:
        """The highest number of all states that are intact."""
        newest = 0
        for path in self._files():
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                newest = max(newest, _header_of(path).generation)
        return newest

    def _sweep(self) -> None:
        """Remove what processes left that were killed while they wrote."""
        for path in self.path.parent.glob(f".{self.path.name}.*.new"):
            match = _TEMPORARY.search(path.name)
            if match and (int(match[1]) == os.getpid() or not _alive(int(match[1]))):
                path.unlink(missing_ok=True)


def path_of(settings: Settings) -> Path:
    """Where the bot's state is by the settings."""
    if settings.state_file is not None:
        return Path(settings.state_file).expanduser().absolute()
    return state_folder("state") / f"{_UNSAFE.sub('_', settings.service_name or 'bot')}.json"


def _header_of(path: Path) -> Saved:
    with path.open("rb") as file:
        return _about(path, file.readline())


def _about(path: Path, line: bytes) -> Saved:
    about = json.loads(line)
    if about["otel_trading_state"] != _FORMAT:
        raise ValueError(f"its format is {about['otel_trading_state']}, not {_FORMAT}")
    return Saved(path, int(about["generation"]), int(about["version"]), dt.datetime.fromisoformat(about["saved"]))


def _read(path: Path) -> tuple[Saved, Any]:
    content = path.read_bytes()
    line, _, body = content.partition(b"\n")
    try:
        saved = _about(path, line)
        about = cast("dict[str, Any]", json.loads(line))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"it is no state, or its beginning is damaged ({error})") from error
    if len(body) != about["bytes"] or hashlib.sha256(body).hexdigest() != about["sha256"]:
        raise ValueError("its checksum does not fit: it is damaged or not whole")
    return saved, exact.loads(body.decode())


def _force(folder: Path) -> None:
    """Have the names of a folder on the disk, where that can be asked for."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
