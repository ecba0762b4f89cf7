"""The command `awd-cosmo`. Nothing heavy is imported here, so that `--help` answers at once."""

from awd_core.run import Program
from awd_cosmo.app import run
from awd_cosmo.app.predict import predict
from awd_cosmo.app.simulate import simulate
from awd_cosmo.app.tiles import tiles

app = Program(
    "awd-cosmo",
    "awd-cosmo",
    "Cosmological parameters from weak-lensing mass maps with an adaptively distilled wavelet.",
)
app.command("run")(run.run)
app.command("simulate")(simulate)
app.command("prepare")(run.prepare)
app.command("teach")(run.teach)
app.command("distill")(run.distill)
app.command("evaluate")(run.evaluate)
app.command("report")(run.report)
app.command("predict")(predict)
app.command("tiles")(tiles)
