from .cohorts import Cohort as Cohort
from .cohorts import cohorts as cohorts
from .effects import ConditionEffect as ConditionEffect
from .effects import compare_conditions as compare_conditions
from .events import cell_values as cell_values
from .events import events as events
from .events import lifetime_histogram as lifetime_histogram
