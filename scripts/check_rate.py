"""Checks coded sizes against their expected sizes, within 0.5 % + 16 bytes, for a folder of PNGs.

    python -m scripts.check_rate DIR [--model nano] [--qualities 0,50,100]

There are two checks. The first compares the file with the frequencies of the shipped tables: the range coder wastes
nothing. The second codes the same symbols with Gaussian tables and compares with -log2 of the likelihoods at the
unquantised scale: quantised scales and exceptions waste nothing. Shipped tables are fitted to the symbols of an encoder
with search (`s2lic weights fit`). Without a search, a file is slightly larger or smaller than its likelihoods say. This
is reported, and is not a failure.

The coded size is that of the payload and the list of exceptions. The rest of the file is at most 40 bytes.
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
    """Bytes of one latent: coded, expected by the tables' frequencies, and expected by the likelihoods."""

    coded: int
    by_tables: float
    by_likelihoods: float


def coding(weights: Weights, tables: Tables, y: Tensor, level: int) -> Coding:
    """Codes y (1, M, h, w) with these tables, rounded to the nearest symbols."""
    levels, coder = torch.tensor([level]), replace(weights.coder, tables=tables)
    census = Census(tables)
    (found,), _ = coder.encode(y, levels, writer=partial(CountingWriter, census=census))
    spent = census.counts * -np.log2(tables.to_arrays()["widths"] / TOTAL) / 8
    of_y = float(coder.estimate(y, levels, QuantTarget(y)).bits.double().sum()) / 8
    of_z = float(spent[: _slots_of_z(tables)].sum())
    return Coding(len(found.payload) + len(pack_exceptions(found.exceptions)), float(spent.sum()), of_y + of_z)


def with_gaussians(tables: Tables) -> Tables:
    """Tables before fitting: those of z, and a Gaussian in every other row."""
    own, plain = tables.to_arrays(), build_tables((), row_scales(tables.gaussian_count)).to_arrays()
    of_z = {"widths": _slots_of_z(tables), "slots": tables.gaussian_first, "offsets": tables.gaussian_first}
    return Tables.from_arrays(
        {"first": own["first"], **{key: np.concatenate([own[key][:n], plain[key]]) for key, n in of_z.items()}}
    )


def _slots_of_z(tables: Tables) -> int:
    return int((tables.sizes[: tables.gaussian_first] - 2).sum())


def share(coded: int, ideal: float) -> float:
    """The difference as a share of the tolerance."""
    return abs(coded - ideal) / (0.005 * ideal + 16)


def main(
    folder: Path,
    model: str = "nano",
    qualities: Annotated[str, typer.Option(help="Numbers from 0 to 100, separated by commas.")] = "0,50,100",
) -> None:
    """Print every image out of tolerance, the worst case, and the effect of the shipped tables."""
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
    print(f"{len(shares)} files, {misses} misses, worst {max(shares):.2f} of the tolerance, overhead {most} bytes")
    print(f"files against their likelihoods: {min(gains):+.2%} to {max(gains):+.2%}")
    raise typer.Exit(code=1 if misses or most > OVERHEAD_MAX else 0)


if __name__ == "__main__":
    typer.run(main)
