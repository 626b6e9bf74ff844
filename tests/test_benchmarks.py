"""The benchmarks' own arithmetic and protocol: no browser, no server."""

import numpy as np
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks import attention, load, scaling
from benchmarks.figures import Figure, Target, summarize, table
from benchmarks.readers import Answer, Reader, read
from core.gelu import NETWORK, NetworkConfig
from core.library import SHIPPED


def drawn(fragment: str = "panel") -> ForwardMsg:
    """A slider at 5.0 on a grid of halves, as a server sends it."""
    message = ForwardMsg()
    message.delta.fragment_id = fragment
    slider = message.delta.new_element.slider
    slider.id = "$$ID-0f-gelu.curves.reach"
    slider.min, slider.max, slider.step = 2.0, 8.0, 0.5
    slider.default.append(5.0)
    return message


def received(*messages: ForwardMsg) -> Answer:
    """What a reader makes of these messages."""
    answer = Answer()
    for message in messages:
        read(message.delta, answer)
    return answer


@pytest.mark.parametrize("n", [1, 2, 5, 40, 101])
def test_summary_agrees_with_numpy(n: int) -> None:
    samples = np.random.default_rng(n).exponential(size=n).tolist()
    expected = [n, min(samples), *np.quantile(samples, [0.5, 0.95]), max(samples)]
    np.testing.assert_allclose(list(summarize(samples).values()), expected)


def test_table_flags_a_missed_target_only() -> None:
    fast = Figure("fast", "ms", [100, 140], Target("p95", 150))
    slow = Figure("slow", "ms", [100, 160], Target("p95", 150))
    _, first, second = table([fast, slow]).splitlines()
    assert first.endswith("met")
    assert second.endswith("MISSED")


def test_a_figure_without_samples_misses_its_target() -> None:
    figure = Figure("nothing", "ms", [], Target("median", 200))
    assert figure.met is False
    assert figure.to_dict()["n"] == 0


def test_a_target_is_met_at_its_bound() -> None:
    assert Figure("just", "s", [7.0], Target("max", 7)).met is True


def test_a_drawn_control_tells_its_values_and_its_fragment() -> None:
    (control,) = received(drawn()).controls.values()
    assert control.key == "gelu.curves.reach"
    assert control.fragment == "panel"
    assert control.value == 5.0
    assert list(control.values) == [2 + step / 2 for step in range(13)]


def test_streamlit_reads_back_the_rerun_of_a_moved_control() -> None:
    reader = Reader("http://127.0.0.1:1")
    reader.controls = received(drawn()).controls
    (control,) = reader.controls.values()
    control.value = 5.5

    state = BackMsg.FromString(reader.request("panel").SerializeToString()).rerun_script

    assert state.fragment_id == "panel"
    (widget,) = state.widget_states.widgets
    assert widget.id == control.id
    assert list(widget.double_array_value.data) == [5.5]


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [("text_input", "string_value", "a b"), ("number_input", "int_value", 7)],
)
def test_the_server_hears_of_what_was_never_changed(
    kind: str, field: str, value: str | int
) -> None:
    message = ForwardMsg()
    box = getattr(message.delta.new_element, kind)
    box.id, box.default = "$$ID-0f-similarity.plan.a", value
    reader = Reader("http://127.0.0.1:1")
    reader.controls = received(message).controls

    state = BackMsg.FromString(reader.request().SerializeToString()).rerun_script

    (widget,) = state.widget_states.widgets
    assert getattr(widget, field) == value


def test_readers_who_train_ask_for_what_their_panel_takes_and_nobody_has() -> None:
    wanted = [NetworkConfig(depth=str(depth), seed=seed) for depth, seed in load.UNTRAINED]
    keys = {NETWORK.key(config.training) for config in wanted}
    assert len(keys) == len(wanted)
    assert not any(SHIPPED.card(key) for key in keys)


def test_an_exception_on_the_page_is_an_error() -> None:
    message = ForwardMsg()
    message.delta.new_element.exception.type = "ValueError"
    message.delta.new_element.exception.message = "no"
    assert received(message).exceptions == ["ValueError: no"]


