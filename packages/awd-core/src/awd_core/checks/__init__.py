"""What a caller gives: checked, and refused or warned of in words that say what to do.

Nothing here is about wavelets, and nothing heavy is imported.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.checks.choices import check_choice as check_choice
    from awd_core.checks.choices import check_files as check_files
    from awd_core.checks.columns import Columns as Columns
    from awd_core.checks.real_numbers import real_array as real_array
    from awd_core.checks.warning import warn as warn
    from awd_core.checks.whole_numbers import is_whole_number as is_whole_number
    from awd_core.checks.whole_numbers import whole_number as whole_number

_HOME = {
    "Columns": "columns",
    "check_choice": "choices",
    "check_files": "choices",
    "is_whole_number": "whole_numbers",
    "real_array": "real_numbers",
    "warn": "warning",
    "whole_number": "whole_numbers",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
