"""Measures the cost of tiles on large images made of photographs: in bytes, in quality near borders, and in memory.

    python scripts/check_tiles.py seams DIR              compared with the same image in one stream
    python scripts/check_tiles.py memory DIR --out docs/memory.json --plot docs/memory.png
    python scripts/check_tiles.py commands DIR           `s2lic encode` and `decode` of 100 megapixels

Memory is VmHWM of Linux, with a new process for each size.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from s2lic.codec import Codec
from s2lic.container.tiles import Layout, layout_of
from s2lic.defaults import SIDE

MEGAPIXEL = 1_000_000
REACH = 32
app = typer.Typer(pretty_exceptions_enable=False, help=__doc__)
Photos = Annotated[Path, typer.Argument(help="A folder of PNGs.")]
Quality = Annotated[float, typer.Option("-q", "--quality")]


def mosaic(folder: Path, width: int, height: int) -> Image.Image:
    """A mosaic of photographs, with another first one in each row. Its seams do not lie on tile borders."""
    photos = [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.png"))]
    if not photos:
        raise typer.BadParameter(f"there is no PNG in {folder}")
    canvas, top, turn = Image.new("RGB", (width, height)), -150, 0
    while top < height:
        left, row = -100, turn
        while left < width:
            photo = photos[turn % len(photos)]
            canvas.paste(photo, (left, top))
            left, turn = left + photo.width, turn + 1
        top, turn = top + photos[row % len(photos)].height, row + 7
    return canvas


def near_borders(layout: Layout) -> NDArray[np.bool_]:
    near = np.zeros((layout.height, layout.width), bool)
    for tile in layout.tiles():
        near[:, tile.left - REACH : tile.left + REACH] |= tile.left > 0
        near[tile.top - REACH : tile.top + REACH] |= tile.top > 0
    return near


def psnr(a: Image.Image, b: Image.Image, where: NDArray[np.bool_]) -> float:
    difference = np.asarray(a, np.float32)[where] - np.asarray(b, np.float32)[where]
    return float(10 * np.log10(255**2 / np.mean(difference.astype(float) ** 2)))


@app.command()
def seams(
    folder: Photos,
    width: int = 2300,
    height: int = 1700,
    side: int = SIDE,
    qualities: Annotated[str, typer.Option(help="Numbers from 0 to 100, separated by commas.")] = "10,50,90",
) -> None:
    """Bytes, and PSNR within 32 pixels of borders, with and without tiles."""
    original = mosaic(folder, width, height)
    plain, tiler, layout = Codec(tile=max(width, height)), Codec(tile=side), layout_of(width, height, side)
    near = near_borders(layout)
    typer.echo(f"{width} x {height} in tiles of {layout.tile_width} x {layout.tile_height}")
    for quality in map(float, qualities.split(",")):
        one, many = (coder.encode(original, quality, effort=0) for coder in (plain, tiler))
        levels = [psnr(codec.decode(data), original, near) for codec, data in ((plain, one), (tiler, many))]
        rate = 100 * (len(many) / len(one) - 1)
        typer.echo(f"quality {quality:g}: bytes {rate:+.2f} %, beside borders {levels[1] - levels[0]:+.4f} dB")


@app.command()
def memory(
    folder: Photos,
    megapixels: Annotated[str, typer.Option(help="Sizes, separated by commas.")] = "4,10,25,100",
    quality: Quality = 50,
    out: Path | None = None,
    plot: Path | None = None,
) -> None:
    """Peak memory of the library, without the image itself."""
    rows = []
    for size in megapixels.split(","):
        words = [sys.executable, __file__, "one", str(folder), size, "--quality", str(quality)]
        rows.append(json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout))
        typer.echo(json.dumps(rows[-1]))
    if out:
        out.write_text(json.dumps(rows, indent=2) + "\n")
    if plot:
        plot.write_bytes(draw(rows))


@app.command(hidden=True)
def one(folder: Path, megapixels: float, quality: Quality) -> None:
    """One size: MiB above the process with the image before coding."""
    side = math.isqrt(round(megapixels * MEGAPIXEL))
    codec = Codec(max_pixels=None)
    codec.decode(codec.encode(Image.new("RGB", (64, 64)), quality))
    picture = mosaic(folder, side, side)
    held = forget_peak()
    data = codec.encode(picture, quality)
    encoding, held = peak() - held, forget_peak()
    back = codec.decode(data)
    decoding = peak() - held - 4 * side * side / 2**20  # Pillow keeps RGB in four bytes
    facts = {"megapixels": megapixels, "bytes": len(data), "encode_mib": encoding, "decode_mib": decoding}
    assert back.size == picture.size
    typer.echo(json.dumps({**facts, "picture_mib": 3 * side * side / 2**20}))


@app.command()
def commands(folder: Photos, megapixels: float = 100, quality: Quality = 50) -> None:
    """Peak memory and time of the two commands, including reading and writing of PNGs."""
    side = math.isqrt(round(megapixels * MEGAPIXEL))
    with tempfile.TemporaryDirectory() as scratch:
        source, coded, back = (Path(scratch) / name for name in ("large.png", "large.bin", "back.png"))
        mosaic(folder, side, side).save(source, compress_level=1)
        limit = ["--max-pixels", str(side * side)]
        tell("encode", [str(source), "-o", str(coded), "-q", str(quality), *limit])
        tell("decode", [str(coded), "-o", str(back), *limit])
        typer.echo(f"{source.stat().st_size} bytes as PNG, {coded.stat().st_size} coded")


def tell(command: str, words: list[str]) -> None:
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "s2lic", command, *words])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"s2lic {command} failed")
    spent = usage.ru_utime + usage.ru_stime
    wall = time.perf_counter() - start
    typer.echo(f"{command}: peak {usage.ru_maxrss / 1024:.0f} MiB, {spent:.0f} s of processor, {wall:.0f} s")


def forget_peak() -> float:
    """Reset the peak, and return the MiB in use."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def draw(rows: list[dict[str, float]]) -> bytes:
    """Plot memory over image size, as PNG."""
    import io

    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    sizes = [row["megapixels"] for row in rows]
    for name, marker in (("encode", "o-"), ("decode", "s--")):
        axes.plot(sizes, [row[f"{name}_mib"] for row in rows], marker, label=f"{name}, beyond the picture")
    axes.plot(sizes, [row["picture_mib"] for row in rows], "k:", label="the picture, 3 bytes a pixel")
    axes.set(xlabel="megapixels", ylabel="MiB", ylim=(0, None), title="Peak memory")
    axes.grid(alpha=0.3)
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


if __name__ == "__main__":
    app()
