"""Options of `awd-cosmo` commands, besides those of `awd_core.run.options`. Nothing heavy is imported here."""

from pathlib import Path
from typing import Annotated

import typer

from awd_core.run import RUN

DATA, MAPS, TEACHER, LEARNING = "Data", "Maps", "Teacher", "Distillation and comparison"

Data = Annotated[
    str | None,
    typer.Argument(metavar="DATA", help="Folder, tar or table of maps, in any known layout; or: simulated."),
]
Out = Annotated[Path, typer.Option("--out", metavar="RUN", help="Folder of the run.", rich_help_panel=RUN)]
Here = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
Observed = Annotated[
    list[Path] | None,
    typer.Option("--observed", metavar="DIR", help="Real maps to ask the model for.", rich_help_panel=DATA),
]
Mask = Annotated[Path | None, typer.Option(help="Of the observed maps: 1 where seen.", rich_help_panel=DATA)]
PixelScale = Annotated[
    float | None, typer.Option(metavar="ARCMIN", help="If headers do not tell it.", rich_help_panel=DATA)
]
Suite = Annotated[
    str | None, typer.Option(help="Simulated suite: tiny, quick, halos, massivenus.", rich_help_panel=DATA)
]
Pixels = Annotated[int | None, typer.Option(min=16, help="Side of simulated maps.", rich_help_panel=DATA)]
