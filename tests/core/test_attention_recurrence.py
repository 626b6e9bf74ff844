"""The recurrence: its state is the sum written out, its outputs are those of the parallel form."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from core import attention as core
from core.attention.recurrence import DRIFT, DTYPES, LENGTH, LONG, drifts, relative, tokens
from core.tables import load_table
from tests.configs import configs


@settings(deadline=None, max_examples=30)
@given(config=configs(core.RecurrenceConfig))
def test_both_forms_agree_to_rounding_and_pictures_are_complete(
    config: core.RecurrenceConfig,
) -> None:
    result = core.recurrence(config)
    assert result.difference < 1e-12
    assert len(result.state) == result.numbers == result.features * (config.dim + 1)
    assert result.state["value"].abs().max() <= result.bound
    recurrent = result.outputs[result.outputs["curve"] == "recurrent"]
    assert recurrent["token"].tolist() == list(range(1, config.token + 1))
    assert result.cache == 2 * config.dim * config.token


def test_the_state_is_the_sum_of_outer_products_and_z_that_of_features() -> None:
    config = core.RecurrenceConfig(token=5, dim=3)
    _, k, v = (x[:5] for x in tokens(config))
    phi = core.elu(k)
    whole = torch.cat([phi.T @ v, phi.sum(dim=0).unsqueeze(1)], dim=1)
    np.testing.assert_allclose(core.recurrence(config).state["value"], whole.flatten())


def test_numerator_over_denominator_is_the_output_shown_last() -> None:
    for kernel in ("elu", "exp", "taylor2"):
        result = core.recurrence(core.RecurrenceConfig(kernel=kernel, token=7))
        last = result.outputs[result.outputs["curve"] == "recurrent"]["value"].iloc[-1]
        assert result.numerator / result.denominator == result.output == pytest.approx(last)


def test_a_query_that_looks_at_nothing_gets_nothing() -> None:
    made = [core.RecurrenceConfig(kernel="relu", dim=1, token=1, seed=seed) for seed in range(20)]
    results = [core.recurrence(config) for config in made]
    assert {result.denominator > 0 for result in results} == {True, False}
    for result in results:
        last = result.outputs[result.outputs["curve"] == "recurrent"]["value"].iloc[-1]
        assert result.output == pytest.approx(last)


def test_before_the_first_token_the_state_is_zero() -> None:
    result = core.recurrence(core.RecurrenceConfig(token=0))
    assert (result.state["value"] == 0).all()
    assert set(result.outputs["curve"]) == {"parallel"}


def test_the_color_scale_is_the_same_at_every_token() -> None:
    assert len({core.recurrence(core.RecurrenceConfig(token=t)).bound for t in (0, 9, 24)}) == 1
    assert LENGTH == 24


@pytest.mark.parametrize("kernel", ["elu", "relu", "exp"])
def test_kept_drifts_are_what_today_s_code_measures(kernel: str) -> None:
    kept = load_table(DRIFT, ("kernel", "meter", "dtype", "token", "error"))
    for dtype in DTYPES:
        today = drifts(kernel, dtype, [1, 10, 50])
        rows = kept[(kept["kernel"] == kernel) & (kept["dtype"] == dtype)]
        for row in today.itertuples():
            mine = rows[(rows["meter"] == row.meter) & (rows["token"] == row.token)]
            assert float(mine["error"].iloc[0]) == pytest.approx(row.error, rel=0.2, abs=1e-7)


def test_claim_half_precision_sums_stand_still_and_float32_does_not() -> None:
    for kernel in ("elu", "relu", "exp"):
        ends = core.drift(core.DriftConfig(kernel=kernel, meter="normalizer")).last
        by_dtype = dict(zip(ends["dtype"], ends["value"], strict=True))
        assert by_dtype["float32"] < 1e-5
        assert by_dtype["bfloat16"] > 0.7
        assert 0.05 < by_dtype["float16"] < by_dtype["bfloat16"]


def test_drift_shows_every_format_up_to_the_last_token_and_names_the_worst() -> None:
    result = core.drift(core.DriftConfig())
    assert set(result.errors["curve"]) == set(DTYPES)
    assert result.errors["token"].max() == LONG
    assert result.error == result.last["value"].max()


def test_relative_errors_are_euclidean() -> None:
    found = relative(torch.tensor([3.0, 4.0]), torch.tensor([0.0, 4.0], dtype=torch.float64))
    assert found == 0.75
