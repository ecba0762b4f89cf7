"""The command `awd-cosmo`. Nothing heavy is imported here, so that `--help` answers at once."""

from awd_core.run import make_app
from awd_cosmo import run_commands
from awd_cosmo.predict_command import predict
from awd_cosmo.simulate_command import simulate

app = make_app(
    "awd-cosmo",
    "awd-cosmo",
    "Cosmological parameters from weak-lensing mass maps with an adaptively distilled wavelet.",
)
app.command("run")(run_commands.run)
app.command("simulate")(simulate)
app.command("prepare")(run_commands.prepare)
app.command("teach")(run_commands.teach)
app.command("distill")(run_commands.distill)
app.command("evaluate")(run_commands.evaluate)
app.command("report")(run_commands.report)
app.command("predict")(predict)
