#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""Everything that is run on this repository, locally and in CI, each in an environment of its own."""

import os
import tomllib
from itertools import chain
from pathlib import Path

import nox
from nox.command import CommandFailed
from packaging.version import Version

ROOT = Path(__file__).parent
PACKAGES = {name: f"packages/{name}" for name in ("awd-core", "awd-cosmo", "awd-cme")}
DOCUMENTATION = "tests/documentation"
TESTS = {"awd-core": "tests/core", "awd-cosmo": "tests/cosmo", "awd-cme": "tests/cme"}
CONSTRAINTS = ("-c", str(ROOT / "constraints.txt"))
GROUPS = nox.project.load_toml(ROOT / "pyproject.toml")
"""Its dependency groups are what sessions need beside the packages."""
LOCK = "constraints-dev.txt"
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""For two processes on two cores: threads that wait for a core cost more than they bring."""
PROCESSORS = {
    "this processor": ("", {}),
    # Two processes run tests: threads that wait for a core spin briefly, as in commands.
    "two threads": ("", {"OMP_NUM_THREADS": "2", "GOMP_SPINCOUNT": "1000"}),
    "no compiled kernel": ("", {"AWD_KERNEL": "off"}),
    "AVX-512": (
        "avx512f",
        {"ATEN_CPU_CAPABILITY": "avx512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "OPENBLAS_CORETYPE": "SkylakeX"},
    ),
    "AVX2": (
        "avx2",
        {
            "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell",
            "NPY_DISABLE_CPU_FEATURES": "X86_V4", "AWD_KERNEL": "avx2",
        },
    ),
    "SSE4": (
        "sse4_2",
        {
            "ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "OPENBLAS_CORETYPE": "Nehalem",
            "MKL_CBWR": "COMPATIBLE", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
            "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA", "AWD_KERNEL": "sse2",
        },
    ),
}  # fmt: skip
"""Processors that libraries compute as on: the flag of /proc/cpuinfo that it takes, and what torch, oneDNN, OpenBLAS,
MKL, NumPy, the C library and our own kernel are told. Each sums in its own order and rounds at its own places."""
SOURCES = [f"{folder}/src" for folder in PACKAGES.values()]

nox.needs_version = ">=2025.2.9"
# pip, not uv: what pip is told by PIP_EXTRA_INDEX_URL and its like holds in every session.
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True


def group(name: str) -> tuple[str, ...]:
    """Requirements of a dependency group."""
    return nox.project.dependency_groups(GROUPS, name)


def install(
    session: nox.Session, *requirements: str, packages: tuple[str, ...] = tuple(PACKAGES), extra: str = ""
) -> None:
    """Install packages of this repository, editable, with what else the session needs."""
    editable = [part for name in packages for part in ("-e", f"{PACKAGES[name]}{extra}")]
    # To compile all that is installed takes as long as to unpack it, and little of it is imported. Whatever imports a
    # module first writes its bytecode, also where the environment says otherwise: processes are started by the hundred.
    session.env["PYTHONDONTWRITEBYTECODE"] = ""
    session.install("--no-compile", *CONSTRAINTS, *editable, *requirements)


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main jobs on embedded defaults, from files on disk to reports in runs/demo; goes on if interrupted."""
    install(session)
    out = Path("runs/demo")
    # As the commands have it: waiting threads soon sleep, since the machine may be busy.
    session.run("python", "examples/demo.py", "--out", str(out / "photograph"), env={"GOMP_SPINCOUNT": "1000"})
    # Two processes share what can be shared; on a machine of one core they would only take turns.
    shared = ("--workers", str(min(2, os.cpu_count() or 1)))
    session.run("awd-cosmo", "run", "simulated", "--out", str(out / "cosmo"), *shared, *session.posargs)
    session.run("awd-cme", "run", "simulated", "--out", str(out / "cme"), *shared, *session.posargs)
    session.log(f"Look at {out / 'cosmo' / 'report.html'}, {out / 'cme' / 'report.html'} and {out / 'photograph'}.")


def run_tests(session: nox.Session, *options: str, environment: dict[str, str] = ONE_THREAD) -> None:
    """All tests but those of documentation and examples, or those that the session's arguments name."""
    named = any(Path(argument.partition("::")[0]).exists() for argument in session.posargs)
    folders = () if named else (*TESTS.values(), "tests/cross")
    # Tests of a file share what is made for them, so they stay together, and in the order of tests/conftest.py: long
    # files begin first.
    shared = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
    session.run("python", "-m", "pytest", *shared, *options, *folders, *session.posargs, env=environment)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests; arguments go to pytest."""
    install(session, extra="[test]")
    run_tests(session)


@nox.session(default=False)
def processors(session: nox.Session) -> None:
    """Run all tests, or those named, as on one processor after another, and tell all verdicts at the end."""
    install(session, extra="[test]")
    known = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    verdicts = {}
    for name, (flag, environment) in PROCESSORS.items():
        if flag and flag not in known.split():
            verdicts[name] = f"left out, for this processor has no {flag}"
            continue
        session.log(f"{name}: {environment}")
        try:
            run_tests(session, environment=ONE_THREAD | environment)
            verdicts[name] = "passed"
        except CommandFailed:
            verdicts[name] = "failed"
    for name, verdict in verdicts.items():
        session.log(f"{name}: {verdict}")
    if "failed" in verdicts.values():
        session.error("not all of them passed")


@nox.session(default=False)
def sanitize(session: nox.Session) -> None:
    """Run the tests of the compiled kernel with AddressSanitizer and UndefinedBehaviorSanitizer in it."""
    install(session, packages=("awd-core",), extra="[test]")
    folder = session.create_tmp()
    built = session.run("python", "-m", "awd_core.kernel.build", "--sanitize", folder, silent=True)
    library, *before = str(built).split()
    # What was allocated before the library came is to be known as well; Python itself frees little at its end.
    sanitizers = {
        "LD_PRELOAD": " ".join(before),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    environment = ONE_THREAD | sanitizers | {"AWD_KERNEL": library}
    named = session.posargs or ["tests/core/kernel", "tests/core/transforms/test_filterbank.py"]
    session.run("python", "-m", "pytest", *named, env=environment)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Run all tests, and tell which lines none of them comes to."""
    install(session, extra="[test]")
    run_tests(session, "--cov", "--cov-report=term", "--cov-report=xml:.coverage.xml")


