from .losses import LossReport as LossReport
from .rules import validate as validate
from .table import concat as concat
from .table import make_table as make_table
from .table import summary as summary
from .writers import write_csv as write_csv
from .writers import write_napari as write_napari
from .writers import write_parquet as write_parquet
