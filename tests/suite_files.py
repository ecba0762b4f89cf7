"""Suites of maps in the layouts that are read and that nothing in the packages writes."""

import numpy as np

from awd_cosmo import MapSet, write_map, write_suite


def write_layout(root, layout, maps, parameters, *, pixel_scale, z=1.0):
    """Write maps (n, ny, nx) of parameters {name: (n,)}: cosmologies are numbered from 1 as they come, as are maps."""
    if layout in ("massivenus", "table"):
        write_suite(MapSet.from_arrays(maps, pixel_scale=pixel_scale, parameters=parameters, z_s=z), root, layout)
        return
    rows = [dict(zip(parameters, row, strict=True)) for row in zip(*parameters.values(), strict=True)]
    models = [row for k, row in enumerate(rows) if row not in rows[:k]]
    for k, (kappa, row) in enumerate(zip(maps, rows, strict=True)):
        model, name = models.index(row) + 1, f"WLconv_z{z:.2f}_{rows[:k].count(row) + 1:04d}r.fits"
        place = {
            "model": f"model{model:03d}/{name}",
            "names": f"Om{row['Omega_m']:.3f}_si{row.get('sigma8', 0):.3f}/{name}",
            "lenstools": f"model{model:03d}_{name}",
        }[layout]
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        write_map(root / place, kappa, pixel_scale=pixel_scale, source_redshift=z, parameters=row)
    if layout == "model":
        table = np.array([[k, *row.values()] for k, row in enumerate(models, start=1)])
        np.savetxt(root / "cosmological_parameters.txt", table, "%.17g", header=" ".join(["index", *parameters]))
