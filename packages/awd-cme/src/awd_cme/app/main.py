"""The command `awd-cme`. Nothing heavy is imported here: a command imports what it needs when it runs."""

from awd_cme.app.figures import figures
from awd_cme.app.run import distill, evaluate, report, run, teach
from awd_cme.app.steps import extract, predict, simulate, tracks, transfer
from awd_core.run import Program

app = Program(
    "awd-cme",
    "awd-cme",
    "From tracked two-channel video to a partner protein's signal, with a wavelet that explains it.",
)
for command in (run, simulate, tracks, extract, teach, distill, evaluate, report, predict, transfer, figures):
    app.command(command.__name__)(command)
