"""Trained models and computed results on disk: a folder for each, complete or absent.

    <root>/<topic>/<hex>/model.safetensors   the tensors
    <root>/<topic>/<hex>/meta.json           how they were made, and the digests of both

The key "<topic>/<hex>" is a digest of all that decides the content (`core.training`), so nothing
stale is ever served. Writing is atomic: a new folder is made beside, synced and renamed. Reading
verifies: what does not match its digest is set aside. No pickle.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import platformdirs
import safetensors
import safetensors.torch
from filelock import FileLock
from torch import Tensor

STALE = 3600.0  # seconds after which nobody is still writing a new folder
FORMAT = 1  # of the folder; raised when an older program could not read it
WEIGHTS, CARD = "model.safetensors", "meta.json"
_KEY = re.compile(r"[a-z][a-z0-9-]{0,63}/[0-9a-f]{1,64}")
# Beside the artefacts; no topic's name begins with "_".
_NEW, _RETIRED, _ASIDE, _LOCK = "_new", "_retired", "_aside", "_lock"

Tensors = dict[str, Tensor]


class Damaged(ValueError):
    """An artefact that is not what its digests say."""


class UnknownFormat(ValueError):
    """An artefact that a newer version of this program wrote."""


@dataclass(frozen=True, eq=False)
class Artefact:
    """Tensors and how they were made."""

    key: str  # "topic/hexdigits"
    tensors: Tensors
    meta: dict[str, Any]  # configuration, data, metrics, curve, versions, seconds
    origin: str = "local"  # where it was found: "shipped", "local", "shared" or "memory"


@dataclass(frozen=True)
class Card:
    """What is known of an artefact without reading its tensors."""

    key: str
    meta: dict[str, Any]
    size: int  # bytes on disk
    used: float  # when it was last read or written, in seconds since the epoch
    origin: str = "local"


def root() -> Path:
    """Where this machine keeps what it made: LAB_STORE, or the user's cache folder."""
    asked = os.environ.get("LAB_STORE")
    return Path(asked) if asked else Path(platformdirs.user_cache_dir("executable-claims"))


class Store:
    """Artefacts in a folder. Safe under several threads and processes.

    `path` None: LAB_STORE or the user's cache folder. Keys are "topic/hexdigits", lower case;
    anything else raises ValueError.
    """

    def __init__(self, path: Path | str | None = None, *, origin: str = "local") -> None:
        self.path = root() if path is None else Path(path)
        self.origin = origin

    def put(self, key: str, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> Artefact:
        """Keep an artefact, in the place of an older one of that key.

        A reader sees the old one or the new one, never a mix. Raises ValueError for a key, tensors
        or meta that can't be kept, OSError if the disk is full or the folder not writable.
        """
        _checked(key)
        with self.new_folder() as folder:
            write(folder, tensors, meta)
            return self.adopt(key, folder)

    def adopt(self, key: str, folder: Path) -> Artefact:
        """Take over a complete folder made in `new_folder`. Raises Damaged if it is not whole."""
        found = read(folder, key, self.origin)
        place, retired = self._folder(key), self._retired(key)
        place.parent.mkdir(parents=True, exist_ok=True)
        retired.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._recover(key)
            if place.exists():
                place.rename(retired)
            folder.rename(place)
            _sync(place.parent)
            shutil.rmtree(retired, ignore_errors=True)
        return found

    @contextlib.contextmanager
    def new_folder(self) -> Iterator[Path]:
        """An empty folder on the store's disk, gone at the end unless it was adopted."""
        (self.path / _NEW).mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self.path / _NEW))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def get(self, key: str) -> Artefact | None:
        """The artefact of that key; None if it is absent or damaged. What is damaged is set aside.

        Raises UnknownFormat if a newer version of this program wrote it.
        """
        _checked(key)
        try:
            found: Artefact | None = read(self._folder(key), key, self.origin)
        except (OSError, Damaged):
            found = self._get_alone(key)
        if found and self.origin == "local":
            self._mark_used(key)
        return found

    def card(self, key: str) -> Card | None:
        """What is known of an artefact without its tensors; None if absent or unreadable."""
        place = self._folder(_checked(key))
        # A writer may stand, or may have been killed, between its two renames.
        for folder in (place, self._retired(key), place):
            with contextlib.suppress(OSError, ValueError):
                now = (folder / CARD).stat()
                meta = _known_card(folder, (now.st_ino, now.st_mtime_ns, now.st_size))["meta"]
                size = sum((folder / name).stat().st_size for name in (WEIGHTS, CARD))
                return Card(key, meta, size, now.st_mtime, self.origin)
        return None

    def cards(self, topic: str = "*") -> list[Card]:
        """The cards of everything that is readable, or of a topic's, the latest used first."""
        cards = [card for key in self.keys(topic) if (card := self.card(key))]
        return sorted(cards, key=lambda card: card.used, reverse=True)

    def keys(self, topic: str = "*") -> list[str]:
        """The keys of everything that is kept, or of a topic's, in alphabetical order."""
        names = ("/".join(path.parts[-3:-1]) for path in self.path.glob(f"{topic}/*/{CARD}"))
        return sorted(name for name in names if _KEY.fullmatch(name))

    def remove(self, key: str) -> None:
        """Forget an artefact; nothing happens if there is none."""
        folder = self._folder(_checked(key))
        if not folder.exists() and not self._retired(key).exists():
            return
        with self._alone():
            self._recover(key)
            shutil.rmtree(folder, ignore_errors=True)

    def size(self) -> int:
        """Bytes that the artefacts take on disk, with those set aside."""
        kept = sum(_size(self._folder(key)) for key in self.keys())
        return kept + _size(self.path / _ASIDE)

    def trim(self, limit: int) -> list[str]:
        """Remove what was used least recently until `limit` bytes are left; the keys removed.

        What was set aside goes first; so does what a killed writer left half made.
        """
        self._sweep()
        if self.size() > limit:
            shutil.rmtree(self.path / _ASIDE, ignore_errors=True)
        removed = []
        oldest_first, size = reversed(self.cards()), self.size()
        for card in oldest_first:
            if size <= limit:
                break
            self.remove(card.key)
            removed.append(card.key)
            size -= card.size
        return removed

    def file(self, key: str, name: str) -> bytes:
        """A file of an artefact, WEIGHTS or CARD, as it lies on the disk."""
        return (self._folder(_checked(key)) / name).read_bytes()

    def _get_alone(self, key: str) -> Artefact | None:
        """Read while no writer is in between: whatever is damaged now, is."""
        if not self._folder(key).exists() and not self._retired(key).exists():
            return None
        try:
            with self._alone():
                self._recover(key)
                try:
                    return read(self._folder(key), key, self.origin)
                except Damaged:
                    self._set_aside(key)
        except OSError:
            pass  # a store that can't be written can't be repaired
        return None

    def _recover(self, key: str) -> None:
        """Finish what a killed writer left: before its second rename, or after it."""
        place, retired = self._folder(key), self._retired(key)
        if place.exists():
            shutil.rmtree(retired, ignore_errors=True)
        elif retired.exists():
            retired.rename(place)

    def _sweep(self) -> None:
        for folder in (self.path / _NEW).glob("*"):
            with contextlib.suppress(OSError):  # its writer may be done with it just now
                if time.time() - folder.stat().st_mtime > STALE:
                    shutil.rmtree(folder, ignore_errors=True)

    def _set_aside(self, key: str) -> None:
        aside = self.path / _ASIDE / key.replace("/", "-")
        aside.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        self._folder(key).rename(aside)

    def _mark_used(self, key: str) -> None:
        with contextlib.suppress(OSError):
            os.utime(self._folder(key) / CARD)

    def _folder(self, key: str) -> Path:
        return self.path.joinpath(*key.split("/"))

    def _retired(self, key: str) -> Path:
        return self.path / _RETIRED / key.replace("/", "-")

    def _alone(self) -> FileLock:
        return FileLock(self.path / _LOCK)


