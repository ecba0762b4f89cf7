"""What happens to awd-core's wheel when it is built: the kernel is compiled, if it can be.

Without a compiler, or where it fails, the wheel is one of Python alone that says why, and works.
"""

import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags


class Hook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the kernel's library, or a note why there is none, to the wheel and to what an editable installation has."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile."""
        spec = importlib.util.spec_from_file_location(
            "awd_kernel_build", Path(self.root) / "src/awd_core/kernel/build.py"
        )
        assert spec is not None  # noqa: S101
        assert spec.loader is not None  # noqa: S101
        build = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(build)
        self.made = tempfile.TemporaryDirectory()
        folder = Path(self.made.name)
        try:
            if os.environ.get("AWD_KERNEL", "").lower() == "off":
                raise OSError("AWD_KERNEL was off when awd-core was installed")
            path = build.build(folder)
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{_platform()}"
        except OSError as error:
            self.app.display_warning(f"awd-core is installed without its compiled kernel: {error}")
            path = folder / build.NOTE
            path.write_text(f"{error}\n", encoding="utf-8")
        inside = f"{build.FOLDER}/{path.name}"
        build_data["force_include"][str(path)] = inside
        build_data["force_include_editable"][str(path)] = inside

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Clear away."""
        self.made.cleanup()


def _platform() -> str:
    """The platform's own tag: that the library runs on others (manylinux), only auditwheel can tell."""
    return next(tag.platform for tag in sys_tags() if not tag.platform.startswith(("manylinux", "musllinux")))
