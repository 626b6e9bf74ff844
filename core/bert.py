"""BERT, forwards only: what the encoder that ships needs of it.

transformers has it too, and runs the models that readers name; but importing it has torch import
its compiler and sympy, 120 MB of a server, for one model whose form is known. Modules have the
names that they have there: a file of weights fits both, and so does whatever looks inside.

Source: Devlin et al. 2018 (arXiv:1810.04805), 3; the layers are those of Vaswani et al. 2017
(arXiv:1706.03762), 3. Axes: b texts, n tokens, d width, h heads.
"""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.encoder_file import NIBBLES, SCALE, WEIGHTS, dequantize

WORDS = "embeddings.word_embeddings.weight"
POOLER = "pooler."  # a layer that files of weights have and no sentence encoder asks for


@dataclass(frozen=True)
class Output:
    """All that a network has seen on its way."""

    hidden_states: tuple[Float[Tensor, "b n d"], ...]  # before the first layer, and after each
    attentions: tuple[Float[Tensor, "b h n n"], ...]  # of each layer; row: the token that looks


class Bert(nn.Module):
    """Of the shape that `config` says, in transformers' words; without weights until they come."""

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))

    def forward(
        self,
        input_ids: Int[Tensor, "b n"],
        attention_mask: Int[Tensor, "b n"],
        **asked: bool,  # transformers' output_...: here they come in any case
    ) -> Output:
        """Every state and every attention. Where the mask is 0 nobody looks."""
        hidden = torch.where(attention_mask.bool(), 0.0, float("-inf"))[:, None, None]
        states, attentions = [self.embeddings(input_ids)], []
        for layer in self.encoder.layer:  # type: ignore[union-attr]
            state, weights = layer(states[-1], hidden)
            states.append(state)
            attentions.append(weights)
        return Output(tuple(states), tuple(attentions))

    def get_input_embeddings(self) -> nn.Module:
        """Maps tokens to their vectors."""
        return self.embeddings.word_embeddings


class Embeddings(nn.Module):
    """Token + kind of text + place, normalized. There is one kind of text."""

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        width = config.hidden_size
        self.word_embeddings: nn.Module = _rows(config.vocab_size, width)
        self.position_embeddings = _rows(config.max_position_embeddings, width)
        self.token_type_embeddings = _rows(config.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)

    def forward(self, input_ids: Int[Tensor, "b n"]) -> Float[Tensor, "b n d"]:
        """The state before the first layer."""
        words = self.word_embeddings(input_ids) + self.token_type_embeddings.weight[0]
        found: Tensor = self.LayerNorm(words + self.position_embeddings.weight[: words.shape[1]])
        return found


class PackedWords(nn.Module):
    """The word embedding as it ships, 4 bits a number: 11 MB of memory, where floats take 81."""

    def __init__(self, packed: Path) -> None:
        super().__init__()
        with safetensors.safe_open(packed, framework="numpy") as file:
            self.scale, self.nibbles = (file.get_tensor(WORDS + end) for end in (SCALE, NIBBLES))

    def forward(self, input_ids: Int[Tensor, "*b n"]) -> Float[Tensor, "*b n d"]:
        """Their vectors, exactly."""
        rows = input_ids.flatten().numpy()
        found = torch.from_numpy(dequantize(self.scale[rows], self.nibbles[rows]))
        return found.view(*input_ids.shape, -1)


def _rows(count: int, width: int) -> nn.Embedding:
    """An embedding that draws nothing: on the device "meta" that would import the compiler."""
    return nn.Embedding.from_pretrained(torch.empty(count, width))


class Layer(nn.Module):
    """Attention, then two linear maps with an activation between them; each added to its input."""

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.intermediate = Intermediate(config)
        self.output = Added(config.intermediate_size, config)

    def forward(self, state: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The state after the layer, and who looked at whom."""
        seen, weights = self.attention(state, hidden)
        return self.output(self.intermediate(seen), seen), weights


class Attention(nn.Module):
    """Self-attention, added to its input."""

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        self.self = SelfAttention(config)
        self.output = Added(config.hidden_size, config)

    def forward(self, state: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The state after it, and the weights [b, h, n, n]."""
        found, weights = self.self(state, hidden)
        return self.output(found, state), weights


class SelfAttention(nn.Module):
    """softmax(q k^T / sqrt(d / h)) v of each head. `hidden` is added to the scores."""

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.query, self.key, self.value = (
            nn.Linear(config.hidden_size, config.hidden_size) for _ in range(3)
        )

    def forward(self, state: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The heads side by side [b, n, d], and their weights [b, h, n, n]."""
        maps = (self.query, self.key, self.value)
        q, k, v = (f(state).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in maps)
        scores = q @ k.mT * q.shape[-1] ** -0.5
        weights = (scores if hidden is None else scores + hidden).softmax(-1)
        return (weights @ v).transpose(1, 2).flatten(2), weights


class Intermediate(nn.Module):
    """The first of the two linear maps, and the activation. It is a module's own: GELU as it is."""

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.intermediate_size)
        self.intermediate_act_fn = F.gelu

    def forward(self, state: Tensor) -> Tensor:
        """[b, n, wide]."""
        return self.intermediate_act_fn(self.dense(state))


class Added(nn.Module):
    """A linear map whose result is added to the state, and the sum normalized."""

    def __init__(self, width: int, config: SimpleNamespace) -> None:
        super().__init__()
        self.dense = nn.Linear(width, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, inner: Tensor, state: Tensor) -> Float[Tensor, "b n d"]:
        """The new state."""
        found: Tensor = self.LayerNorm(self.dense(inner) + state)
        return found


def load(folder: Path, packed: Path, config: dict[str, Any]) -> Bert:
    """The network of an unpacked model folder, its words from the packed file.

    The other weights stay on the disk until they are used. Raises RuntimeError if they are not
    those of the config, ValueError for another activation.
    """
    if config["hidden_act"] != "gelu":
        raise ValueError(f"hidden_act is {config['hidden_act']!r}, but only gelu is known here")
    with torch.device("meta"):  # nothing is drawn, nothing allocated
        network = Bert(SimpleNamespace(**config))
    network.embeddings.word_embeddings = PackedWords(packed)
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    network.load_state_dict(
        {name: tensors[name] for name in tensors if not name.startswith((WORDS, POOLER))},
        assign=True,
    )
    return network.eval().requires_grad_(False)
