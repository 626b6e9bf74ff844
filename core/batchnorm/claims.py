"""The claims of post 6992 (C1 to C25) as experiments: their places, costs and checks.

Source: https://kexue.fm/archives/6992
"""

from core.batchnorm import exact_claims as exact
from core.batchnorm import trained_claims as trained
from core.claims import Claim, Cost, Verdict

CLAIMS: tuple[Claim, ...] = tuple(
    Claim(f"batchnorm.{name}", source, cost, expects, check)
    for name, source, cost, expects, check in [
        ("C1", "§ intro", Cost.SECONDS, Verdict.HOLDS, trained.never_normal),
        ("C2", "§ intro", Cost.SECONDS, Verdict.CONDITIONAL, trained.other_normalizations),
        ("C3", "§ 1.1, eq. (1)-(3)", Cost.SECONDS, Verdict.HOLDS, exact.upper_bound),
        ("C4", "§ 1.2, eq. (4)", Cost.SECONDS, Verdict.HOLDS, exact.descent_is_natural),
        ("C5", "§ 1.2, eq. (5)", Cost.SECONDS, Verdict.HOLDS, exact.two_over_smoothness),
        ("C6", "§ 1.3", Cost.SECONDS, Verdict.HOLDS, exact.change_the_function),
        ("C7", "§ intro, 1.3", Cost.SECONDS, Verdict.CONDITIONAL, trained.smoother),
        ("C8", "§ 2.1", Cost.INSTANT, Verdict.HOLDS, exact.bounded_slopes),
        ("C9", "§ 2.1, eq. (8)", Cost.INSTANT, Verdict.HOLDS, exact.bounded_loss_slope),
        ("C10", "§ 2.1", Cost.SECONDS, Verdict.HOLDS, trained.stable_loss_slope),
        ("C11", "§ 2.1, eq. (9)", Cost.INSTANT, Verdict.HOLDS, exact.weights_carry_the_input),
        ("C12", "§ 2.3, eq. (12)", Cost.SECONDS, Verdict.HOLDS, exact.cauchy_schwarz),
        ("C13", "§ 2.4, eq. (13)-(14)", Cost.INSTANT, Verdict.CONDITIONAL, exact.mean_is_best),
        ("C14", "§ 2.4", Cost.SECONDS, Verdict.CONDITIONAL, exact.centering_is_free),
        ("C15", "§ 2.4", Cost.INSTANT, Verdict.HOLDS, exact.zero_is_useless),
        ("C16", "§ 2.4, eq. (15)-(16)", Cost.INSTANT, Verdict.HOLDS, exact.weights_as_the_bias),
        ("C17", "§ 2.4", Cost.SECONDS, Verdict.CONDITIONAL, trained.adaptive_rate),
        ("C18", "§ 2.4", Cost.SECONDS, Verdict.HOLDS, exact.large_inputs),
        ("C19", "§ 2.1", Cost.SECONDS, Verdict.CONDITIONAL, trained.layer_by_layer),
        ("C20", "§ 2.5", Cost.SECONDS, Verdict.HOLDS, exact.statistics_need_samples),
        ("C21", "§ 2.5", Cost.SECONDS, Verdict.CONDITIONAL, trained.before_the_map),
        ("C22", "§ 2.5", Cost.SECONDS, Verdict.CONDITIONAL, trained.running_averages),
        ("C23", "§ 2.5", Cost.MINUTES, Verdict.HOLDS, trained.gain_and_offset),
        ("C24", "comments", Cost.INSTANT, Verdict.CONDITIONAL, exact.nonlinear_region),
        ("C25", "§ 1.3", Cost.INSTANT, Verdict.HOLDS, exact.two_kinds_of_lipschitz),
    ]
)
