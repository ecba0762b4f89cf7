"""The reference of all public names, from their docstrings: a page for each package, grouped by the steps of a job."""

from importlib import import_module
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

# Every public name of each package, by steps: the build stops where one is missing here, or is no longer there.
STEPS: dict[str, dict[str, str]] = {
    "awd_core": {
        "Wavelets": "Wavelet Certificate",
        "Filters that can be learnt": "OrthonormalFilter FreeFilter FixedFilter",
        "Transforms": "DWT1d DWT2d undecimated Coefficients MODES FourierTransform LinearDictionary Transform",
        "The readable model": "readable_model Readable ReadableModel Worth",
        "Attributions": "input_gradients attribute_function check_gradients coefficient_attributions TrimModel",
        "Few numbers": "teacher_outputs distill_student StudentDistillation StudentSearch StudentWeights WaveletStudent"
        " WaveletStudentClassifier StudentCard error_curve",
        "Distillation": "distill_path DistillationPath SearchSettings local_minima select_point Selection"
        " WaveletDistiller WaveletTransformer compare_lengths",
        "The published form": "distill_penalised distill_grid distillation_loss LossWeights"
        " trim_attributions hessian_term",
        "How good it is": "coefficient_scores compare_scores attribution_quality AttributionQuality QualitySettings"
        " completeness_gap insertion_deletion seed_agreement randomised_teacher_check",
        "The family": "contextual_decomposition band_decomposition agglomerate ExplanationPenalty attribution_curve"
        " signed_faithfulness",
        "Teachers": "Teacher TeacherClassifier MLP load_module",
        "Known truth": "simulate_known_truth KnownTruth",
        "Many cores and machines": "open_workers Workers Lost",
    },
    "awd_cosmo": {
        "Maps": "open_maps MapSet read_map write_map write_suite pack_models BadMap",
        "Splits": "split_maps Split cross_validation_folds",
        "Simulation": "simulate_maps simulate_suite Setup HaloModel ParticleModel Smail Nuisances sobol latin_hypercube"
        " lensing_theory empty_beam theory_table",
        "Teachers": "MapTeacher SkyAugmentation ResNet ResNet18 ResNet34",
        "Statistics of maps": "ShiftedLognormal ScaleCounts wavelet_scales PeakCounts PeaksAbove find_peaks"
        " wavelet_kernels"
        " StarletCounts PowerSpectrum Statistic",
        "Statistics of the whole field": "PixelDistribution StarletNorm MinkowskiFunctionals ScatteringCoefficients"
        " JointStatistic",
        "Posteriors": "MapPosterior NeuralPosterior PosteriorSamples sample_posterior tarp write_chains read_chains",
        "Estimators": "CountRidge EmulatorPosterior NearestCosmology PeakCountRegressor",
        "Models and scores": "Model Prediction predict_files predict_map MapPrediction regression_scores"
        " paired_ratio coverage fair_score",
        "Runs": "run_pipeline Job Results write_report",
    },
    "awd_cme": {
        "Movies": "open_movie Movie write_movie Camera",
        "Tracks": "read_tracks make_table validate summary LossReport write_csv write_parquet write_napari write_geff",
        "Detection and linking": "track_movie detect_spots estimate_sigma link_spots score_tracks",
        "Intensities": "extract fit_spots SpotFits estimate_gain aperture_sums",
        "The learning problem": "make_series yeast_problem SeriesSet SeriesSettings split_groups split_tracks"
        " fit_z_scores",
        "Teachers": "SeriesTeacher SeriesTeacherClassifier SeriesEnsemble SeriesLSTM ConvolutionTeacher"
        " ConvolutionTeacherClassifier",
        "The readable model": "MaxCoefficients SeriesRidge SeriesLogistic search_settings ModelCard"
        " score_interval score_difference coefficient_intervals",
        "Simulation": "simulate_movie simulate_dataset SimulatedMovie read_truth render_tracks RenderedMovie",
        "Whole runs": "run_pipeline run_splits RunJob read_results write_report predict_tracks",
    },
}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    for package, steps in STEPS.items():
        content = page(package, {step: names.split() for step, names in steps.items()})
        files.append(File.generated(config, f"api/{package}.md", content=content))
    return files


def page(package: str, steps: dict[str, list[str]]) -> str:
    """Markdown from which mkdocstrings makes the reference of a package."""
    module = import_module(package)
    listed = [name for names in steps.values() for name in names]
    if wrong := sorted(set(listed) ^ set(module.__all__)):
        raise PluginError(f"docs/hooks/api_reference.py and {package}.__all__ differ in {', '.join(wrong)}")
    parts = [f"# {package}", str(module.__doc__).partition("\n")[0]]
    for step, names in steps.items():
        parts += [f"## {step}", *(f"::: {package}.{name}" for name in names)]
    return "\n\n".join(parts) + "\n"