@nox.session(default=False)
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*CONSTRAINTS, *group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(default=False)
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    install(session, *group("types"))
    session.run("mypy", *SOURCES)


@nox.session(default=False)
def review(session: nox.Session) -> None:
    """Compare this repository with the Scientific Python development guide."""
    session.install(*group("review"))
    session.run("repo-review", ".", "--show", "errskip")
    metadata = "PP002,PP003,PP004,PP005"  # of each package: the root has none
    for folder in PACKAGES.values():
        session.run("repo-review", ".", "--package-dir", folder, "--select", metadata, "--show", "errskip")


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Write the versions of all that development takes, for every Python that is declared, to constraints-dev.txt."""
    session.install("uv")
    wanted = Path(session.create_tmp()) / "wanted.in"
    editable = [f"-e {ROOT / folder}[test]" for folder in PACKAGES.values()]
    wanted.write_text("\n".join([*editable, *group("lint"), *group("types"), *group("docs")]) + "\n")
    ours = [part for name in PACKAGES for part in ("--no-emit-package", name)]
    options = ("--universal", "--python-version", "3.11", "--no-annotate", "--custom-compile-command", "nox -s lock")
    session.run("uv", "pip", "compile", *CONSTRAINTS, *options, *ours, "-o", LOCK, str(wanted), *session.posargs)


@nox.session(default=False)
def wheels(session: nox.Session) -> None:
    """Build what a release consists of, into dist/: sources, plain wheels, and core's with the kernel inside."""
    session.install(*group("build"))
    for name, folder in PACKAGES.items():
        kinds = ("--sdist",) if name == "awd-core" else ("--sdist", "--wheel")
        session.run("python", "-m", "build", *kinds, "--outdir", "dist", folder)
    session.run("cibuildwheel", "--output-dir", "dist", PACKAGES["awd-core"])


@nox.session(default=False)
@nox.parametrize("package", list(PACKAGES))
def isolated(session: nox.Session, package: str) -> None:
    """Build each package's wheel, install it alone with core's in a fresh environment, and run its tests there."""
    wheels = session.create_tmp()
    session.install(*group("build"))
    needed = dict.fromkeys(["awd-core", package])
    for name in needed:
        session.run("python", "-m", "build", "--wheel", "--outdir", wheels, PACKAGES[name], silent=True)
    built = {name: next(Path(wheels).glob(f"{name.replace('-', '_')}-*.whl")) for name in needed}
    session.install(*CONSTRAINTS, *(f"{name}[test] @ {wheel.resolve().as_uri()}" for name, wheel in built.items()))
    session.run("python", "-m", "pytest", "-n", "2", TESTS[package], *session.posargs)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation into site/, warnings being errors, and run all its code, the README's and examples/."""
    install(session, *group("docs"), extra="[test]")
    session.run("python", "docs/make_site.py")
    shared = ("-n", "2", "--dist", "worksteal")
    session.run("python", "-m", "pytest", *shared, DOCUMENTATION, *session.posargs, env=ONE_THREAD)


@nox.session(default=False)
@nox.parametrize("package", list(PACKAGES))
def lowest(session: nox.Session, package: str) -> None:
    """Run each package's tests with the lowest versions that its metadata allow; what they lead to comes as it is."""
    bounds = lower_bounds(package)
    pins = Path(session.create_tmp()) / "lowest.txt"
    pins.write_text("".join(f"{name}=={version}\n" for name, version in bounds.items()))
    # PyPI's builds of an old torch bring gigabytes of CUDA; PIP_EXTRA_INDEX_URL may name an index of builds for CPUs.
    editable = [part for name in dict.fromkeys(["awd-core", package]) for part in ("-e", f"{PACKAGES[name]}[test]")]
    session.install("-c", str(pins), *editable)
    # Releases of that age warn of each other; that our own code does not warn is shown with the newest.
    session.run("python", "-m", "pytest", "-n", "2", "-W", "default", TESTS[package], *session.posargs)


def lower_bounds(package: str) -> dict[str, str]:
    """Highest of the lower bounds of each dependency, in the metadata of a package and of core, tests' own included."""
    bounds: dict[str, str] = {}
    for name in dict.fromkeys(["awd-core", package]):
        project = tomllib.loads((ROOT / PACKAGES[name] / "pyproject.toml").read_text())["project"]
        for line in chain(project["dependencies"], *project["optional-dependencies"].values()):
            dependency, _, version = line.partition(">=")
            if version and Version(version) > Version(bounds.get(dependency, "0")):
                bounds[dependency] = version
    return bounds


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure speed and memory against peers and last time; `-- --keep` puts the figures into the documentation.

    `-- --awave PATH` adds a checkout of Yu-Group/adaptive-wavelets; `-- scale …` runs `benchmarks.scale` instead.
    """
    install(session, *group("bench"), extra="[dask]")
    named = bool(session.posargs) and not session.posargs[0].startswith("-")
    module = f"benchmarks.{session.posargs[0]}" if named else "benchmarks"
    session.run("python", "-m", module, *session.posargs[named:])


if __name__ == "__main__":
    nox.main()
