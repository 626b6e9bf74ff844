"""Sentence encoders: the vectors of a text's tokens, at any layer, and who attends to whom.

One encoder ships (core/encoder_file.py); any sentence-transformers model may take its place, from a
folder or from the hub: safetensors only, and no code of the model's own is ever run.

Axes: n tokens, d width; layers and heads as the model counts them. Arrays are NumPy, float32.
A model prefix such as "query: " is read by the model, and left out of what `encode` returns.
"""

import atexit
import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int, Int32

EMBEDDED = "embedded"
MODEL_FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "README.md")
MODEL_MARKS = ("modules.json", "config.json")  # one of them lies in a model's folder
HUB_SECONDS = 3.0  # what a reader waits for a hub that does not answer
RETRY_SECONDS = 60  # after which a model that could not be had is tried again
_WORD_BOUNDARIES = "▁Ġ"  # how pieces mark the space before a word
# Scripts that put no space between words (Chinese, Japanese, Thai, Lao, Burmese, Khmer).
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SPACED_WORD = re.compile(rf"[^\W{_UNSPACED}]+(?:['’][^\W{_UNSPACED}]+)*")
_LOCKS: dict[str, threading.Lock] = {}


@dataclass(frozen=True)
class Notice:
    """What a reader has to know of the encoder that came: the page has the words for `code`."""

    code: str  # "hub-unreachable", "model-not-found", "model-unreadable", "model-closed",
    # "store-not-writable"
    detail: str  # the model asked for or the folder, and what happened


@dataclass(frozen=True)
class TokenVectors:
    """The tokens of a text, without prefix and special tokens."""

    tokens: tuple[str, ...]  # as they stand in the text
    vectors: Float32[np.ndarray, "n d"]
    known: Bool[np.ndarray, " n"]  # False: not in the vocabulary, the vector says nothing of it
    truncated: bool  # the text is longer than what the model reads
    begins: Bool[np.ndarray, " n"]  # False: goes on with the word that the token before is of

    @property
    def unknown(self) -> int:
        """How many tokens are not in the vocabulary."""
        return int((~self.known).sum())


@dataclass(frozen=True)
class Attentions:
    """Who attends to whom, with prefix and special tokens, since every row sums to 1."""

    tokens: tuple[str, ...]
    weights: Float32[np.ndarray, "layers heads n n"]  # row: the token that looks
    truncated: bool


@dataclass(frozen=True)
class Layer:
    """One layer of a model at work, with prefix and special tokens as in `Attentions`."""

    tokens: tuple[str, ...]
    known: Bool[np.ndarray, " n"]  # False: not in the vocabulary
    truncated: bool
    weights: Float32[np.ndarray, "heads n n"]  # softmax(q k^T / sqrt(d)), row: the token that looks
    queries: Float32[np.ndarray, "heads n d"] | None  # None: this model keeps them out of sight
    keys: Float32[np.ndarray, "heads n d"] | None


@dataclass(frozen=True)
class _Tokens:
    ids: list[int]
    texts: tuple[str, ...]
    content: np.ndarray  # bool [n]: neither prefix nor special
    known: np.ndarray  # bool [n]
    truncated: bool
    begins: np.ndarray  # bool [n]


