"""Angles through depth: the map against closed forms and drawn normals, the path, the order."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given

from core import initialization as core
from tests.configs import configs


def chosen(result: core.Collapse, activation: str) -> np.ndarray:
    rows = result.paths[result.paths["activation"] == activation]
    return rows["cosine"].to_numpy()


@given(config=configs(core.CollapseConfig))
def test_every_path_is_one_of_cosines_and_goes_over_the_map(config: core.CollapseConfig) -> None:
    result = core.collapse(config)
    assert set(result.paths["activation"]) == set(core.ACTIVATIONS)
    assert result.paths["cosine"].abs().max() <= 1 + 1e-9
    own = chosen(result, config.activation)
    assert own[0] == pytest.approx(config.start)
    assert own[-1] == result.last
    corners = result.cobweb[result.cobweb["curve"] == "path"]
    np.testing.assert_allclose(corners["cosine"].iloc[1::2], own[:-1], atol=1e-12)
    np.testing.assert_allclose(corners["value"].iloc[1::2], own[1:], atol=1e-12)


def test_relu_takes_thirteen_layers_to_make_orthogonal_inputs_nearly_parallel() -> None:
    result = core.collapse(core.CollapseConfig())
    cosine, layers = 0.0, 0
    while cosine <= 0.9:  # the closed form, by hand
        cosine = (math.sqrt(1 - cosine**2) + cosine * (math.pi - math.acos(cosine))) / math.pi
        layers += 1
    assert result.apart == layers == 13


def test_odd_activations_keep_orthogonal_inputs_orthogonal_and_gelu_stops_on_the_way() -> None:
    result = core.collapse(core.CollapseConfig(depth=100))
    for name in ("linear", "tanh", "erf", "sin"):
        assert np.abs(chosen(result, name)).max() < 1e-12
    gelu = chosen(result, "gelu")
    assert gelu[-1] == pytest.approx(gelu[-2], abs=1e-4)  # a fixed point that is not 1
    assert 0.7 < gelu[-1] < 0.8
    assert chosen(result, "relu")[-1] > 0.99


@pytest.mark.parametrize("name", ["gelu", "sigmoid", "tanh"])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_the_map_is_that_of_drawn_normals(name: str, layer_norm: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    first, other = torch.randn(2, 400_000, generator=generator, dtype=torch.float64)
    phi = core.ACTIVATIONS[name]
    for cosine in (-0.5, 0.3, 0.8):
        x, y = phi(first), phi(cosine * first + math.sqrt(1 - cosine**2) * other)
        if layer_norm:
            x, y = x - x.mean(), y - y.mean()
        drawn = float(x @ y / (x.norm() * y.norm()))
        found = core.angle_map(name, np.array([cosine]), layer_norm=layer_norm)
        assert found[0] == pytest.approx(drawn, abs=0.01)