def write(folder: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write an artefact's two files, synced to the disk.

    Raises ValueError if meta is not JSON or a tensor has a type that safetensors lacks.
    """
    weights = folder / WEIGHTS
    try:
        safetensors.torch.save_file(_separate(tensors), weights)
        card = {"format": FORMAT, "weights": _digest(weights), "meta": dict(meta)}
        text = json.dumps(
            {**card, "digest": _card_digest(card)}, ensure_ascii=False, separators=(",", ":")
        )
    except safetensors.SafetensorError as error:
        raise _as_os_error(error, folder) from error
    except (TypeError, KeyError, RuntimeError) as error:
        raise ValueError(f"an artefact can't be kept: {error}") from error
    (folder / CARD).write_text(text + "\n", encoding="utf-8")
    for path in (weights, folder / CARD, folder):
        _sync(path)


def read(folder: Path, key: str, origin: str = "local") -> Artefact:
    """The artefact in a folder. Raises Damaged, UnknownFormat, or FileNotFoundError."""
    card = _read_card(folder)
    try:
        content = (folder / WEIGHTS).read_bytes()
    except FileNotFoundError as error:
        raise Damaged(f"{key} has lost its {WEIGHTS}") from error
    if hashlib.sha256(content).hexdigest() != card["weights"]:
        raise Damaged(f"{key}: {WEIGHTS} is not what its card says")
    return Artefact(key, safetensors.torch.load(content), card["meta"], origin)


def _read_card(folder: Path) -> dict[str, Any]:
    try:
        text = (folder / CARD).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        if folder.exists():
            raise Damaged(f"{folder.name} has lost its {CARD}") from error
        raise
    except UnicodeDecodeError as error:
        raise Damaged(f"{folder.name}/{CARD} is not text") from error
    try:
        card = json.loads(text)
        version, digest = card["format"], card.pop("digest")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Damaged(f"{folder.name}/{CARD} is not a card: {error}") from error
    if isinstance(version, int) and version > FORMAT:
        raise UnknownFormat(
            f"{folder.name} has format {version}; this program reads up to {FORMAT}: update it"
        )
    if digest != _card_digest(card):
        raise Damaged(f"{folder.name}/{CARD} is not what it was when it was written")
    return card


@lru_cache(maxsize=1024)
def _known_card(folder: Path, file: tuple[int, int, int]) -> dict[str, Any]:
    """The card in a file of this number, time and size, for a list. Not to be changed.

    Two files written within a tick of the clock may share all three, so weights are never read
    with it.
    """
    return _read_card(folder)


def _checked(key: str) -> str:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ValueError(f'key is {key!r}, but must be "topic/hexdigits" in lower case')
    return key


def _separate(tensors: Mapping[str, Tensor]) -> Tensors:
    """On the CPU, contiguous, none a view of another."""
    plain, seen = {}, set()
    for name, tensor in tensors.items():
        flat = tensor.detach().cpu().contiguous()
        place = flat.untyped_storage().data_ptr()
        plain[name] = flat.clone() if place in seen else flat
        seen.add(place)
    return plain


def _card_digest(card: Mapping[str, Any]) -> str:
    text = json.dumps(card, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _as_os_error(error: Exception, folder: Path) -> OSError:
    """safetensors hides the operating system's error in its own; its text names the reason."""
    return OSError(f"{folder.name}: {error}")


def _sync(path: Path) -> None:
    """Make sure that a file, or a folder's list of names, is on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows syncs no folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
