from .job import PRESETS as PRESETS
from .job import Job as Job
from .pipeline import run_pipeline as run_pipeline
