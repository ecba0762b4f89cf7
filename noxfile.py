"""Everything that is run on this repository, locally and in CI, each in an environment of its own."""

from pathlib import Path

import nox

ROOT = Path(__file__).parent
PACKAGES = {name: f"packages/{name}" for name in ("awd-core", "awd-cosmo", "awd-cme")}
TESTS = {"awd-core": "tests/core", "awd-cosmo": "tests/cosmo", "awd-cme": "tests/cme"}
CONSTRAINTS = ("-c", str(ROOT / "constraints.txt"))
SOURCES = [f"{folder}/src" for folder in PACKAGES.values()]

nox.needs_version = ">=2024.4"
nox.options.sessions = ["demo", "tests"]
nox.options.reuse_existing_virtualenvs = True


def install(
    session: nox.Session, *requirements: str, packages: tuple[str, ...] = tuple(PACKAGES), extra: str = ""
) -> None:
    """Install packages of this repository, editable, with what else the session needs."""
    editable = [part for name in packages for part in ("-e", f"{PACKAGES[name]}{extra}")]
    session.install(*CONSTRAINTS, *editable, *requirements)


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main jobs on embedded defaults, from files on disk to reports in runs/demo; goes on if interrupted."""
    install(session)
    out = Path("runs/demo")
    session.run("python", "examples/demo.py", "--out", str(out / "photograph"))
    session.run("awd-cosmo", "run", "simulated", "--out", str(out / "cosmo"), *session.posargs)
    session.run("awd-cme", "run", "simulated", "--out", str(out / "cme"), *session.posargs)
    session.log(f"Look at {out / 'cosmo' / 'report.html'}, {out / 'cme' / 'report.html'} and {out / 'photograph'}.")


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests; arguments go to pytest."""
    install(session, extra="[test]")
    coverage = () if session.posargs else ("--cov", "--cov-report=term", "--cov-report=xml:.coverage.xml")
    session.run("python", "-m", "pytest", "-n", "2", *coverage, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*CONSTRAINTS, "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    install(session, "mypy")
    session.run("mypy", *SOURCES)


@nox.session
@nox.parametrize("package", list(PACKAGES))
def isolated(session: nox.Session, package: str) -> None:
    """Build each package's wheel, install it alone with core's in a fresh environment, and run its tests there."""
    wheels = session.create_tmp()
    session.install("build")
    needed = dict.fromkeys(["awd-core", package])
    for name in needed:
        session.run("python", "-m", "build", "--wheel", "--outdir", wheels, PACKAGES[name], silent=True)
    built = {name: next(Path(wheels).glob(f"{name.replace('-', '_')}-*.whl")) for name in needed}
    session.install(*CONSTRAINTS, *(f"{name}[test] @ {wheel.resolve().as_uri()}" for name, wheel in built.items()))
    session.run("python", "-m", "pytest", "-n", "2", TESTS[package], *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed against peers in one run; `-- --awave PATH` adds a checkout of Yu-Group/adaptive-wavelets."""
    install(session, "ptwt")
    session.run("python", "-m", "benchmarks", *session.posargs)
