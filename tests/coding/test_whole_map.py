"""Blocks that look at the whole map, in a picture that is coded in tiles: each tile is a map of its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageOps

from s2lic.codec import Codec
from s2lic.coding.networks import to_tensor
from s2lic.container.boxes import unpack
from s2lic.container.header import TILED
from s2lic.defaults import SIDE_MIN
from s2lic.model import CONFIGS, Config, build, variant
from s2lic.transform.blocks import block_names, block_row
from tests.exporting import exported
from tests.frozen import codec, picture
from tests.references.weights import shaken

SIZE = (3 * SIDE_MIN, 176)
FIRST = (0, 0, 100, 176)  # of the first tile, out of reach of the second
FAR = 6  # columns of y, as far from the last tile
WHOLE = [key for key in block_names() if block_row(key).whole_map]


def chosen(key: str) -> Config:
    gate = block_row(key).kind == "gate"
    return variant(CONFIGS["tiny"], gate=key) if gate else variant(CONFIGS["tiny"], ("swinv2", "swinv2", key))


@cache
def weights_file(key: str) -> bytes:
    """As much of the frozen model as fits, and the block at random."""
    model = shaken(build(chosen(key)), 0.02)
    frozen, own = codec().weights.model.state_dict(), model.state_dict()
    fitting = {name: value for name, value in frozen.items() if name in own and own[name].shape == value.shape}
    model.load_state_dict(fitting, strict=False)
    return exported(model)


def opened(key: str, folder: Path) -> Codec:
    path = folder / "own.safetensors"
    path.write_bytes(weights_file(key))
    return Codec(path, tile=SIDE_MIN)


def changed(image: Image.Image) -> Image.Image:
    """The picture with the last tile in negative."""
    box = (2 * SIDE_MIN, 0, *SIZE)
    other = image.copy()
    other.paste(ImageOps.invert(image.crop(box)), box)
    return other


@pytest.mark.parametrize("key", WHOLE)
def test_what_a_far_tile_holds_changes_nothing_here_where_in_one_map_it_would(key: str, tmp_path: Path) -> None:
    image, coder = picture("portrait", size=SIZE), opened(key, tmp_path)
    files = [coder.encode(one, 50) for one in (image, changed(image))]
    assert unpack(files[0]).header.tiling == TILED
    first, other = (coder.decode(data, crop=FIRST).tobytes() for data in files)
    assert first == other
    a, b = (coder.networks.analyse(to_tensor(one), 5000) for one in (image, changed(image)))
    assert not torch.equal(a[..., :FAR], b[..., :FAR])


def test_a_block_of_windows_sees_no_far_tile_in_one_map_either() -> None:
    image, coder = picture("portrait", size=SIZE), codec()
    a, b = (coder.networks.analyse(to_tensor(one), 5000) for one in (image, changed(image)))
    assert torch.equal(a[..., :FAR], b[..., :FAR])
    assert not torch.equal(a, b)
