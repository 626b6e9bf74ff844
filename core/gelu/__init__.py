"""GELU and its two approximations: what they are, how they are fitted, what they cost (post 7309).

Source: https://kexue.fm/archives/7309, eq. (1)-(15).
"""

from core.gelu.claims import CLAIMS
from core.gelu.curves import Curves, CurvesConfig, Tails, TailsConfig, curves, tails
from core.gelu.family import (
    FORMS,
    TARGETS,
    Form,
    Problem,
    approximation_error,
    exact,
    gate_error,
    logit_cdf,
    logit_series,
    odd_polynomial,
)
from core.gelu.fit import CRITERIA, WEIGHTS, Fit, equal_ripple, evaluate, fit, objective
from core.gelu.functions import (
    LINEAR,
    PUBLISHED,
    candidate_form,
    gelu,
    gelu_sigmoid,
    gelu_tanh,
    normal_cdf,
)
from core.gelu.grid import Grid, GridConfig, correct_digits, grid
from core.gelu.network import (
    NETWORK,
    TASKS,
    Drift,
    NetworkConfig,
    TrainConfig,
    accuracy,
    digits,
    drift,
    forward,
    train,
)
from core.gelu.post_fit import (
    grid_objective,
    grid_objective_sigmoid,
    post_fit,
    post_fit_sigmoid,
)
from core.gelu.pretrained import retrained
from core.gelu.refit import Refit, RefitConfig, refit
from core.gelu.ripple import (
    Ripple,
    RippleBasis,
    RippleConfig,
    at_equal_ripple,
    at_local,
    at_optimum,
    at_published,
    ripple,
    ripple_basis,
)
from core.gelu.rounding import Rounding, RoundingConfig, rounding
from core.gelu.speed import Speed, SpeedConfig, machine, measure_speed, shipped_speed, speed
from core.gelu.taylor import local_coefficients, taylor_residual
from core.gelu.why import Why, WhyConfig, inner_polynomial, sign_flip, why
from core.numerics import NoConvergence

__all__ = [
    "CLAIMS",
    "CRITERIA",
    "FORMS",
    "LINEAR",
    "NETWORK",
    "PUBLISHED",
    "TARGETS",
    "TASKS",
    "WEIGHTS",
    "Curves",
    "CurvesConfig",
    "Drift",
    "Fit",
    "Form",
    "Grid",
    "GridConfig",
    "NetworkConfig",
    "NoConvergence",
    "Problem",
    "Refit",
    "RefitConfig",
    "Ripple",
    "RippleBasis",
    "RippleConfig",
    "Rounding",
    "RoundingConfig",
    "Speed",
    "SpeedConfig",
    "Tails",
    "TailsConfig",
    "TrainConfig",
    "Why",
    "WhyConfig",
    "accuracy",
    "approximation_error",
    "at_equal_ripple",
    "at_local",
    "at_optimum",
    "at_published",
    "candidate_form",
    "correct_digits",
    "curves",
    "digits",
    "drift",
    "equal_ripple",
    "evaluate",
    "exact",
    "fit",
    "forward",
    "gate_error",
    "gelu",
    "gelu_sigmoid",
    "gelu_tanh",
    "grid",
    "grid_objective",
    "grid_objective_sigmoid",
    "inner_polynomial",
    "local_coefficients",
    "logit_cdf",
    "logit_series",
    "machine",
    "measure_speed",
    "normal_cdf",
    "objective",
    "odd_polynomial",
    "post_fit",
    "post_fit_sigmoid",
    "refit",
    "retrained",
    "ripple",
    "ripple_basis",
    "rounding",
    "shipped_speed",
    "sign_flip",
    "speed",
    "tails",
    "taylor_residual",
    "train",
    "why",
]
