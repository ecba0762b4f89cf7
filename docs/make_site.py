"""The documentation: `python docs/make_site.py` writes the site into site/.

What Markdown cannot say is made before the build, in build/docs: pages from files at the root of the repository, the
reference of the commands from the commands, and the reference of all public names. After the build formulas become
MathML, and the site is checked: every link and image leads somewhere, and nothing asks the network.

In any page, the line

    <!-- from README.md: Two lines -->

is replaced by that section of the file, without its heading, and `<!-- from README.md: introduction -->` by what stands
between its title and its first section. A formula is written `$…$` or, on lines of its own, `$$…$$`, in TeX.
"""

import html
import re
import shutil
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote

from latex2mathml.converter import convert

from awd_core.run.command import Option
from awd_core.run.program import Program

ROOT = Path(__file__).parents[1]
SOURCE, PREPARED, SITE = ROOT / "docs", ROOT / "build" / "docs", ROOT / "site"
COPIED = (".md", ".png", ".svg", ".css", ".js")
PAGES = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "code_of_conduct.md": "CODE_OF_CONDUCT.md",
}
"""Pages that are files at the root."""
PACKAGES = {f"packages/awd-{name}": f"api/awd_{name}.md" for name in ("core", "cosmo", "cme")}
PROGRAMS = {"awd": "awd_core.app.main", "awd-cosmo": "awd_cosmo.app.main", "awd-cme": "awd_cme.app.main"}
KINDS = {"str": "text", "int": "whole number", "float": "number", "Path": "path"}
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
"""Every public name of each package, by steps: the build stops where one is missing here, or is no longer there."""

