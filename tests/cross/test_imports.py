"""The three packages hang together in one direction only, and importing them costs next to nothing."""

import ast
import graphlib
import importlib
import importlib.util
import re
import subprocess
import sys
from importlib.metadata import requires, version
from pathlib import Path

import pytest

DISTRIBUTIONS = {"awd_core": "awd-core", "awd_cosmo": "awd-cosmo", "awd_cme": "awd-cme"}
PACKAGES = list(DISTRIBUTIONS)
DOMAINS = ["awd_cosmo", "awd_cme"]
HEAVY = ["torch", "matplotlib", "scipy", "sklearn"]

FLOORS = {
    "awd_core": [
        "checks",
        "files kernel workers",
        "plotting teacher",
        "wavelets",
        "transforms",
        "attribution",
        "decomposition distill published",
        "evidence features student",
        "readable",
        "run",
        "report",
        "app",
    ],
    "awd_cosmo": [
        "formats particles",
        "maps simulate sky statistics",
        "field_statistics inference teacher",
        "posterior",
        "report",
        "run",
        "app",
    ],
    "awd_cme": [
        "movies",
        "tracks",
        "readers series spots teacher",
        "model publish simulate tracking",
        "report viewer",
        "run",
        "app",
    ],
}
"""The rooms of each package by floors, from the ground: a room imports those of lower floors only."""
PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
WAYS = {"awd_core": "The path of an array", "awd_cosmo": "The path of a map", "awd_cme": "The path of a track"}
BESIDE = "typing"
"""Beside the rooms of the core: names of types, for all."""
CROWDED = 15
"""Modules of a room, at most."""
ROOMS = [f"{package}.{room}" for package, floors in FLOORS.items() for floor in floors for room in floor.split()]


# --- reading the source -----------------------------------------------------------------------------------------------


def folder_of(package):
    (folder,) = importlib.util.find_spec(package).submodule_search_locations
    return Path(folder)


def modules_of(package, folder):
    """Names of all modules with their files, found without importing them."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join([package, *(part for part in parts if part != "__init__")])] = path
    return found


def is_for_types_only(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def statements(node):
    """All nodes below one, those in functions too, but for what only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if is_for_types_only(child):
            for other in child.orelse:
                yield other
                yield from statements(other)
        else:
            yield child
            yield from statements(child)


def imported(tree, module, is_package, nodes=statements):
    """Absolute dotted names that a module imports, anywhere in it: `from a import b` is both a and a.b."""
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: (1 if is_package else 0) - node.level or None] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            # A name that is put together while the program runs cannot be read here.
            yield from (str(name.value) for name in node.args[:1] if isinstance(name, ast.Constant))


def imports_of(module, path, nodes=statements):
    return set(imported(ast.parse(path.read_bytes()), module, path.name == "__init__.py", nodes))


def lazy_homes(path):
    """Names of a package, or room, that are loaded when they are asked for, and their modules: its stub says both."""
    stub = path.with_suffix(".pyi")
    lines = ast.parse(stub.read_bytes()).body if stub.exists() else []
    return {alias.name: line.module for line in lines if isinstance(line, ast.ImportFrom) for alias in line.names}


def import_graph(package, folder, nodes=statements):
    """Which modules of the package each of its modules imports."""
    modules = modules_of(package, folder)
    # `from awd_core import Wavelet` loads the module that Wavelet comes from, and a room's names come likewise.
    lazy = {
        f"{place}.{name}": f"{place}.{home}"
        for place, path in modules.items()
        if path.name == "__init__.py"
        for name, home in lazy_homes(path).items()
    }
    graph = {}
    for module, path in modules.items():
        names = {lazy.get(name, name) for name in imports_of(module, path, nodes)}
        graph[module] = {name for name in names if name in modules and name not in (module, package)}
    return graph


def upward(package, graph, floors):
    """Imports of a package's modules, by `import_graph`, that lead from a room to one that is not on a lower floor."""
    floor = {room: number for number, rooms in enumerate(floors) for room in rooms.split()}
    room = {module: module.removeprefix(f"{package}.").partition(".")[0] for module in graph}
    return [
        f"{module} imports {name}"
        for module, names in graph.items()
        for name in sorted(names)
        if room[module] in floor and room[name] in floor
        if room[module] != room[name] and floor[room[module]] <= floor[room[name]]
    ]


