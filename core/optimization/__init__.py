"""Optimization as sampling: one density of updates behind every optimizer (post 7521).

Source: https://kexue.fm/archives/7521, eq. (1)-(19).
"""

from core.optimization.ball import (
    bessel_ratio,
    first_order_update,
    log_bessel,
    log_partition,
    sample_ball,
    shrinkage,
)
from core.optimization.claims import CLAIMS
from core.optimization.density import (
    Density,
    DensityConfig,
    density,
    field_data,
)
from core.optimization.errors import Loss, Unusable
from core.optimization.importance import (
    Update,
    effective_sample_size,
    importance_update,
    log_proposal,
    mgs_update,
    propose,
    weighted,
)
from core.optimization.landscapes import (
    PRESETS,
    WINDOW,
    contours,
    global_minimum,
    gradient,
    hessian,
    landscape,
)
from core.optimization.limits import AXES, Limits, LimitsConfig, limits
from core.optimization.metric import (
    SHIPPED,
    TASKS,
    TRAINING,
    Metric,
    MetricConfig,
    metric,
    shipped_metric,
)
from core.optimization.minimize import METHODS, MinimizeConfig, minimize
from core.optimization.orders import (
    First,
    FirstConfig,
    Priors,
    PriorsConfig,
    Second,
    SecondConfig,
    first,
    priors,
    second,
)
from core.optimization.outputs import MODELS, edit_loss, strings
from core.optimization.priors import (
    box_update,
    ellipsoid_update,
    evolution_gradient,
    gaussian_update,
)
from core.optimization.quadratic import (
    completed_square,
    damped_update,
    second_order_covariance,
    second_order_update,
)
from core.optimization.quadrature import Moments, expected_update, update_moments
from core.optimization.race import Race, RaceConfig, race
from core.optimization.sampling import (
    Dimension,
    DimensionConfig,
    Sampling,
    SamplingConfig,
    dimension,
    mgs_weights,
    sampling,
)
from core.optimization.steps import METHODS as STEPS
from core.optimization.steps import (
    cross_entropy,
    evolution,
    mgs,
    minimum_risk,
    policy_gradient,
)

__all__ = [
    "AXES",
    "CLAIMS",
    "METHODS",
    "MODELS",
    "PRESETS",
    "SHIPPED",
    "STEPS",
    "TASKS",
    "TRAINING",
    "WINDOW",
    "Density",
    "DensityConfig",
    "Dimension",
    "DimensionConfig",
    "First",
    "FirstConfig",
    "Limits",
    "LimitsConfig",
    "Loss",
    "Metric",
    "MetricConfig",
    "MinimizeConfig",
    "Moments",
    "Priors",
    "PriorsConfig",
    "Race",
    "RaceConfig",
    "Sampling",
    "SamplingConfig",
    "Second",
    "SecondConfig",
    "Unusable",
    "Update",
    "bessel_ratio",
    "box_update",
    "completed_square",
    "contours",
    "cross_entropy",
    "damped_update",
    "density",
    "dimension",
    "edit_loss",
    "effective_sample_size",
    "ellipsoid_update",
    "evolution",
    "evolution_gradient",
    "expected_update",
    "field_data",
    "first",
    "first_order_update",
    "gaussian_update",
    "global_minimum",
    "gradient",
    "hessian",
    "importance_update",
    "landscape",
    "limits",
    "log_bessel",
    "log_partition",
    "log_proposal",
    "metric",
    "mgs",
    "mgs_update",
    "mgs_weights",
    "minimize",
    "minimum_risk",
    "policy_gradient",
    "priors",
    "propose",
    "race",
    "sample_ball",
    "sampling",
    "second",
    "second_order_covariance",
    "second_order_update",
    "shipped_metric",
    "shrinkage",
    "strings",
    "update_moments",
    "weighted",
]
