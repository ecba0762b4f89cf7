"""Differentiable wavelets with learnable filters, transformation importance, and adaptive wavelet distillation.

Public names are loaded when they are first asked for: a `Wavelet` needs no torch, and a command's `--help` needs
nothing at all.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.attribution.coefficients import coefficient_attributions as coefficient_attributions
    from awd_core.attribution.gradients import check_gradients as check_gradients
    from awd_core.attribution.gradients import input_gradients as input_gradients
    from awd_core.attribution.trim import TrimModel as TrimModel
    from awd_core.distill.distill import distill_path as distill_path
    from awd_core.distill.lengths import compare_lengths as compare_lengths
    from awd_core.distill.minima import local_minima as local_minima
    from awd_core.distill.path import DistillationPath as DistillationPath
    from awd_core.distill.plan import SearchSettings as SearchSettings
    from awd_core.evidence.assessment import attribution_quality as attribution_quality
    from awd_core.evidence.checks import completeness_gap as completeness_gap
    from awd_core.evidence.checks import insertion_deletion as insertion_deletion
    from awd_core.evidence.checks import seed_agreement as seed_agreement
    from awd_core.evidence.known_truth import KnownTruth as KnownTruth
    from awd_core.evidence.known_truth import simulate_known_truth as simulate_known_truth
    from awd_core.evidence.quality import AttributionQuality as AttributionQuality
    from awd_core.evidence.quality_record import QualitySettings as QualitySettings
    from awd_core.evidence.randomised import randomised_teacher_check as randomised_teacher_check
    from awd_core.evidence.score_records import compare_scores as compare_scores
    from awd_core.evidence.scores import coefficient_scores as coefficient_scores
    from awd_core.features.distiller import WaveletDistiller as WaveletDistiller
    from awd_core.features.select import Selection as Selection
    from awd_core.features.select import select_point as select_point
    from awd_core.features.transformer import WaveletTransformer as WaveletTransformer
    from awd_core.published.fit import distill_penalised as distill_penalised
    from awd_core.published.grid import distill_grid as distill_grid
    from awd_core.published.losses import LossWeights as LossWeights
    from awd_core.published.losses import distillation_loss as distillation_loss
    from awd_core.published.through_teacher import hessian_term as hessian_term
    from awd_core.published.through_teacher import trim_attributions as trim_attributions
    from awd_core.teacher.networks import MLP as MLP
    from awd_core.teacher.teacher import Teacher as Teacher
    from awd_core.teacher.teacher import TeacherClassifier as TeacherClassifier
    from awd_core.teacher.weights import load_module as load_module
    from awd_core.transforms.boundary import MODES as MODES
    from awd_core.transforms.coefficients import Coefficients as Coefficients
    from awd_core.transforms.dictionary import LinearDictionary as LinearDictionary
    from awd_core.transforms.dwt import DWT1d as DWT1d
    from awd_core.transforms.dwt import DWT2d as DWT2d
    from awd_core.transforms.fourier import FourierTransform as FourierTransform
    from awd_core.transforms.fourier import Transform as Transform
    from awd_core.wavelets.certificate import Certificate as Certificate
    from awd_core.wavelets.filters import FixedFilter as FixedFilter
    from awd_core.wavelets.filters import FreeFilter as FreeFilter
    from awd_core.wavelets.filters import OrthonormalFilter as OrthonormalFilter
    from awd_core.wavelets.wavelet import Wavelet as Wavelet
    from awd_core.workers.mapping import Lost as Lost
    from awd_core.workers.mapping import Workers as Workers
    from awd_core.workers.open import open_workers as open_workers

_HOME = {
    "AttributionQuality": "evidence.quality",
    "Certificate": "wavelets.certificate",
    "Coefficients": "transforms.coefficients",
    "DWT1d": "transforms.dwt",
    "DWT2d": "transforms.dwt",
    "DistillationPath": "distill.path",
    "FixedFilter": "wavelets.filters",
    "FourierTransform": "transforms.fourier",
    "FreeFilter": "wavelets.filters",
    "KnownTruth": "evidence.known_truth",
    "LinearDictionary": "transforms.dictionary",
    "LossWeights": "published.losses",
    "Lost": "workers.mapping",
    "MLP": "teacher.networks",
    "MODES": "transforms.boundary",
    "OrthonormalFilter": "wavelets.filters",
    "QualitySettings": "evidence.quality_record",
    "SearchSettings": "distill.plan",
    "Selection": "features.select",
    "Teacher": "teacher.teacher",
    "TeacherClassifier": "teacher.teacher",
    "Transform": "transforms.fourier",
    "TrimModel": "attribution.trim",
    "Wavelet": "wavelets.wavelet",
    "WaveletDistiller": "features.distiller",
    "WaveletTransformer": "features.transformer",
    "Workers": "workers.mapping",
    "attribution_quality": "evidence.assessment",
    "check_gradients": "attribution.gradients",
    "coefficient_attributions": "attribution.coefficients",
    "coefficient_scores": "evidence.scores",
    "compare_lengths": "distill.lengths",
    "compare_scores": "evidence.score_records",
    "completeness_gap": "evidence.checks",
    "distill_grid": "published.grid",
    "distill_path": "distill.distill",
    "distill_penalised": "published.fit",
    "distillation_loss": "published.losses",
    "hessian_term": "published.through_teacher",
    "input_gradients": "attribution.gradients",
    "insertion_deletion": "evidence.checks",
    "load_module": "teacher.weights",
    "local_minima": "distill.minima",
    "open_workers": "workers.open",
    "randomised_teacher_check": "evidence.randomised",
    "seed_agreement": "evidence.checks",
    "select_point": "features.select",
    "simulate_known_truth": "evidence.known_truth",
    "trim_attributions": "published.through_teacher",
}

__all__ = sorted(_HOME)
__version__ = version("awd-core")
__getattr__, __dir__ = lazy_names(__name__, _HOME)
