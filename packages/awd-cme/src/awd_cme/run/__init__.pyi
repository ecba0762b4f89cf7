from .job import RunJob as RunJob
from .pipeline import read_results as read_results
from .pipeline import run_pipeline as run_pipeline
from .splits import run_splits as run_splits
