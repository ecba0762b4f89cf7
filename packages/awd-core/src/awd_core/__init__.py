"""Differentiable wavelets with learnable filters, transformation importance, and adaptive wavelet distillation.

Public names are loaded when they are first asked for: a `Wavelet` needs no torch, and a command's `--help` needs
nothing at all.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.attribution import coefficient_attributions as coefficient_attributions
    from awd_core.boundary import MODES as MODES
    from awd_core.certificate import Certificate as Certificate
    from awd_core.coefficients import Coefficients as Coefficients
    from awd_core.dictionary import LinearDictionary as LinearDictionary
    from awd_core.distill import distill_path as distill_path
    from awd_core.distill_quality import attribution_quality as attribution_quality
    from awd_core.distiller import WaveletDistiller as WaveletDistiller
    from awd_core.dwt import DWT1d as DWT1d
    from awd_core.dwt import DWT2d as DWT2d
    from awd_core.filters import FixedFilter as FixedFilter
    from awd_core.filters import FreeFilter as FreeFilter
    from awd_core.filters import OrthonormalFilter as OrthonormalFilter
    from awd_core.gradients import check_gradients as check_gradients
    from awd_core.gradients import input_gradients as input_gradients
    from awd_core.lengths import compare_lengths as compare_lengths
    from awd_core.losses import LossWeights as LossWeights
    from awd_core.losses import distillation_loss as distillation_loss
    from awd_core.minima import local_minima as local_minima
    from awd_core.networks import MLP as MLP
    from awd_core.path import DistillationPath as DistillationPath
    from awd_core.path_search import SearchSettings as SearchSettings
    from awd_core.penalised import distill_grid as distill_grid
    from awd_core.penalised_fit import distill_penalised as distill_penalised
    from awd_core.quality import AttributionQuality as AttributionQuality
    from awd_core.quality_checks import completeness_gap as completeness_gap
    from awd_core.quality_checks import insertion_deletion as insertion_deletion
    from awd_core.quality_checks import seed_agreement as seed_agreement
    from awd_core.quality_randomised import randomised_teacher_check as randomised_teacher_check
    from awd_core.quality_record import QualitySettings as QualitySettings
    from awd_core.score_records import compare_scores as compare_scores
    from awd_core.scores import coefficient_scores as coefficient_scores
    from awd_core.select import Selection as Selection
    from awd_core.select import select_point as select_point
    from awd_core.simulate import KnownTruth as KnownTruth
    from awd_core.simulate import simulate_known_truth as simulate_known_truth
    from awd_core.teacher import Teacher as Teacher
    from awd_core.teacher import TeacherClassifier as TeacherClassifier
    from awd_core.through_teacher import hessian_term as hessian_term
    from awd_core.through_teacher import trim_attributions as trim_attributions
    from awd_core.transformer import WaveletTransformer as WaveletTransformer
    from awd_core.transforms import FourierTransform as FourierTransform
    from awd_core.transforms import Transform as Transform
    from awd_core.trim import TrimModel as TrimModel
    from awd_core.wavelet import Wavelet as Wavelet
    from awd_core.weights import load_module as load_module
    from awd_core.worker_map import Lost as Lost
    from awd_core.worker_map import Workers as Workers
    from awd_core.workers import open_workers as open_workers

_HOME = {
    "AttributionQuality": "quality",
    "Certificate": "certificate",
    "Coefficients": "coefficients",
    "DWT1d": "dwt",
    "DWT2d": "dwt",
    "DistillationPath": "path",
    "FixedFilter": "filters",
    "FourierTransform": "transforms",
    "FreeFilter": "filters",
    "KnownTruth": "simulate",
    "LinearDictionary": "dictionary",
    "LossWeights": "losses",
    "Lost": "worker_map",
    "MLP": "networks",
    "MODES": "boundary",
    "OrthonormalFilter": "filters",
    "QualitySettings": "quality_record",
    "SearchSettings": "path_search",
    "Selection": "select",
    "Teacher": "teacher",
    "TeacherClassifier": "teacher",
    "Transform": "transforms",
    "TrimModel": "trim",
    "Wavelet": "wavelet",
    "WaveletDistiller": "distiller",
    "WaveletTransformer": "transformer",
    "Workers": "worker_map",
    "attribution_quality": "distill_quality",
    "check_gradients": "gradients",
    "coefficient_attributions": "attribution",
    "coefficient_scores": "scores",
    "compare_lengths": "lengths",
    "compare_scores": "score_records",
    "completeness_gap": "quality_checks",
    "distill_grid": "penalised",
    "distill_path": "distill",
    "distill_penalised": "penalised_fit",
    "distillation_loss": "losses",
    "hessian_term": "through_teacher",
    "input_gradients": "gradients",
    "insertion_deletion": "quality_checks",
    "load_module": "weights",
    "local_minima": "minima",
    "open_workers": "workers",
    "randomised_teacher_check": "quality_randomised",
    "seed_agreement": "quality_checks",
    "select_point": "select",
    "simulate_known_truth": "simulate",
    "trim_attributions": "through_teacher",
}

__all__ = sorted(_HOME)
__version__ = version("awd-core")
__getattr__, __dir__ = lazy_names(__name__, _HOME)