def test_attention_crosses_between_two_lengths() -> None:
    laws = {"chunkwise": lambda n: 200.0 * n, "fused softmax": lambda n: 1.0 * n * n}
    least = {(name, n): law(n) for name, law in laws.items() for n in (128, 256, 512)}
    assert attention.crossing(least) == pytest.approx(200)
    assert attention.crossing({key: v for key, v in least.items() if key[1] > 200}) == 256
    slow = {(name, n): v * (9 if name == "chunkwise" else 1) for (name, n), v in least.items()}
    assert attention.crossing(slow) == float("inf")


def test_attention_figures_say_whether_targets_are_met() -> None:
    found = {
        (name, n): [1e-3 * n * (n / 512 if name == "fused softmax" else 1)]
        for name in ("chunkwise", "fused softmax")
        for n in (256, 1024, 16384)
    }
    rows = {row.name: row for row in attention.figures(attention.PASSES[0], found)}
    ratio = rows["causal, forward, n = 16384: chunkwise / fused softmax"]
    assert ratio.summary["max"] == pytest.approx(1 / 32)
    assert ratio.met
    assert not rows["causal, forward: crossing"].met  # at 512
    assert rows["causal, forward: exponent of chunkwise time in n"].met


def test_attention_can_be_measured_beside_one_peer() -> None:
    found = {(name, 16384): [ms] for name, ms in (("chunkwise", 2.0), ("fast-transformers", 8.0))}
    rows = {row.name: row for row in attention.figures(attention.PASSES[0], found)}
    ratio = rows["causal, forward, n = 16384: chunkwise / fast-transformers"]
    assert (ratio.summary["max"], ratio.target) == (0.25, None)
    assert "causal, forward: crossing" not in rows
    times = attention.times(attention.PASSES[0], 128, 1, ["chunkwise"])
    assert list(times) == [("chunkwise", 128)]


def test_the_slope_of_memory_is_that_of_its_second_half() -> None:
    noise = np.random.default_rng(0).normal(0, 2, 300)
    grows = [(2.0 * i, 500 + 0.1 * i + noise[i]) for i in range(300)]  # 3 MB a minute
    settles = [(2.0 * i, 500 + min(i, 100) + noise[i]) for i in range(300)]
    rise, low, high = load.slope(grows)
    assert low < 3 < high
    assert low > 0
    rise, low, high = load.slope(settles)
    assert low < 0 < high
    assert abs(rise) < 1


def test_what_a_crowd_needs_follows_from_what_one_control_and_one_page_cost() -> None:
    costs = scaling.Costs(control=0.03, session=2.0, server=1000.0, model=0.5)
    assert scaling.need(10, costs) == scaling.Need(1, 1.02)
    assert scaling.need(1000, costs) == scaling.Need(25, 27.0)
    for page in scaling.PAGES:
        text = scaling.filled(page.read_text(encoding="utf-8"), scaling.table(costs))
        assert "| 1,000 | 25 | 27.0 |" in text
        assert "30 ms · 2.0 MB · 1000 MB · 2,000 / GB" in text
        assert scaling.filled(text, scaling.table(costs)) == text


@pytest.mark.parametrize(
    ("first", "then", "taken"), [(["a"], ["b"], True), ([], ["b"], True), ([], [], False)]
)
def test_only_a_page_that_another_page_follows_was_cut_short(
    first: list[str], then: list[str], taken: bool
) -> None:
    reader = Reader("http://127.0.0.1:1")
    for message in (begun(first), drawn("a"), early(), begun(then)):
        reader._hear(message)
    assert bool(reader.controls) is taken


def begun(fragments: list[str]) -> ForwardMsg:
    message = ForwardMsg()
    message.new_session.SetInParent()
    message.metadata.run.fragment_ids.extend(fragments)
    return message


def early() -> ForwardMsg:
    message = ForwardMsg()
    message.script_finished = ForwardMsg.FINISHED_EARLY_FOR_RERUN
    return message
