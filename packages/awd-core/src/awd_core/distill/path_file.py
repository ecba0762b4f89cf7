"""The file of a distillation path (`awd_core.distill.path`), by functions."""

from awd_core.distill.path import from_json as from_json
from awd_core.distill.path import load_path as load_path
from awd_core.distill.path import save_path as save_path
from awd_core.distill.path import to_json as to_json
