"""GELU swapped inside the sentence encoder."""

import numpy as np
import pytest
import torch.nn.functional as F

from core.encoders import encoder
from core.gelu import EncoderConfig, encoder_drift, fit, shipped_encoder_drift
from core.gelu.encoder import BEST_SLOPE, PLACES, sentences, swapped_layers

TEXTS = ("A cat sleeps on the warm roof.", "今天下雨，我们在家看书。", "Rates rose again.")


def test_with_its_own_activation_the_encoder_is_what_its_library_makes_of_it() -> None:
    model = encoder("embedded")
    found = model.hidden_states(TEXTS, F.gelu, where=range(model.layers))
    for text, states in zip(TEXTS, found, strict=True):
        inside = slice(-1 - len(model.encode(text).vectors), -1)  # before </s>, after the prefix
        for layer in (0, 1, model.layers):
            expected = model.encode(text, layer=layer).vectors
            np.testing.assert_allclose(states[layer][inside], expected, atol=2e-5)


def test_layers_before_the_first_swapped_one_stay_as_they_are() -> None:
    found = encoder_drift(EncoderConfig(layers="last", slope=1.702), TEXTS)
    drift = found.by_layer.pivot(index="layer", columns="activation", values="relative_drift")
    assert (drift.loc[:6] == 0).all(axis=None)
    assert (drift.loc[7:] > 0).all(axis=None)
    assert drift["own"].equals(drift["sigmoid"])  # the published slope is one of all slopes
    assert (drift.drop(columns="tanh").min(axis=1) >= drift["tanh"]).all()


def test_a_swap_is_in_all_layers_or_in_one_half_of_them() -> None:
    places = {place: list(swapped_layers(place, 12)) for place in PLACES}
    assert places["all"] == places["first"] + places["last"] == list(range(12))
    assert len(places["first"]) == 6


def test_what_ships_is_of_the_slope_that_is_best_for_gelu() -> None:
    best = fit("sigmoid", target="gelu", criterion="minimax").coefficients["slope"]
    assert round(best, 3) == EncoderConfig().slope == BEST_SLOPE


@pytest.mark.parametrize("place", PLACES)
def test_what_ships_has_every_layer_of_every_swap(place: str) -> None:
    found = shipped_encoder_drift(place)
    counts = found.by_layer.groupby("activation")["layer"].agg(["min", "max", "count"])
    assert counts.to_numpy().tolist() == [[1, 12, 12]] * 5
    assert set(found.vectors["activation"]) == set(counts.index)


def test_claim_only_the_tanh_form_leaves_the_nearest_sentences_alone() -> None:
    moved = shipped_encoder_drift("all").vectors.set_index("activation")["neighbors"]
    assert moved["tanh"] == 0
    assert 0 < moved["sigmoid"] < 0.25
    assert moved["relu"] > 0.75


def test_the_sentences_are_in_both_languages() -> None:
    chinese = [any("\u4e00" <= letter <= "\u9fff" for letter in text) for text in sentences()]
    assert len(chinese) == 80
    assert sum(chinese) == 40
