"""The trained networks that ship: read, checked against their cards; written by the script.

`python scripts/train_gelu_network.py` makes them.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import load, save
from torch import Tensor

FOLDER = Path(__file__).parents[2] / "pretrained" / "gelu"


def load_network(depth: int, seed: int) -> dict[str, Tensor]:
    """The weights of one network. Raises ValueError if they are missing or damaged."""
    folder = network_folder(depth, seed)
    card, content = load_card(depth, seed), _read(folder / "model.safetensors")
    if hashlib.sha256(content).hexdigest() != card.get("sha256"):
        raise ValueError(f"{folder.name}/model.safetensors is damaged: not the weights of its card")
    return load(content)


def load_card(depth: int, seed: int) -> dict[str, Any]:
    """How a network was made: config, metrics, seed, versions, seconds, sha256."""
    return _json(network_folder(depth, seed) / "meta.json")


def save_network(depth: int, seed: int, weights: dict[str, Tensor], card: dict[str, Any]) -> None:
    """Keep the weights and their card, with the weights' hash added to it."""
    folder = network_folder(depth, seed)
    folder.mkdir(parents=True, exist_ok=True)
    content = save(weights)
    (folder / "model.safetensors").write_bytes(content)
    _write(folder / "meta.json", {**card, "sha256": hashlib.sha256(content).hexdigest()})


def retrained() -> pd.DataFrame:
    """Test accuracy of networks trained with each activation: activation, seed, accuracy."""
    path = FOLDER / "retrained.json"
    found = _json(path)
    if "table" not in found:
        raise ValueError(f"{path.name} is damaged: it has no table")
    return pd.DataFrame(found["table"], columns=["activation", "seed", "accuracy"])


def save_retrained(table: pd.DataFrame, card: dict[str, Any]) -> None:
    """Keep the accuracies of `retrained` and how they were made."""
    _write(FOLDER / "retrained.json", {**card, "table": table.to_dict(orient="records")})


def network_folder(depth: int, seed: int) -> Path:
    """Where the network of that depth and seed lies."""
    return FOLDER / f"network-d{depth}-s{seed}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path.parent.name}/{path.name} is missing: {error.strerror}") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_read(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.parent.name}/{path.name} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path.parent.name}/{path.name} is damaged: not an object")
    return found


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
