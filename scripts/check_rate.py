"""Coded size against the likelihoods: -log2 at the unquantised scale, within 0.5 % + 16 bytes, over a folder of PNGs.

    python scripts/check_rate.py DIR [--model nano] [--qualities 0,50,100]

What is coded is the payload and the list of exceptions; what the file has beyond them is at most 40 bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from s2lic.bitstream import unpack
from s2lic.codec import Codec, quality_level
from s2lic.entropy.coding import LatentSize, z_rows
from s2lic.entropy.likelihood import bits, gaussian_likelihood
from s2lic.images import open_image
from s2lic.pixels import pad, to_tensor
from s2lic.weights.store import Weights


@torch.inference_mode()
def ideal_bytes(weights: Weights, y: Tensor, level: int) -> float:
    """Bytes of the hard-rounded symbols: y by its Gaussian at the exact scale, z by its table."""
    net, tables = weights.model.entropy, weights.tables
    quality = net.quality(torch.tensor([level]))
    resting = net.resting(quality)
    z = torch.round(net.hyper_analysis(y.double(), quality) - resting)
    gained = (y.double() * net.gains(quality)[0]).flatten(2).transpose(1, 2)
    spent: list[Tensor] = []

    def quantise(mu: Tensor, sigma: Tensor, first: int, at: Tensor) -> Tensor:
        q = torch.round(gained[:, at, first : first + mu.shape[2]] - mu)
        spent.append(bits(gaussian_likelihood(q, sigma)))
        return q + mu

    size = LatentSize(y.shape[2], y.shape[3])
    net.reconstruct(z + resting, quality, (size.height, size.width), quantise)
    rows = next(z_rows(net.row, quality, size)).ravel()
    starts = (np.cumsum(tables.sizes) - tables.sizes)[rows]
    symbols = np.clip(z[0].numpy().ravel().astype(int), tables.offsets[rows], tables.last[rows])
    slot = starts + symbols - tables.offsets[rows]
    widths = tables.cdf[slot + 1] - tables.cdf[slot]
    return (float(torch.stack(spent).sum()) - float(np.log2(widths / 65536).sum())) / 8


def main(
    folder: Path,
    model: str = "nano",
    qualities: Annotated[str, typer.Option(help="Numbers from 0 to 100, by commas.")] = "0,50,100",
) -> None:
    """Prints every picture that misses, and the worst of all."""
    files = sorted(folder.glob("*.png"))
    if not files:
        raise typer.BadParameter(f"there is no PNG in {folder}")
    codec, worst, most, misses, count = Codec(model), 0.0, 0, 0, 0
    for path in files:
        picture = open_image(path, strip=True)
        for quality in map(float, qualities.split(",")):
            data = codec.encode(picture, quality, effort=0)
            level = quality_level(quality)
            y = codec.networks.analyse(pad(to_tensor(picture)), level)
            parts, ideal = unpack(data), ideal_bytes(codec.weights, y, level)
            coded = len(parts.payload) + len(parts.exceptions)
            share = abs(coded - ideal) / (0.005 * ideal + 16)
            worst, most = max(worst, share), max(most, len(data) - coded)
            count, misses = count + 1, misses + (share > 1)
            if share > 1:
                print(f"{path.name} at {quality}: {coded} bytes, ideally {ideal:.0f}")
    print(f"{count} files, {misses} misses, worst {worst:.2f} of what is allowed, overhead at most {most} bytes")
    raise typer.Exit(code=1 if misses or most > 40 else 0)


if __name__ == "__main__":
    typer.run(main)
