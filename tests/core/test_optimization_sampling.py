"""Importance sampling, MGS, score functions and the race: estimators against what they estimate."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core import optimization as core
from core.optimization.minimize import USED
from core.optimization.sampling import drawn, estimates

F64 = torch.float64
BOWL = core.landscape("bowl").loss
THETA = torch.tensor([1.5, -1.0], dtype=F64)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("mixture", [0.0, 0.5, 1.0])
def test_many_draws_find_the_mean_of_the_density(mixture: float) -> None:
    guide = torch.tensor([-1.0, 0.6], dtype=F64)
    found = core.importance_update(
        BOWL, THETA, guide, alpha=0.5, sigma=1.0, samples=100_000, mixture=mixture,
        generator=generator(),
    )  # fmt: skip
    error = 6 / math.sqrt(found.effective_sample_size)
    assert float((found.delta + THETA).norm()) < error
    assert float(found.weights.sum()) == pytest.approx(1)
    assert 1 <= found.effective_sample_size <= 100_000


def test_drawing_from_the_density_itself_weighs_every_draw_alike() -> None:
    round_bowl = lambda x: x.square().sum(-1) / 2  # noqa: E731
    found = core.importance_update(
        round_bowl, THETA, -THETA, alpha=0.49, sigma=0.7, samples=50, mixture=0.0,
        generator=generator(),
    )  # fmt: skip
    assert found.effective_sample_size == pytest.approx(50)
    torch.testing.assert_close(found.delta, found.proposals.mean(0))


@pytest.mark.parametrize("dim", [1, 1000, 200_000])
def test_weights_are_finite_in_any_dimension(dim: int) -> None:
    theta = torch.ones(dim)
    found = core.importance_update(
        lambda x: x.square().sum(-1), theta, -theta, alpha=1e-6, sigma=0.01, samples=4,
        generator=generator(),
    )  # fmt: skip
    assert bool(torch.isfinite(found.delta).all())
    assert float(found.weights.sum()) == pytest.approx(1)


def test_no_temperature_is_so_cold_that_all_weights_underflow() -> None:
    """The least loss carries the weight, where exp(-l/alpha) is 0 for every draw."""
    for method in (core.importance_update, core.mgs_update):
        settings: dict[str, Any] = (
            {"sigma": 1.0} if method is core.importance_update else {"noise": torch.ones(2)}
        )
        found = method(
            lambda x: 1e10 + BOWL(x), THETA, -THETA, alpha=1e-300, samples=8,
            generator=generator(), **settings,
        )  # fmt: skip
        best = found.proposals[BOWL(THETA + found.proposals).argmin()]
        torch.testing.assert_close(found.delta, best)


def test_estimates_cut_from_one_draw_weigh_within_themselves() -> None:
    """At alpha = 0.01 whole estimates have no weight beside others, and weights of their own."""
    config = core.SamplingConfig(log_alpha=-2.0, sigma=2.0)
    found = estimates(config, 2, 1.0, 300)
    together = drawn(config, 600, 1.0, config.seed + 1)
    pairs = together.proposals.view(300, 2, 2)
    losses = core.landscape("stairs").loss(THETA + pairs) / config.alpha
    logs = -losses - torch.stack([
        core.log_proposal(pair, torch.zeros(2, dtype=F64), 2.0, 1.0) for pair in pairs
    ])  # fmt: skip
    assert float((losses.amin(1) - losses.min()).max()) > 745  # more than exp can tell
    expected = (torch.softmax(logs, 1)[..., None] * pairs).sum(1)
    torch.testing.assert_close(found.deltas, expected)


def test_the_proposal_is_a_density_that_integrates_to_one() -> None:
    guide = torch.tensor([0.8], dtype=F64)
    x = torch.linspace(-6, 6, 4001, dtype=F64)[:, None]
    total = torch.trapezoid(core.log_proposal(x, guide, 0.5, 0.3).exp(), x[:, 0])
    assert float(total) == pytest.approx(1, abs=1e-9)
    draws = core.propose(guide, 0.5, 50_000, 0.3, generator())
    assert float(draws.mean()) == pytest.approx(0.7 * 0.8, abs=0.02)


def test_what_can_t_be_weighed_is_refused_with_its_reason() -> None:
    settings: dict[str, Any] = {"alpha": 0.1, "sigma": 0.1, "samples": 8}
    cases = {"empty": lambda x: 0 * x[..., 0] + math.inf, "nan": lambda x: 0 * x[..., 0] / 0}
    for code, loss in cases.items():
        with pytest.raises(core.Unusable) as caught:
            core.importance_update(loss, THETA, -THETA, **settings)
        assert caught.value.code == code
    with pytest.raises(ValueError, match=r"mixture is 1\.5"):
        core.importance_update(BOWL, THETA, -THETA, **settings, mixture=1.5)
    with pytest.raises(ValueError, match="alpha is 0"):
        core.importance_update(BOWL, THETA, -THETA, alpha=0, sigma=1, samples=4)


def test_the_self_normalized_mean_of_two_draws_is_biased_as_brute_force_says() -> None:
    """p = (1/4, 3/4) on {0, 1}, q = (1/2, 1/2), n = 2: all four pairs of draws."""
    log_w = torch.tensor([0.25, 0.75], dtype=F64).log()
    means = [
        float(core.weighted(torch.tensor([[a], [b]], dtype=F64), log_w[[a, b]]).delta)
        for a in (0, 1)
        for b in (0, 1)
    ]
    assert np.mean(means) == pytest.approx((0 + 0.75 + 0.75 + 1) / 4)


def test_mgs_divides_by_what_was_drawn_or_by_unit_normals() -> None:
    """With unit noise both are the same; the weights are those of the mixture written out."""
    gradient, theta = torch.tensor([0.5, -1.0], dtype=F64), torch.zeros(2, dtype=F64)
    ones = torch.ones(2, dtype=F64)
    both = [
        core.mgs_update(
            BOWL, theta, gradient, alpha=0.7, noise=ones, density=density, generator=generator(3)
        )
        for density in ("honest", "unit")
    ]
    torch.testing.assert_close(both[0].weights, both[1].weights)
    x = both[0].proposals
    log_q = core.log_proposal(x, -gradient, 1.0, 0.5)
    torch.testing.assert_close(both[0].weights, torch.softmax(-BOWL(x) / 0.7 - log_q, 0))
    with pytest.raises(ValueError, match="density is 'true'"):
        core.mgs_update(BOWL, theta, gradient, alpha=1.0, noise=ones, density="true")


@pytest.mark.parametrize("density", ["honest", "unit"])
@pytest.mark.parametrize("dim", [3, 100])
def test_weights_from_two_numbers_a_draw_are_those_of_whole_vectors(density: str, dim: int) -> None:
    """mgs_weights draws along and across the gradient only; here all coordinates are drawn."""
    fast, _ = core.mgs_weights(dim, 4, 1.0, density, 0)
    gradient = torch.zeros(dim, dtype=F64)
    gradient[0] = 1.0
    noise = torch.full((dim,), math.sqrt(2 / (math.pi * dim)), dtype=F64)
    flat = lambda x: torch.zeros(len(x))  # noqa: E731
    draws = generator(5)
    sizes = [
        core.mgs_update(
            flat, torch.zeros(dim, dtype=F64), gradient, alpha=1.0, noise=noise, density=density,
            generator=draws,
        ).effective_sample_size
        for _ in range(400)
    ]  # fmt: skip
    error = np.std(sizes) / math.sqrt(400) * math.sqrt(2)
    assert abs(np.mean(sizes) - fast) < 5 * error + 1e-9


def test_with_the_honest_density_one_candidate_of_four_counts() -> None:
    sizes = core.dimension(core.DimensionConfig())
    assert sizes.honest < 1.1
    assert sizes.unit > 3.99


def test_evolution_strategies_estimate_the_gradient_of_the_smoothed_loss() -> None:
    """Of a quadratic loss smoothing changes nothing; antithetic pairs leave no even part."""
    exact = core.gradient(BOWL, THETA)
    draws = torch.stack(
        [core.evolution_gradient(BOWL, THETA, 0.3, 1, generator(seed)) for seed in range(3000)]
    )
    error = draws.std(0) / math.sqrt(len(draws))
    assert bool(((draws.mean(0) - exact).abs() < 4.5 * error).all())
    even = core.evolution_gradient(
        lambda x: x.square().sum(-1), torch.zeros(2), 0.3, 5, generator()
    )
    assert not even.any()


def test_the_score_function_has_the_gradient_of_autograd() -> None:
    """Eq. (19) on the classifier: the drawn mean against the expected loss differentiated."""
    model = core.MODELS["accuracy"]
    theta, data = model.initial(generator(1)), model.batch(generator(2))
    free = theta.clone().requires_grad_()
    probability = model.logits(free[None], data.x)[0].softmax(-1)  # type: ignore[attr-defined]
    risk = 1 - probability.gather(1, data.y[:, None]).mean()
    (exact,) = torch.autograd.grad(risk, free)
    drawn = generator(3)
    rows = torch.stack([core.policy_gradient(model, theta, data, 0.1, drawn) for _ in range(400)])
    toward = rows @ exact / exact.norm()
    error = float(toward.std()) / math.sqrt(len(rows))
    assert abs(float(toward.mean()) - float(exact.norm())) < 4 * error
    baseline = torch.stack(
        [core.policy_gradient(model, theta, data, 0.1, drawn, samples=4) for _ in range(150)]
    )
    toward_4 = baseline @ exact / exact.norm()
    error_4 = float(toward_4.std()) / math.sqrt(150)
    assert abs(float(toward_4.mean()) - float(exact.norm())) < 4 * error_4
    assert float(toward_4.std()) < float(toward.std()) / 2


SPENT = {"gradient": 3, "newton": 7, "first-order": 3, "box": 3, "ellipsoid": 7, "damped": 7,
         "mgs": 11, "evolution-strategies": 8, "policy-gradient": 8}  # fmt: skip


@pytest.mark.parametrize("method", core.METHODS)
def test_every_method_keeps_to_its_budget_and_finds_the_bowl_s_floor(method: str) -> None:
    calls = 0

    def counted(points: Tensor) -> Tensor:
        nonlocal calls
        calls += points[..., 0].numel()
        return BOWL(points)

    config = core.MinimizeConfig(evaluations=400, rate=0.1, sigma=0.3)
    table = core.minimize(counted, THETA, method, config)
    assert list(table.columns) == ["evaluations", "loss", "best", "x0", "x1"]
    assert table["evaluations"].iloc[-1] <= 400
    assert table["best"].is_monotonic_decreasing
    assert table["best"].iloc[-1] < 0.05
    if method in SPENT:
        assert table["evaluations"].diff().iloc[1:].eq(SPENT[method]).all()
    else:  # pycma: what it asked for is what it says, and the table's own rows
        assert calls == table["evaluations"].iloc[-1] + len(table)
    again = core.minimize(BOWL, THETA, method, config)
    assert again.equals(table)


@pytest.mark.parametrize("method", core.METHODS)
def test_a_method_s_way_depends_on_the_settings_that_it_uses_and_on_no_other(method: str) -> None:
    others: dict[str, Any] = {"rate": 0.03, "alpha": 0.5, "sigma": 0.7, "samples": 4}
    config = core.MinimizeConfig(evaluations=60)
    first = core.minimize(BOWL, THETA, method, config)
    moved = {
        name
        for name, value in others.items()
        if not core.minimize(BOWL, THETA, method, replace(config, **{name: value})).equals(first)
    }
    assert moved == set(USED[method])


@pytest.mark.parametrize("method", SPENT)
def test_a_budget_is_spent_to_the_last_step_it_pays_for(method: str) -> None:
    for budget in (4 * SPENT[method], 5 * SPENT[method] - 1):
        table = core.minimize(BOWL, THETA, method, core.MinimizeConfig(evaluations=budget))
        assert table["evaluations"].tolist() == [SPENT[method] * step for step in range(5)]


def test_the_steps_of_the_priors_are_what_their_integrals_give() -> None:
    hessian = torch.tensor([4.0, 1.0], dtype=F64)
    start, config = torch.tensor([0.3, -0.2], dtype=F64), core.MinimizeConfig(evaluations=10)

    def bowl(points: Tensor) -> Tensor:
        return (hessian * points**2).sum(-1) / 2

    def move(method: str, rate: float) -> list[float]:
        table = core.minimize(bowl, start, method, replace(config, rate=rate))
        return (table[["x0", "x1"]].iloc[1].to_numpy() - start.numpy()).tolist()

    slope = hessian * start
    small = 1e-5  # so that every prior is in its linear regime
    assert move("box", small) == pytest.approx((-small * slope).tolist(), rel=1e-4)
    metric = hessian / 2  # of determinant one: the ball's volume
    assert move("ellipsoid", small) == pytest.approx((-small * slope / metric).tolist(), rel=1e-4)
    assert move("damped", 0.5) == pytest.approx((-slope / (hessian + 2)).tolist())
    far = move("box", 10.0)  # sign descent, short of the radius
    assert far[0] < 0 < far[1]
    assert max(map(abs, far)) < config.radius


def test_damped_newton_stops_where_its_density_has_no_mean() -> None:
    field = core.landscape("saddle")
    start = torch.tensor([0.5, 0.1], dtype=F64)
    table = core.minimize(field.loss, start, "damped", core.MinimizeConfig(rate=2.0))
    assert len(table) == 1
    assert len(core.minimize(field.loss, start, "damped", core.MinimizeConfig(rate=0.5))) > 1


def test_minimize_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="method is 'adam'"):
        core.minimize(BOWL, THETA, "adam", core.MinimizeConfig())
    with pytest.raises(core.Unusable, match="NaN"):
        core.minimize(
            lambda x: x[..., 0].log(), -THETA, "evolution-strategies", core.MinimizeConfig()
        )
    with pytest.raises(ValueError, match="at least two"):
        core.minimize(lambda x: x[..., 0] ** 2, THETA[:1], "cma-es", core.MinimizeConfig())


def test_cma_leaves_the_process_s_own_generator_alone() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    core.minimize(BOWL, THETA, "cma-es", core.MinimizeConfig(evaluations=60))
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]  # noqa: NPY002


def test_newton_takes_a_saddle_for_its_goal_and_the_cloud_does_not() -> None:
    field = core.landscape("saddle")
    start = torch.tensor([1.6, 0.05], dtype=F64)
    config = core.MinimizeConfig(evaluations=300, alpha=0.05, sigma=0.3)
    ends = {
        name: core.minimize(field.loss, start, name, config)["loss"].iloc[-1]
        for name in ("newton", "mgs")
    }
    assert ends["newton"] == pytest.approx(0, abs=1e-6)
    assert ends["mgs"] < -0.2
