"""Where a trained model is looked for: shipped, then local, then a shared store.

Shipped models lie in the repository and are read-only. The local store is bounded: the model used
least recently goes first. LAB_SHARED_STORE names a third place, any address that fsspec knows,
which several machines fill and read. What no disk takes is kept in memory.
"""

import contextlib
import os
import shutil
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import fsspec
from torch import Tensor

from core.store import CARD, WEIGHTS, Artefact, Card, Damaged, Store, write

SHIPPED = Store(Path(__file__).parent.parent / "pretrained", origin="shipped")
LIMIT = 2_000_000_000  # bytes of the local store, unless LAB_STORE_BYTES says otherwise
REMEMBERED = 8  # artefacts that are kept in memory when no disk takes them
PATIENCE = 3.0  # seconds that a page waits for the shared store
ASK_AGAIN = 30.0  # seconds after which it is asked again for what it lacked
LACKED = 1000  # keys that it is known to have lacked

_memory: OrderedDict[str, Artefact] = OrderedDict()
_lacked: OrderedDict[str, float] = OrderedDict()  # until when the shared store is not asked again


def find(key: str) -> Artefact | None:
    """The artefact on this machine: in memory, shipped or local; None if it is nowhere."""
    return _memory.get(key) or SHIPPED.get(key) or Store().get(key)


def has(key: str) -> bool:
    """Whether `find` would find it, without reading its tensors.

    What another machine has made meanwhile is fetched from the shared store.
    """
    return key in _memory or bool(SHIPPED.card(key) or Store().card(key)) or _arrives(key)


def _arrives(key: str) -> bool:
    """Whether the shared store has it; one that hangs is not waited for."""
    now = time.monotonic()
    if not shared_address() or now < _lacked.get(key, now):
        return False
    _lacked[key] = now + ASK_AGAIN
    while len(_lacked) > LACKED:
        _lacked.popitem(last=False)
    asked = threading.Thread(target=fetch, args=(key,), daemon=True)
    asked.start()
    asked.join(PATIENCE)
    return Store().card(key) is not None


def keep(key: str, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> Artefact:
    """Keep an artefact in the local store, and in the shared one if there is one.

    If the local store can't be written it stays in memory: its `origin` says so.
    """
    try:
        found = Store().put(key, tensors, meta)
    except OSError:
        return remember(Artefact(key, dict(tensors), dict(meta)))
    Store().trim(limit())
    publish(key)
    return found


def remember(artefact: Artefact) -> Artefact:
    """Keep an artefact in this process's memory."""
    kept = Artefact(artefact.key, artefact.tensors, artefact.meta, "memory")
    _memory[artefact.key] = kept
    while len(_memory) > REMEMBERED:
        _memory.popitem(last=False)
    return kept


def fetch(key: str) -> Artefact | None:
    """The artefact from the shared store, kept locally; None if it is not there or not whole.

    An unreachable shared store is as one that has nothing.
    """
    if not (address := shared_address()):
        return None
    try:
        files, base = fsspec.core.url_to_fs(address)
        with Store().new_folder() as folder:
            for name in (CARD, WEIGHTS):
                files.get_file(f"{base}/{key}/{name}", str(folder / name))
            return Store().adopt(key, folder)
    except (OSError, Damaged):
        return None


def publish(key: str) -> bool:
    """Copy an artefact of the local store to the shared one; whether it is there now.

    The card goes last: a reader that finds it finds the tensors, too.
    """
    if not (address := shared_address()):
        return False
    with contextlib.suppress(OSError):
        files, base = fsspec.core.url_to_fs(address)
        files.makedirs(f"{base}/{key}", exist_ok=True)
        for name in (WEIGHTS, CARD):
            files.pipe_file(f"{base}/{key}/{name}", Store().file(key, name))
        return True
    return False


def ship(artefact: Artefact) -> None:
    """Put an artefact among those that come with the repository. For the scripts that make them."""
    withdraw(artefact.key)
    folder = SHIPPED.path / artefact.key
    folder.mkdir(parents=True)
    write(folder, artefact.tensors, artefact.meta)


def withdraw(key: str) -> None:
    """Take an artefact out of the repository, to make it again."""
    shutil.rmtree(SHIPPED.path / key, ignore_errors=True)


def cards(topic: str = "*") -> list[Card]:
    """What is known of every artefact on this machine, or of a topic's, those made here first."""
    shipped = {card.key: card for card in SHIPPED.cards(topic)}
    remembered = [kept for kept in _memory.values() if fnmatch(kept.key, f"{topic}/*")]
    made = [Card(kept.key, kept.meta, 0, 0.0, "memory") for kept in remembered]
    made += [card for card in Store().cards(topic) if card.key not in shipped]
    return [*made, *shipped.values()]


def forget(key: str) -> None:
    """Remove an artefact from memory and the local store; what is shipped or shared stays."""
    _memory.pop(key, None)
    Store().remove(key)


def file(card: Card, name: str) -> bytes:
    """A file of an artefact, for a reader to take along. Raises OSError if it is gone."""
    store = SHIPPED if card.origin == "shipped" else Store()
    return store.file(card.key, name)


def limit() -> int:
    """How many bytes the local store may take."""
    asked = os.environ.get("LAB_STORE_BYTES", "")
    return int(asked) if asked.isdigit() else LIMIT


def shared_address() -> str | None:
    """Where models are shared between machines, if anywhere: LAB_SHARED_STORE."""
    return os.environ.get("LAB_SHARED_STORE") or None


def store_id() -> str | None:
    """A name of the local store: two processes that read the same one share a disk.

    None if the store can't be written.
    """
    path = Store().path / "_id"
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError), path.open("x") as file:
            file.write(uuid.uuid4().hex)
        return path.read_text()
    return None
