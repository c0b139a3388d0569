"""A weights file of arithmetic profile 1 as one of profile 2: the same networks and tables of z, Gaussian rows for y.

    python scripts/to_exact.py OLD.safetensors NEW.safetensors --data PICTURES

Then `s2lic weights fit` fits the rows of y to what the encoder sends.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from safetensors.torch import load as parse

from s2lic.entropy.exact.networks import Z_ONE
from s2lic.entropy.tables import Tables, gaussian_rows, row_count, row_scales
from s2lic.files import read_bytes, write_atomically
from s2lic.model import build
from s2lic.train.data import Photos
from s2lic.train.export import CROP, observe
from s2lic.weights.manifest import TABLE_PREFIX
from s2lic.weights.store import config_of, export, make_exact


def of_z(arrays: dict[str, NDArray[np.generic]], rows: int) -> dict[str, NDArray[np.generic]]:
    """The first rows of tables."""
    slots = arrays["slots"][:rows]
    return {"widths": arrays["widths"][: int(slots.sum())], "slots": slots, "offsets": arrays["offsets"][:rows]}


def with_gaussians(arrays: dict[str, NDArray[np.generic]], first: int, scale_max: float) -> Tables:
    """Tables with the rows of z that they have, and Gaussian rows behind them."""
    z, rows = of_z(arrays, first), gaussian_rows(row_scales(row_count(scale_max)))
    y = {
        "widths": np.concatenate([np.diff(bounds)[:-1] for _, bounds in rows]).astype(np.uint16),
        "slots": np.array([bounds.size - 2 for _, bounds in rows], np.int32),
        "offsets": np.array([offset for offset, _ in rows], np.int32),
    }
    joined = {name: np.concatenate([z[name], y[name]]) for name in y}
    return Tables.from_arrays({**joined, "first": np.array([first], np.int32)})


def main(
    old: Path,
    new: Path,
    data: Annotated[list[Path], typer.Option("--data", help="A folder of pictures.")],
    crop: Annotated[int, typer.Option(help="The side of what is cut from them.")] = CROP,
) -> None:
    """Convert OLD to NEW; pictures of --data set the grids of the exact networks."""
    found = read_bytes(old)
    tensors = parse(found)
    model = build(config_of(found))
    arrays = {k.removeprefix(TABLE_PREFIX): tensors.pop(k).numpy() for k in list(tensors) if k.startswith(TABLE_PREFIX)}
    model.load_state_dict({name: value.float() for name, value in tensors.items()}, strict=False)
    sizes, entropy = model.row.entropy, model.entropy
    with torch.no_grad():
        entropy.z_centre.copy_((entropy.z_centre * Z_ONE).round() / Z_ONE)
    photos = Photos.load(data, crop, model.row.transform.cond)
    tables = with_gaussians(arrays, sizes.anchors * sizes.side, sizes.sigma_max).to_arrays()
    made = {TABLE_PREFIX + name: torch.from_numpy(values) for name, values in tables.items()}
    write_atomically(new, export(model, {**made, **make_exact(entropy, observe(model, photos, crop))}), force=True)


if __name__ == "__main__":
    typer.run(main)
