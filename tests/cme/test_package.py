"""The package as a whole, with nothing but the core beside it."""

import pkgutil
import subprocess
import sys
from importlib.metadata import version
from importlib.resources import files

import awd_cme


def test_it_says_what_it_is():
    assert awd_cme.__doc__
    assert awd_cme.__doc__.strip().endswith(".")
    assert awd_cme.__version__ == version("awd-cme")
    assert files("awd_cme").joinpath("py.typed").is_file()


def test_every_module_can_be_imported_without_the_other_domain():
    names = [module.name for module in pkgutil.walk_packages(awd_cme.__path__, "awd_cme.")]
    # None in sys.modules makes an import fail, as it does where the package is not installed.
    script = (
        "import importlib, sys\n"
        "sys.modules['awd_cosmo'] = None\n"
        f"for name in {['awd_cme', *names]}:\n"
        "    importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
