"""How good a wavelet and its attributions are.

Scores of sparsity, checks of attributions and their verdict, the bootstrap, and simulated data whose truth is known.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.evidence.assessment import attribution_quality as attribution_quality
    from awd_core.evidence.bootstrap import percentile_interval as percentile_interval
    from awd_core.evidence.bootstrap import r_squared as r_squared
    from awd_core.evidence.bootstrap import r_squared_of_sums as r_squared_of_sums
    from awd_core.evidence.checks import completeness_gap as completeness_gap
    from awd_core.evidence.checks import insertion_deletion as insertion_deletion
    from awd_core.evidence.checks import seed_agreement as seed_agreement
    from awd_core.evidence.known_truth import KnownTruth as KnownTruth
    from awd_core.evidence.known_truth import simulate_known_truth as simulate_known_truth
    from awd_core.evidence.quality import AttributionQuality as AttributionQuality
    from awd_core.evidence.quality_record import CheckedQuality as CheckedQuality
    from awd_core.evidence.quality_record import QualitySettings as QualitySettings
    from awd_core.evidence.randomised import randomised_teacher_check as randomised_teacher_check
    from awd_core.evidence.score_records import Scores as Scores
    from awd_core.evidence.score_records import compare_scores as compare_scores
    from awd_core.evidence.score_records import write_scores as write_scores
    from awd_core.evidence.scores import coefficient_scores as coefficient_scores
    from awd_core.evidence.scores import score_pair as score_pair

_HOME = {
    "AttributionQuality": "quality",
    "CheckedQuality": "quality_record",
    "KnownTruth": "known_truth",
    "QualitySettings": "quality_record",
    "Scores": "score_records",
    "attribution_quality": "assessment",
    "coefficient_scores": "scores",
    "compare_scores": "score_records",
    "completeness_gap": "checks",
    "insertion_deletion": "checks",
    "percentile_interval": "bootstrap",
    "r_squared": "bootstrap",
    "r_squared_of_sums": "bootstrap",
    "randomised_teacher_check": "randomised",
    "score_pair": "scores",
    "seed_agreement": "checks",
    "simulate_known_truth": "known_truth",
    "write_scores": "score_records",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
