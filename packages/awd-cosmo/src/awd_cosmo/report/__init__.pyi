from .map_figures import shapes_figure as shapes_figure
from .page import write_report as write_report
