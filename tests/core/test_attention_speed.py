"""The measurement of a machine: what is measured, how it goes on, what follows from a table."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from core import attention as core
from core.attention import peak, speed
from core.tables import save_table

LENGTHS = (64, 128, 256, 512, 1024, 2048)
LAWS = {  # seconds of a made-up machine: the linear form crosses the fused one at n = 200
    "fused": lambda n: 1e-9 * n**2,
    "written": lambda n: 4e-9 * n**2,
    "linear": lambda n: 2e-7 * n,
    "left": lambda n: 3e-9 * n**2,
    "cumulative": lambda n: 1e-5 * n,
    "steps": lambda n: 2e-6 * n,
}


def law_table(causal: bool, backward: bool) -> pd.DataFrame:
    rows = [
        {
            "causal": causal, "backward": backward, "form": form, "n": n,
            "low": 0.9 * LAWS[form](n), "seconds": LAWS[form](n), "high": 1.2 * LAWS[form](n),
            "megabytes": 0.01 * n if form in ("linear", "fused") else 1e-4 * n**2,
        }
        for form in speed.attentions(causal)
        for n in LENGTHS
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def machine_of_laws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = [law_table(c, b) for c in (True, False) for b in (True, False)]
    save_table(tmp_path / "speed.json", pd.concat(tables), {"machine": speed.machine()})
    monkeypatch.setattr(speed, "SHIPPED", tmp_path / "speed.json")


@pytest.mark.usefixtures("machine_of_laws")
@pytest.mark.parametrize("causal", [False, True])
def test_crossings_and_exponents_are_those_of_the_laws(causal: bool) -> None:
    result = core.associativity(core.AssociativityConfig(causal=causal))
    assert result.crossing == pytest.approx(200, rel=1e-9)
    assert result.written == 64  # cheaper from the first length on
    exponents = result.table.set_index("form")["exponent"]
    for form in ("fused", "written"):
        assert exponents[form] == pytest.approx(2)
    assert exponents["linear"] == pytest.approx(1)
    marks = result.curves.set_index("curve")
    assert marks.loc["crossing", "value"] == pytest.approx(LAWS["linear"](200))
    assert marks.loc["theory", "n"] == 64
    fused = marks.loc["fused"].set_index("n")
    np.testing.assert_allclose(fused["low"] / fused["value"], 0.9)
    np.testing.assert_allclose(fused["high"] / fused["value"], 1.2)


@pytest.mark.usefixtures("machine_of_laws")
def test_memory_that_never_crosses_is_said_to() -> None:
    result = core.associativity(core.AssociativityConfig(quantity="memory"))
    assert result.crossing == 128  # equal throughout: never dearer, from where noise ends
    assert not {"low", "high"} & set(result.table.columns)
    rows = law_table(True, False)
    rows.loc[rows["form"] == "linear", "seconds"] *= 100
    assert math.isnan(speed.crossing(rows, "seconds", "fused"))


def test_the_measurement_covers_every_form_and_goes_on_from_a_checkpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speed, "peak_megabytes", lambda points, config: [1.0] * len(points))
    config = core.SpeedConfig(heads=1, width=16, longest=256)
    snapshots = list(speed.measure(config))
    assert [s.done for s in snapshots] == [1, 2, 3, 4]
    assert all(s.total == 4 for s in snapshots)
    table = speed.table_of(config, snapshots[-1].weights()["rows"])
    assert set(table["form"]) == set(speed.attentions(True))
    assert (table["low"] <= table["seconds"]).all()
    assert (table["seconds"] <= table["high"]).all()
    resumed = list(speed.measure(config, snapshots[1].state()))
    assert [s.done for s in resumed] == [3, 4]
    assert (table["megabytes"] == 1).all()
    before, after = (x.weights()["rows"][:10, :-1] for x in (snapshots[1], resumed[0]))
    assert torch.equal(before, after)


@pytest.mark.parametrize("causal", [False, True])
def test_what_is_measured_computes_the_same_thing(causal: bool) -> None:
    found = speed.attentions(causal)
    qkv = speed.inputs(core.SpeedConfig(heads=2, width=16), 40)
    torch.testing.assert_close(found["fused"](*qkv), found["written"](*qkv))
    for form in {"cumulative", "steps"} & set(found):
        torch.testing.assert_close(found[form](*qkv), found["linear"](*qkv))


@pytest.mark.skipif(not peak.RESET.exists(), reason="the system does not tell a peak")
def test_the_peak_is_at_least_the_output_and_sees_a_matrix() -> None:
    config = core.SpeedConfig(heads=4, width=64)
    linear, written = peak.peak_megabytes([("linear", 2048), ("written", 2048)], config)
    assert linear >= 4 * 2048 * 64 * 4 / 2**20
    assert written >= 4 * 2048 * 2048 * 4 / 2**20


def test_without_an_answer_of_the_system_memory_is_not_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peak, "RESET", Path("/nowhere"))
    assert np.isnan(peak.peak_megabytes([("linear", 64)], core.SpeedConfig())).all()


def test_the_key_of_a_measurement_is_the_same_in_every_process() -> None:
    """A worker may have other threads than the page that looks for what it has measured."""
    before, threads = core.SPEED.key(core.SpeedConfig()), torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert core.SPEED.key(core.SpeedConfig()) == before
    finally:
        torch.set_num_threads(threads)


def test_what_ships_is_whole() -> None:
    kept = json.loads(speed.SHIPPED.read_text(encoding="utf-8"))
    assert set(speed.machine()) == set(kept["machine"])
    for causal in (True, False):
        for backward in (True, False):
            rows, _ = speed.shipped_speed(core.SpeedConfig(causal=causal, backward=backward))
            assert set(rows["form"]) == set(speed.attentions(causal))
            linear = rows[rows["form"] == "linear"]
            assert linear["n"].max() == 16384


def test_a_damaged_table_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "SHIPPED", tmp_path / "speed.json")
    with pytest.raises(ValueError, match=r"speed\.json is missing"):
        core.associativity(core.AssociativityConfig())