class _Unavailable(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.notice = Notice(code, detail)


@dataclass(frozen=True, eq=False)
class TokenEncoder:
    """A sentence encoder. Read-only: one object serves all threads."""

    name: str
    licence: str | None  # as the model's card says; None if it says nothing
    notice: Notice | None
    _network: Any = field(repr=False)  # core.bert.Bert, or what transformers builds
    _pool: Callable[[dict[str, Any]], Any] = field(repr=False)  # `_padded` -> a vector a text
    _tokenizer: Any = field(repr=False)  # tokenizers.Tokenizer: no padding, no cutting, no change
    _prefix: str = field(repr=False)  # what the model reads before a text
    _longest: int = field(repr=False)  # tokens that it reads, special ones among them
    _unknown: str | None = field(repr=False)  # the token for what is not in the vocabulary

    @property
    def dim(self) -> int:
        """Width d of the vectors."""
        return int(self._network.config.hidden_size)

    @property
    def layers(self) -> int:
        """How many layers; the hidden states are those of 0 (before the first) to `layers`."""
        return int(self._network.config.num_hidden_layers)

    @property
    def heads(self) -> int:
        """Attention heads a layer."""
        return int(self._network.config.num_attention_heads)

    def encode(self, text: str, *, layer: int = -1, contextual: bool = True) -> TokenVectors:
        """The vectors of a text's tokens after a layer: 0 to `layers`, or from the end, -1.

        contextual False: the rows of the word embedding, the same in every text. Raises ValueError
        if the text has no word or the model no such layer.
        """
        return self.encode_many([text], layer=layer, contextual=contextual)[0]

    def encode_many(
        self,
        texts: Sequence[str],
        *,
        layer: int = -1,
        contextual: bool = True,
        batch_size: int = 32,
    ) -> list[TokenVectors]:
        """`encode` for many texts at once. Raises ValueError as it does."""
        if not -self.layers - 1 <= layer <= self.layers:
            raise ValueError(f"layer is {layer}, but {self.name} has layers 0 to {self.layers}")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, but must be at least 1")
        tokens = [self._tokenize(text) for text in texts]
        found: list[TokenVectors] = []
        for start in range(0, len(tokens), batch_size):
            batch = tokens[start : start + batch_size]
            states = self._states(batch, layer) if contextual else self._static(batch)
            found += [_vectors(*pair) for pair in zip(batch, states, strict=True)]
        return found

    def numbered(self, texts: Sequence[str]) -> list[Int32[np.ndarray, " n"]]:
        """The numbers of each text's tokens, which `static` takes; none for a text without a word.

        What `encode` with contextual False looks up, for many texts at once and without copies.
        """
        prefix, found = self._prefix, []
        whole = [prefix + text for text in texts]
        for bare in self._tokenizer.encode_batch(whole, add_special_tokens=False):
            bare.truncate(self._room)
            ids = np.array(bare.ids, dtype=np.int32)
            found.append(ids[_content(bare, len(prefix))])
        return found

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The tokens of these numbers, without the mark of a word's beginning."""
        return [str(self._tokenizer.id_to_token(i)).strip(_WORD_BOUNDARIES) for i in ids]

    def static(self, ids: Int[np.ndarray, " n"]) -> Float32[np.ndarray, "n d"]:
        """The vectors of these tokens by themselves: rows of the word embedding."""
        import torch

        with torch.inference_mode():
            rows: np.ndarray = self._network.get_input_embeddings()(torch.from_numpy(ids)).numpy()
        return rows

    @property
    def unknown_id(self) -> int | None:
        """The number of the token that stands for whatever is not in the vocabulary."""
        return None if self._unknown is None else self._tokenizer.token_to_id(self._unknown)

    def attentions(self, text: str) -> Attentions:
        """The attention of every layer and head. Raises ValueError if the text has no word."""
        tokens = self._tokenize(text)
        weights = self._run([tokens], output_attentions=True).attentions
        stacked = np.stack([layer[0].numpy() for layer in weights])
        return Attentions(tokens.texts, stacked, tokens.truncated)

    def attention(self, text: str, layer: int, head: int) -> Float32[np.ndarray, "n n"]:
        """One head of one layer, both counted from 0; the tokens are those of `attentions`."""
        for name, value, count in (("layer", layer, self.layers), ("head", head, self.heads)):
            if not 0 <= value < count:
                raise ValueError(f"{name} is {value}, but {self.name} has 0 to {count - 1}")
        return self.attentions(text).weights[layer, head]

    def layer(self, text: str, index: int) -> Layer:
        """What a layer, counted from 0, compares and finds. Raises ValueError as `attention` does.

        Queries and keys come from models built as BERT is, where nothing is added to their product.
        """
        if not 0 <= index < self.layers:
            raise ValueError(f"layer is {index}, but {self.name} has 0 to {self.layers - 1}")
        tokens = self._tokenize(text)
        run = self._run([tokens], output_hidden_states=True, output_attentions=True)
        weights = run.attentions[index][0]
        found = self._queries_keys(run.hidden_states[index][0], index)
        if found is None or not _explains(*found, weights):
            found = None, None
        queries, keys = (x if x is None else x.numpy() for x in found)
        return Layer(tokens.texts, tokens.known, tokens.truncated, weights.numpy(), queries, keys)

    def sentence(self, text: str) -> Float32[np.ndarray, " d"]:
        """The text's vector by the model's own pooling, of length 1."""
        import torch

        with torch.inference_mode():
            pooled = self._pool(_padded([self._tokenize(text)]))[0]
            return torch.nn.functional.normalize(pooled, dim=0).float().numpy()

    def hidden_states(
        self,
        texts: Sequence[str],
        activation: Callable[[Any], Any],
        *,
        where: Collection[int],
    ) -> list[Float32[np.ndarray, "layers _ d"]]:
        """Every hidden state of texts if the layers in `where`, from 0, had another activation.

        `activation` maps tensors. Prefix and special tokens are among the n; the states are those
        of 0 (before the first layer) to `layers`. For a model built as BERT is. Nothing of the
        model is touched, so other threads may use it meanwhile. Raises ValueError if a text has no
        word.
        """
        rows = [self._tokenize(text) for text in texts]
        return [
            self._with_activation(_padded([row])["input_ids"], activation, where) for row in rows
        ]

    def _with_activation(
        self, ids: Any, activation: Callable[[Any], Any], where: Collection[int]
    ) -> np.ndarray:
        """BERT's layers one by one, for one text without padding: states [layers, n, d]."""
        import torch

        with torch.inference_mode():
            states = [self._network.embeddings(input_ids=ids)]
            for index, block in enumerate(self._network.encoder.layer):
                seen = block.attention(states[-1])[0]
                own = block.intermediate.intermediate_act_fn
                inner = (activation if index in where else own)(block.intermediate.dense(seen))
                states.append(block.output(inner, seen))
            found: np.ndarray = torch.cat(states).numpy()
        return found

    def _tokenize(self, text: str) -> _Tokens:
        """Ids of prefix, text and special tokens, cut to what the model reads."""
        whole, room = self._prefix + text, self._room
        bare = self._tokenizer.encode(whole, add_special_tokens=False)
        truncated = len(bare) > room
        bare.truncate(room)
        full = self._tokenizer.post_process(bare)
        content = _content(full, len(self._prefix))
        if not content.any():
            raise ValueError(f"text is {text[:40]!r}, but must have at least one word")
        texts = tuple(
            whole[start:end].strip() if is_content else piece
            for piece, (start, end), is_content in zip(
                full.tokens, full.offsets, content, strict=True
            )
        )
        known = np.array(full.ids) != self.unknown_id
        return _Tokens(full.ids, texts, content, known, truncated, _begins(full, whole))

    @property
    def _room(self) -> int:
        special = self._tokenizer.num_special_tokens_to_add(False)
        return self._longest - int(special)

    def _states(self, batch: Sequence[_Tokens], layer: int) -> list[np.ndarray]:
        states = self._run(batch, output_hidden_states=True).hidden_states[layer]
        return [state[: len(row.ids)].numpy() for row, state in zip(batch, states, strict=True)]

    def _static(self, batch: Sequence[_Tokens]) -> list[np.ndarray]:
        return [self.static(np.array(tokens.ids)) for tokens in batch]

    def _queries_keys(self, state: Any, index: int) -> tuple[Any, Any] | None:
        """Queries and keys [heads, n, d] of a layer from what enters it [n, width], as in BERT."""
        import torch

        try:
            attention = self._network.get_submodule(f"encoder.layer.{index}.attention.self")
            maps = attention.query, attention.key
        except AttributeError:
            return None
        with torch.inference_mode():
            query, key = (f(state).unflatten(-1, (self.heads, -1)).transpose(0, 1) for f in maps)
        return query, key

    def _run(self, batch: Sequence[_Tokens], **asked: bool) -> Any:
        import torch

        with torch.inference_mode():
            return self._network(**_padded(batch), **asked)


def encoder(name: str | None = None) -> TokenEncoder:
    """An encoder by name: "embedded", a folder, or a model of the hub ("owner/model").

    None: what the environment variable LAB_MODEL names, else the embedded one. Where the model
    can't be had the embedded one comes in its place, and its `notice` says so; a model that could
    not be had is tried again after a minute. A folder whose content has changed is read anew.
    Raises ValueError if the embedded one is damaged.
    """
    wanted = name or os.environ.get("LAB_MODEL") or EMBEDDED
    if wanted == EMBEDDED:
        with _lock(EMBEDDED):
            return _embedded()
    if not _may_have(wanted):
        return dataclasses.replace(encoder(EMBEDDED), notice=Notice("model-closed", wanted))
    with _lock(wanted):
        digest = content_of(wanted)
        notice = _trouble(wanted, digest, int(time.monotonic() // RETRY_SECONDS))
        if notice is None:
            return _foreign(wanted, digest)
    return dataclasses.replace(encoder(EMBEDDED), notice=notice)


def content_of(name: str) -> str:
    """The digest of the files of a model's folder; "" for any other name.

    Whoever keeps a folder's vectors keeps it beside the name. A file is read again only when its
    size, its time or its inode has changed. A model of the hub goes by its name alone: which
    revision it is, is not known before it is loaded.
    """
    if not _is_model_folder(name) or not _may_have(name):
        return ""
    folder = Path(name)
    try:
        found = (path for pattern in MODEL_FILES for path in folder.rglob(pattern))
        paths = sorted(path for path in found if path.is_file())
        listed = [(str(path.relative_to(folder)), _digest(path)) for path in paths]
    except OSError:  # a file that can't be read: loading will say so
        return ""
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:16]


def _is_model_folder(name: str) -> bool:
    """Whether sentence-transformers could read it; no other folder is searched through."""
    try:
        return any((Path(name) / file).is_file() for file in MODEL_MARKS)
    except OSError:  # a name too long for the disk
        return False


def _digest(path: Path) -> str:
    state = path.stat()
    return _file_digest(path.resolve(), state.st_size, state.st_mtime_ns, state.st_ino)


@lru_cache(maxsize=1024)
def _file_digest(path: Path, size: int, changed: int, inode: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _may_have(name: str) -> bool:
    """LAB_ANY_MODEL=off: readers are strangers, who get no folder and no download of their choice.

    The model that LAB_MODEL names is the owner's choice.
    """
    is_closed = os.environ.get("LAB_ANY_MODEL", "").lower() == "off"
    return not is_closed or name == os.environ.get("LAB_MODEL")


@lru_cache(maxsize=1)
def _embedded() -> TokenEncoder:
    from core.encoder_file import unpacked
    from core.store import root

    try:
        return _shipped(unpacked(root()))
    except OSError as error:
        place = Path(tempfile.mkdtemp(prefix="encoder-"))
        atexit.register(shutil.rmtree, place, ignore_errors=True)
        notice = Notice("store-not-writable", f"{root()}: {error}")
        return dataclasses.replace(_shipped(unpacked(place)), notice=notice)


def _shipped(folder: Path) -> TokenEncoder:
    """The encoder that ships, from its model folder."""
    from tokenizers import Tokenizer

    from core import bert
    from core.encoder_file import PREFIX, SHIPPED, UNKNOWN, WEIGHTS, read_card

    config = read_card()["config"]
    network = bert.load(folder, SHIPPED / WEIGHTS, config)
    return TokenEncoder(
        name=EMBEDDED,
        licence=_licence(folder),
        notice=None,
        _network=network,
        _pool=partial(_mean, network),
        _tokenizer=Tokenizer.from_file(str(folder / "tokenizer.json")),
        _prefix=PREFIX,
        _longest=config["max_position_embeddings"],
        _unknown=UNKNOWN,
    )


def _mean(network: Any, read: dict[str, Any]) -> Any:
    """The mean vector of each text's tokens, with prefix and special tokens [texts, d]."""
    mask = read["attention_mask"][..., None]
    return (network(**read).hidden_states[-1] * mask).sum(1) / mask.sum(1)


@lru_cache(maxsize=16)
def _trouble(name: str, digest: str, minute: int) -> Notice | None:
    """Why a model can't be had, remembered for that minute; None: it is loaded."""
    try:
        _foreign(name, digest)
    except _Unavailable as error:
        return error.notice
    return None


@lru_cache(maxsize=2)
def _foreign(name: str, digest: str) -> TokenEncoder:
    """The model as its files were when they had that digest."""
    folder = Path(name) if Path(name).is_dir() else _from_hub(name)
    try:
        _refuse_pickles(folder)
        return _load(folder, name)
    except Exception as error:  # whatever a foreign model makes two libraries raise
        raise _Unavailable("model-unreadable", f"{name}: {_first_line(error)}") from error


def _from_hub(name: str) -> Path:
    """The folder of a model in the hub's cache, brought up to date if the hub answers."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    revision, reason = None, ""
    with _quiet():
        try:
            revision = HfApi().model_info(name, timeout=HUB_SECONDS).sha
        except (HFValidationError, RepositoryNotFoundError) as error:
            raise _Unavailable("model-not-found", f"{name}: {_first_line(error)}") from error
        except Exception as error:  # whatever a network raises: the cache may have the model
            reason = _first_line(error)
        try:
            return Path(
                snapshot_download(
                    name,
                    revision=revision,
                    local_files_only=revision is None,
                    allow_patterns=list(MODEL_FILES),
                )
            )
        except Exception as error:  # neither in the cache, nor did all of it come
            reason = reason or _first_line(error)
            raise _Unavailable("hub-unreachable", f"{name}: {reason}") from error


def _load(folder: Path, name: str) -> TokenEncoder:
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

    with _quiet():
        model = SentenceTransformer(
            str(folder),
            device="cpu",
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={
                "attn_implementation": "eager",  # the one that can show its weights
                "use_safetensors": True,
                "dtype": torch.float32,
            },
        )
    model.eval().requires_grad_(False)
    tokenizer = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return TokenEncoder(
        name=name,
        licence=_licence(folder),
        notice=None,
        _network=model.transformers_model,
        _pool=lambda read: model(read)["sentence_embedding"],
        _tokenizer=tokenizer,
        _prefix=model.prompts.get(str(model.default_prompt_name)) or "",
        _longest=model.max_seq_length or sys.maxsize,
        _unknown=model.tokenizer.unk_token,
    )


def _refuse_pickles(folder: Path) -> None:
    """sentence-transformers would read a module's pickled weights where it finds no others."""
    for path in folder.rglob("pytorch_model.bin"):
        if not (path.parent / "model.safetensors").exists():
            raise ValueError(f"{path.relative_to(folder)} is pickled; only safetensors are read")


def _licence(folder: Path) -> str | None:
    """What the model's card names, in its first lines."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.exists() else ""
    found = re.search(r"\A---\n(?:.*\n)*?license: *(\S+)", text)
    return found[1] if found else None


def _content(encoding: Any, prefix: int) -> np.ndarray:
    """Which tokens [n] are neither special, nor of the prefix, nor a mere word boundary."""
    special, ends = encoding.special_tokens_mask, [end for _, end in encoding.offsets]
    words = [piece.strip(_WORD_BOUNDARIES) != "" for piece in encoding.tokens]
    return np.array(
        [
            is_word and not is_special and end > prefix
            for is_word, is_special, end in zip(words, special, ends, strict=True)
        ],
        dtype=bool,
    )


def _begins(encoding: Any, text: str) -> np.ndarray:
    """Which tokens [n] do not lie within a word, where words are set off by spaces or marks."""
    within = np.zeros(len(text) + 1, dtype=bool)
    for word in _SPACED_WORD.finditer(text):
        within[word.start() + 1 : word.end()] = True
    starts = [end - len(text[start:end].lstrip()) for start, end in encoding.offsets]
    found: np.ndarray = ~within[starts]
    return found


def _padded(batch: Sequence[_Tokens]) -> dict[str, Any]:
    """What a model reads: ids and mask [texts, longest]. The mask hides whatever pads."""
    import torch

    longest = max(len(tokens.ids) for tokens in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens.ids)] = torch.tensor(tokens.ids)
        mask[row, : len(tokens.ids)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def _explains(queries: Any, keys: Any, weights: Any) -> bool:
    """Whether the weights are those of the queries and keys alone."""
    scores = queries @ keys.mT / queries.shape[-1] ** 0.5
    return bool((scores.softmax(dim=-1) - weights).abs().max() < 1e-4)


def _vectors(tokens: _Tokens, states: np.ndarray) -> TokenVectors:
    kept = tokens.content
    texts = tuple(text for text, is_kept in zip(tokens.texts, kept, strict=True) if is_kept)
    return TokenVectors(
        texts, states[kept], tokens.known[kept], tokens.truncated, tokens.begins[kept]
    )


def _lock(name: str) -> threading.Lock:
    """One a model: a slow download keeps nobody from another model."""
    return _LOCKS.setdefault(name, threading.Lock())


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no advice on the console while a model is loaded."""
    from huggingface_hub import utils as hub
    from transformers.utils import logging as transformers

    loggers = [logging.getLogger(name) for name in ("sentence_transformers", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    verbosity, bars = transformers.get_verbosity(), transformers.is_progress_bar_enabled()
    hub_bars = not hub.are_progress_bars_disabled()
    transformers.set_verbosity_error()
    transformers.disable_progress_bar()
    hub.disable_progress_bars()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        transformers.set_verbosity(verbosity)
        if bars:
            transformers.enable_progress_bar()
        if hub_bars:
            hub.enable_progress_bars()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