def cycle_in(graph):
    """Modules of a cycle, each of which imports the next; None if there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return None


# --- the direction of imports -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "others"),
    [("awd_core", DOMAINS), ("awd_cosmo", ["awd_cme"]), ("awd_cme", ["awd_cosmo"])],
)
def test_core_imports_no_domain_and_domains_not_each_other(package, others):
    wrong = [
        f"{module} imports {name}"
        for module, path in modules_of(package, folder_of(package)).items()
        for name in sorted(imports_of(module, path))
        if name.split(".")[0] in others
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_later_step_imports_earlier_ones_and_never_back(package):
    cycle = cycle_in(import_graph(package, folder_of(package)))
    assert cycle is None, " imports ".join(cycle)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_stands_in_a_room(package):
    rooms = {room for floor in FLOORS[package] for room in floor.split()}
    modules = [tuple(name.split(".")[1:]) for name in modules_of(package, folder_of(package)) if name != package]
    beside = [place for place in modules if place[0] not in rooms]
    assert beside == ([(BESIDE,)] if package == "awd_core" else [])
    if beside:
        assert not import_graph(package, folder_of(package), ast.walk)[f"{package}.{BESIDE}"]
    assert [place for place in modules if len(place) > 2] == [], "a room has no rooms"
    for room in rooms:
        held = [place for place in modules if place[0] == room and len(place) == 2]
        assert 1 <= len(held) <= CROWDED, f"{room} has {len(held)} modules; is it two rooms?"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_room_imports_rooms_of_lower_floors_only(package):
    # What only a type checker reads counts as well.
    wrong = upward(package, import_graph(package, folder_of(package), ast.walk), FLOORS[package])
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", DOMAINS)
def test_a_domain_imports_what_the_rooms_of_core_offer(package):
    """What else is in a room of the core is the core's business."""
    offered = {"awd_core"}
    for place in ["awd_core", *ROOMS]:
        if place.startswith("awd_core"):
            offered |= {place, *(f"{place}.{name}" for name in getattr(importlib.import_module(place), "__all__", []))}
    types = importlib.import_module(f"awd_core.{BESIDE}")
    offered |= {types.__name__, *(f"{types.__name__}.{name}" for name in vars(types) if name[0].isupper())}
    wrong = [
        f"{module} imports {name}"
        for module, path in modules_of(package, folder_of(package)).items()
        for name in sorted(imports_of(module, path, ast.walk))
        if name.split(".")[0] == "awd_core" and name not in offered
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_page_on_the_house_shows_it_as_it_is(package):
    sections = {part.partition("\n")[0]: part for part in re.split(r"^##+ ", PAGE.read_text("utf-8"), flags=re.M)}
    rooms = {room for floor in FLOORS[package] for room in floor.split()}
    assert set(re.findall(r"^\| `(\w+)` \|", sections[package], flags=re.M)) == rooms
    shown = [
        *re.findall(r"`(\w+\.\w+)`", sections[WAYS[package]]),
        *re.findall(rf"`{package}\.([\w.]+)`", PAGE.read_text("utf-8")),
    ]
    assert shown
    for name in shown:
        assert importlib.util.find_spec(f"{package}.{name}") is not None, name


def test_an_import_to_an_upper_floor_is_found(tmp_path):
    source = {
        "__init__.py": "",
        "__init__.pyi": "from .high.top import Top as Top\n",
        "low/__init__.py": "",
        "low/ground.py": "",
        "low/beside.py": "from pack.low.ground import x\n",
        "low/lazy.py": "def f():\n    from pack import Top\n",
        "low/typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pack.high import Top\n",
        "other/side.py": "import pack.low.ground\n",
        "high/__init__.py": "",
        "high/__init__.pyi": "from .top import Top as Top\n",
        "high/top.py": "from pack.low.ground import x\nfrom pack.other.side import y\n",
    }
    for name, text in source.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    graph = import_graph("pack", tmp_path)
    assert upward("pack", graph, ["low", "other", "high"]) == ["pack.low.lazy imports pack.high.top"]
    assert upward("pack", graph, ["low other", "high"]) == [
        "pack.low.lazy imports pack.high.top",
        "pack.other.side imports pack.low.ground",
    ]
    typed = upward("pack", import_graph("pack", tmp_path, ast.walk), ["low", "other", "high"])
    assert "pack.low.typed imports pack.high" in typed
    assert "pack.low.typed imports pack.high.top" in typed


def test_imports_are_found_wherever_they_stand(tmp_path):
    source = {
        "__init__.py": "import lazy_loader\n",
        "__init__.pyi": "from .late import Lazy as Lazy\n",
        "early.py": "import os.path\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pack.late\n",
        "late.py": "import importlib\ndef f():\n    from . import early\n    importlib.import_module('awd_cme.x')\n",
        "lazy.py": "def f():\n    if f:\n        from pack import Lazy\n",
        "sub/__init__.py": "from ..early import x\n",
        "sub/deep.py": "from .. import late as l\nfrom . import other\n",
        "sub/other.py": "",
    }
    for name, text in source.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    graph = import_graph("pack", tmp_path)
    assert graph == {
        "pack": set(),
        "pack.early": set(),
        "pack.late": {"pack.early"},
        "pack.lazy": {"pack.late"},
        "pack.sub": {"pack.early"},
        "pack.sub.deep": {"pack.late", "pack.sub", "pack.sub.other"},
        "pack.sub.other": set(),
    }
    assert cycle_in(graph) is None
    assert "awd_cme.x" in imports_of("pack.late", tmp_path / "late.py")

    (tmp_path / "early.py").write_text("def f():\n    from pack.lazy import f\n")
    cycle = cycle_in(import_graph("pack", tmp_path))
    # It may begin anywhere.
    assert cycle[0] == cycle[-1]
    assert set(cycle) == {"pack.early", "pack.lazy", "pack.late"}
    assert cycle[cycle.index("pack.lazy", 0, -1) + 1] == "pack.late"


# --- what an import costs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_and_its_rooms_loads_nothing_heavy(package):
    places = ", ".join([package, *(room for room in ROOMS if room.startswith(f"{package}."))])
    script = f"import {places}, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- what belongs together --------------------------------------------------------------------------------------------


def test_all_three_have_one_version():
    versions = {name: version(name) for name in DISTRIBUTIONS.values()}
    assert len(set(versions.values())) == 1, versions
    for package, distribution in DISTRIBUTIONS.items():
        assert importlib.import_module(package).__version__ == versions[distribution]


@pytest.mark.parametrize("package", DOMAINS)
def test_a_domain_needs_the_core_of_its_own_version(package):
    needed = [line.replace(" ", "") for line in requires(DISTRIBUTIONS[package]) if "extra ==" not in line]
    assert [line for line in needed if line.startswith("awd-core")] == [f"awd-core=={version('awd-core')}"]


@pytest.mark.parametrize("package", [*PACKAGES, *ROOMS])
def test_every_public_name_can_be_loaded(package):
    module = importlib.import_module(package)
    for name in getattr(module, "__all__", []):
        assert getattr(module, name) is not None, name
        assert name in dir(module)
