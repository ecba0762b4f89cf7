"""The command `awd`. Nothing heavy is imported here: a command imports what it needs when it runs."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from awd_core.app.distill import distill
from awd_core.app.doctor import doctor
from awd_core.app.predict import predict
from awd_core.run.messages import echo
from awd_core.run.program import Program
from awd_core.run.settings import ARGUMENTS, Typed

if TYPE_CHECKING:
    from awd_core.wavelets.certificate import Certificate

app = Program("awd", "awd-core", "Adaptive wavelet distillation: wavelets learnt from what a network looks at.")


@app.command("wavelet")
def show_wavelet(
    wavelet: Annotated[str, ARGUMENTS, Typed("NAME_OR_JSON"), "A name such as db5, or a wavelet file."],
    out: Annotated[Path | None, Typed("DIR"), "Folder for the files."] = None,
    before: Annotated[str | None, Typed("NAME_OR_JSON"), "A second wavelet, drawn in grey."] = None,
) -> None:
    """Print the certificate of a wavelet; with --out, write wavelet.json, certificate.json, .txt and wavelet.png."""
    from awd_core.wavelets.argument import named_or_loaded

    shown = named_or_loaded(wavelet)
    start = None if before is None else named_or_loaded(before)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    certificate = shown.certificate()
    _print_certificate(certificate)
    if out is None:
        return
    from awd_core.files.atomic import write_atomically, write_json
    from awd_core.plotting.export import save_figure

    shown.save(out / "wavelet.json")
    write_json(out / "certificate.json", certificate.to_dict())
    write_atomically(out / "certificate.txt", f"{certificate}\n".encode())
    save_figure(shown.plot(before=start), out / "wavelet.png")
    echo(f"Written to {out}{os.sep}: wavelet.json, certificate.json, certificate.txt, wavelet.png")


def _print_certificate(certificate: "Certificate") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(f"Certificate of the wavelet {certificate.name!r}"), title_justify="left")
    table.add_column("quantity")
    table.add_column("definition", style="dim")
    table.add_column("value", justify="right")
    for row in certificate.rows():
        table.add_row(*row)
    Console(file=sys.stdout).print(table)


app.command("distill")(distill)
app.command("predict")(predict)
app.command("doctor")(doctor)