_DIRECTIVE = re.compile(r"^<!-- from (\S+): (.+) -->$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
_ASKS = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*?\b(?:src|data)=["']?(?:https?:)?//[^"'>\s]+"""
    r"""|<link\b(?![^>]*rel=["']?(?:canonical|alternate))[^>]*?\bhref=["']?(?:https?:)?//[^"'>\s]+"""
    r"""|(?:@import\s+|url\()["']?(?:https?:)?//[^"')\s]+"""
)


def prepare() -> None:
    """Write all pages, those that are made included."""
    shutil.rmtree(PREPARED, ignore_errors=True)
    PREPARED.mkdir(parents=True)
    for file in sorted(SOURCE.rglob("*")):
        if file.suffix not in COPIED:
            continue
        copy = PREPARED / file.relative_to(SOURCE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".md":
            copy.write_text(with_sections(file.read_text(encoding="utf-8"), file.name), encoding="utf-8")
        else:
            shutil.copyfile(file, copy)
    made = {page: relinked((ROOT / name).read_text(encoding="utf-8")) for page, name in PAGES.items()}
    made |= {f"commands/{name}.md": command_page(import_module(module).app) for name, module in PROGRAMS.items()}
    made |= {f"api/{package}.md": api_page(package) for package in STEPS}
    for page, content in made.items():
        file = PREPARED / page
        file.parent.mkdir(exist_ok=True)
        file.write_text(content, encoding="utf-8")


def with_sections(markdown: str, page: str) -> str:
    """Put sections of other files in the place of their directives."""

    def section(found: re.Match[str]) -> str:
        text = (ROOT / found[1]).read_text(encoding="utf-8")
        parts = re.split(r"^##? (.+)$\n", text, flags=re.MULTILINE)
        sections = dict(zip(["", "introduction", *parts[3::2]], [parts[0], *parts[2::2]], strict=True))
        if found[2] not in sections:
            raise SystemExit(f"{page}: {found[1]} has no section {found[2]!r}; it has {list(sections)}")
        return relinked(sections[found[2]].strip())

    return _DIRECTIVE.sub(section, markdown)


def relinked(markdown: str) -> str:
    """Links as they have to be in a page at the top of the documentation."""
    known = {name: page for page, name in PAGES.items()} | PACKAGES

    def link(found: re.Match[str]) -> str:
        return f"]({known.get(found[1], found[1].removeprefix('docs/'))}{found[2] or ''})"

    return _LINK.sub(link, markdown)


def command_page(program: Program) -> str:
    """Markdown of a program: what it is for, and each of its commands with arguments and options."""
    parts = [
        f"# {program.name}",
        _prose(program.summary),
        "`--debug` shows the traceback of an error.",
    ]
    for name, command in program.commands.items():
        shown = [option for option in command.options if not option.hidden]
        arguments = [one.name if one.required else f"[{one.name}]" for one in shown if one.panel.name == "Arguments"]
        usage = " ".join([program.name, name, "[OPTIONS]", *arguments])
        parts += [f"## {program.name} {name}", f"```text\n{usage}\n```", _prose(command.prose), *_tables(shown)]
    return "\n\n".join(parts) + "\n"


def _tables(options: list[Option]) -> list[str]:
    """A table for each panel of `--help`."""
    panels: dict[str, list[str]] = {}
    for option in options:
        panels.setdefault(option.panel.name, []).append(_row(option))
    return [f"| {panel} | |\n|---|---|\n" + "\n".join(rows) for panel, rows in panels.items()]


def _row(option: Option) -> str:
    """One option: what is typed; what it means, its default, its range or that it is required."""
    plain = getattr(option.kind, "__args__", [option.kind])[0].__name__
    kind = "" if plain == "bool" or option.panel.name == "Arguments" else option.value or KINDS[plain]
    typed = f"`{option.name}`" + (f"<br>{html.escape(kind)}" if kind else "")
    extra = [option.takes, option.default and f"default: {option.default}", "required" if option.required else ""]
    said = "; ".join(filter(None, extra))
    meaning = _prose(option.help) + (f" <span class='extra'>{html.escape(said)}</span>" if said else "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (typed, meaning)) + " |"


def _prose(text: str) -> str:
    return html.escape(text, quote=False)


def api_page(package: str) -> str:
    """Markdown from which mkdocstrings makes the reference of a package."""
    module = import_module(package)
    listed = [name for names in STEPS[package].values() for name in names.split()]
    if wrong := sorted(set(listed) ^ set(module.__all__)):
        raise SystemExit(f"docs/make_site.py and {package}.__all__ differ in {', '.join(wrong)}")
    parts = [f"# {package}", str(module.__doc__).partition("\n")[0]]
    for step, names in STEPS[package].items():
        parts += [f"## {step}", *(f"::: {package}.{name}" for name in names.split())]
    return "\n\n".join(parts) + "\n"


def unlisted() -> list[str]:
    """Pages that the navigation leaves out, which Zensical does not mind."""
    listed: list[str] = []

    def follow(item: object) -> None:
        if isinstance(item, str):
            listed.append(item)
        for inner in item.values() if isinstance(item, dict) else item if isinstance(item, list) else ():
            follow(inner)

    follow(tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"])
    pages = sorted(file.relative_to(PREPARED).as_posix() for file in PREPARED.rglob("*.md"))
    return [f"{page} is not in the navigation of zensical.toml" for page in pages if page not in listed]


def build() -> None:
    """Run Zensical; its strict mode does not count what griffe says of docstrings."""
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    sys.stdout.write(done.stdout)
    if done.returncode or "griffe: " in done.stdout:
        raise SystemExit("the documentation was built with warnings")


def draw_formulas() -> None:
    """Put MathML in the place of TeX: browsers draw it without scripts, fonts or a network."""

    def formula(found: re.Match[str]) -> str:
        displayed = found[2] == "["
        drawn = convert(html.unescape(found[3]).strip(), display="block" if displayed else "inline")
        return f'<div class="formula">{drawn}</div>' if displayed else drawn

    for file in SITE.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        file.write_text(_FORMULA.sub(formula, text), encoding="utf-8")


class Page(HTMLParser):
    """What a page is linked by, and what it links to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note names, links and images."""
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def problems() -> list[str]:
    """Links and images that lead nowhere, and what would ask the network."""
    files = {file.resolve(): file for ending in ("html", "css") for file in SITE.rglob(f"*.{ending}")}
    pages = {path: Page(file) for path, file in files.items() if path.suffix == ".html"}
    found = []
    for file in files.values():
        name = file.relative_to(SITE)
        found += [f"{name} needs the network: {asks}" for asks in _ASKS.findall(file.read_text(encoding="utf-8"))]
    for path, page in pages.items():
        if path.name == "404.html":  # shown at any address
            continue
        for link in dict.fromkeys(page.links):
            target, _, anchor = unquote(link).partition("#")
            if re.match(r"[a-z]+:|//", link):
                continue
            place = (path.parent / target.partition("?")[0]).resolve() if target else path
            place = place / "index.html" if place.is_dir() else place
            if not place.exists():
                found.append(f"{files[path].relative_to(SITE)} links to {link}, which is not there")
            elif anchor and place in pages and anchor not in pages[place].anchors and anchor != "__":
                found.append(f"{files[path].relative_to(SITE)} links to {link}, which has no such heading")
    return found


def main() -> None:
    """Prepare, build, finish and check."""
    prepare()
    build()
    draw_formulas()
    if wrong := unlisted() + problems():
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
