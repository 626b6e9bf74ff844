"""The texts that a reader searches in: those that ship, and the reader's own, kept by digest.

A reader's texts are kept beside the models, in a store of their own that is bounded: the one used
least recently goes first, and a link to it then says that it is gone.
"""

import hashlib
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from core.similarity.lines import BYTES
from core.store import Store, root

SHIPPED = Path(__file__).parents[2] / "pretrained" / "similarity" / "corpus.toml"
LIMIT = 10 * BYTES  # of all readers' texts together


class Gone(ValueError):
    """Texts that are kept no more, or never were."""


def keep(texts: Sequence[str]) -> str:
    """Keep a reader's texts; the digest to ask for them by. Raises OSError on a full disk."""
    content = "\n".join(texts).encode()
    digest = _digest(content)
    tensor = torch.from_numpy(np.frombuffer(content, dtype=np.uint8).copy())
    _store().put(_key(digest), {"text": tensor}, {"lines": len(texts)})
    _store().trim(LIMIT)
    return digest


def texts_of(digest: str) -> tuple[str, ...]:
    """The texts of that digest, "" for those that ship. Raises Gone if they are not here."""
    if not digest:
        return shipped()
    try:
        found = _store().get(_key(digest))
    except ValueError as error:  # no digest at all
        raise Gone(f"texts are {digest!r}, but must be named by a digest") from error
    if found is None:
        raise Gone(f"the texts {digest} are not kept on this machine")
    return tuple(found.tensors["text"].numpy().tobytes().decode().split("\n"))


def is_here(digest: str) -> bool:
    """Whether `texts_of` would find them."""
    try:
        return not digest or _store().card(_key(digest)) is not None
    except ValueError:
        return False


def digest_of(digest: str) -> str:
    """What decides the texts: their digest, that of the shipped ones spelled out."""
    return digest or _digest("\n".join(shipped()).encode())


@lru_cache(maxsize=1)
def shipped() -> tuple[str, ...]:
    """Our own texts, Chinese and English, theme by theme."""
    themes = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))["themes"].values()
    return tuple(text for theme in themes for language in ("en", "zh") for text in theme[language])


def _store() -> Store:
    return Store(root() / "_texts")


def _key(digest: str) -> str:
    return f"similarity/{digest}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
