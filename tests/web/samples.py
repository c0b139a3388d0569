"""What the decoder for browsers is compared with: graphs of the frozen model, and what Python makes of files."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
from PIL import Image

from s2lic import errors
from s2lic.codec import Codec
from s2lic.container.tiles import GRID
from s2lic.onnx.export import exported, write_files
from s2lic.weights.arrays import load_arrays
from scripts.mutants import mutant, seeds
from tests.frozen import FOLDER, MODEL, codec, picture

GOLDEN = FOLDER / "golden"
MUTANTS = 300


def write_model(weights: Path, models: Path) -> Path:
    """The graphs of a weights file, in a folder of the model's id."""
    arrays = load_arrays(weights)
    folder = models / arrays.model_id.hex()
    write_files(folder, exported(arrays), False)
    return folder


def write_samples(folder: Path) -> None:
    """The golden files and others with tiles, regions and alpha, and their samples as Python decodes them."""
    files = {path.stem: path.read_bytes() for path in GOLDEN.glob("*.s2lic")}
    tiled, ramp = Codec(MODEL, tile=256, precision="float32"), Image.linear_gradient("L").resize((96, 80))
    files["tiles"] = Codec(MODEL, tile=4 * GRID).encode(picture("portrait", size=(600, 300)), 30)
    files["tiles-regions"] = tiled.encode(picture("shapes", size=(520, 540)), 30, roi=ramp)
    files["grey-tiles"] = tiled.encode(picture("shapes", "L", size=(300, 520)), 20)
    clear = picture("portrait", size=(96, 80))
    clear.putalpha(ramp)
    files["alpha"] = tiled.encode(clear, 50)
    for name, data in files.items():
        (folder / f"{name}.s2lic").write_bytes(data)
        (folder / f"{name}.rgba").write_bytes(np.asarray(codec().decode(data, strip=True).convert("RGBA")).tobytes())


def write_mutants(path: Path) -> None:
    """Broken files and the names of the errors that they end in in Python; "none" where they decode."""
    whole = seeds()
    broken = [mutant(whole, 20, index).data for index in range(MUTANTS)]
    rows = [
        {"name": f"mutant {index}", "data": base64.b64encode(data).decode(), "error": _error(data)}
        for index, data in enumerate(broken)
    ]
    path.write_text(json.dumps(rows))


def _error(data: bytes) -> str:
    try:
        codec().decode(data, strip=True)
    except errors.S2licError as error:
        return type(error).__name__
    return "none"
