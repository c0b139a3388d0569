"""Coded size against what it ought to be, within 0.5 % + 16 bytes, over a folder of PNGs.

    python -m scripts.check_rate DIR [--model nano] [--qualities 0,50,100]

Two things are held apart. The file, against the frequencies of the tables that ship: the coder wastes nothing. And the
same symbols coded with tables of Gaussians, against -log2 of the likelihoods at the unquantised scale: neither do rows
of quantised scales, nor exceptions. Shipped tables are fitted to what a search sends (`s2lic weights fit`), so that a
file without one takes a little more or less than its likelihoods say: that is told, and no fault.

What is coded is the payload and the list of exceptions; what the file has beyond them is at most 40 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from s2lic.codec import Codec
from s2lic.coding.networks import pad, to_tensor
from s2lic.coding.options import EncodeOptions
from s2lic.container.boxes import unpack
from s2lic.container.exceptions import pack_exceptions
from s2lic.entropy.rounding import QuantTarget
from s2lic.entropy.tables import TOTAL, Tables, build_tables, row_scales
from s2lic.images.load import open_image
from s2lic.train.table_fit import Census, CountingWriter
from s2lic.weights.store import Weights

OVERHEAD_MAX = 40


@dataclass(frozen=True)
class Coding:
    """Bytes of one latent: as coded, as the tables' frequencies have them, and as the likelihoods have them."""

    coded: int
    by_tables: float
    by_likelihoods: float


def coding(weights: Weights, tables: Tables, y: Tensor, level: int) -> Coding:
    """Codes y (1, M, h, w) with tables, each symbol of it the nearest."""
    levels, coder = torch.tensor([level]), replace(weights.coder, tables=tables)
    census = Census(tables)
    (found,), _ = coder.encode(y, levels, writer=partial(CountingWriter, census=census))
    spent = census.counts * -np.log2(tables.to_arrays()["widths"] / TOTAL) / 8
    of_y = float(coder.estimate(y, levels, QuantTarget(y)).bits.double().sum()) / 8
    of_z = float(spent[: _slots_of_z(tables)].sum())
    return Coding(len(found.payload) + len(pack_exceptions(found.exceptions)), float(spent.sum()), of_y + of_z)


def with_gaussians(tables: Tables) -> Tables:
    """Tables as they are before they are fitted: those of z, and a Gaussian on every other row."""
    own, plain = tables.to_arrays(), build_tables((), row_scales(tables.gaussian_count)).to_arrays()
    of_z = {"widths": _slots_of_z(tables), "slots": tables.gaussian_first, "offsets": tables.gaussian_first}
    return Tables.from_arrays(
        {"first": own["first"], **{key: np.concatenate([own[key][:n], plain[key]]) for key, n in of_z.items()}}
    )


def _slots_of_z(tables: Tables) -> int:
    return int((tables.sizes[: tables.gaussian_first] - 2).sum())


def share(coded: int, ideal: float) -> float:
    """How much of what is allowed it differs by."""
    return abs(coded - ideal) / (0.005 * ideal + 16)


def main(
    folder: Path,
    model: str = "nano",
    qualities: Annotated[str, typer.Option(help="Numbers from 0 to 100, by commas.")] = "0,50,100",
) -> None:
    """Prints every picture that misses, the worst of all, and what the shipped tables give."""
    files = sorted(folder.glob("*.png"))
    if not files:
        raise typer.BadParameter(f"there is no PNG in {folder}")
    codec = Codec(model)
    plain, shares, gains, most = with_gaussians(codec.weights.tables), [], [], 0
    for path in files:
        picture = open_image(path, strip=True)
        for quality in map(float, qualities.split(",")):
            data, level = codec.encode(picture, quality, effort=0), EncodeOptions(quality).quality_level
            y = codec.networks.analyse(pad(to_tensor(picture)), level)
            own, gaussian = (coding(codec.weights, tables, y, level) for tables in (codec.weights.tables, plain))
            parts = unpack(data)
            assert own.coded == len(parts.payload) + len(parts.exceptions), path
            shares.append(max(share(own.coded, own.by_tables), share(gaussian.coded, gaussian.by_likelihoods)))
            gains.append(own.coded / gaussian.by_likelihoods - 1)
            most = max(most, len(data) - own.coded)
            if shares[-1] > 1:
                print(f"{path.name} at {quality}: {own}; with Gaussians {gaussian}")
    misses = sum(found > 1 for found in shares)
    print(f"{len(shares)} files, {misses} misses, worst {max(shares):.2f} of what is allowed, overhead {most} bytes")
    print(f"files against their likelihoods: {min(gains):+.2%} to {max(gains):+.2%}")
    raise typer.Exit(code=1 if misses or most > OVERHEAD_MAX else 0)


if __name__ == "__main__":
    typer.run(main)
