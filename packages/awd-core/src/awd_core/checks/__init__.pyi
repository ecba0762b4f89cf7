from .choices import check_choice as check_choice
from .choices import check_files as check_files
from .columns import Columns as Columns
from .real_numbers import real_array as real_array
from .warning import warn as warn
from .whole_numbers import is_whole_number as is_whole_number
from .whole_numbers import whole_number as whole_number
