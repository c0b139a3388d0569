"""The bits of each element add up to the file's, and the areas they go back to can be coded finer."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from s2lic.bitstream import unpack
from s2lic.errors import ImageSizeError
from s2lic.eval.explain.bits import explain, spread
from s2lic.eval.explain.regions import salient_regions
from tests.frozen import codec, picture


@pytest.mark.parametrize("level", [2000, 8000])
def test_the_bits_are_those_of_the_payload(level: int) -> None:
    image = picture("portrait")
    found, payload = explain(codec(), image, level), unpack(codec().encode(image, level / 100)).payload
    assert found.total == pytest.approx(8 * len(payload), rel=0.03, abs=64)
    assert found.pixels.shape == (image.height, image.width)
    assert 0.5 < found.kept < 1.1


def test_half_a_picture_without_anything_in_it_costs_less_and_is_less_relevant() -> None:
    image = picture("portrait").crop((0, 0, 128, 128))
    image.paste(image.getpixel((0, 0)), (64, 0, 128, 128))  # type: ignore[arg-type]
    found = explain(codec(), image, 7000)
    assert float(found.y_bits[:, 5:].sum()) < 0.75 * float(found.y_bits[:, :3].sum())
    assert float(found.pixels[:, 80:].sum()) < float(found.pixels[:, :48].sum())


def test_the_model_is_left_as_it_was() -> None:
    image = picture("shapes")
    before = codec().encode(image, 40)
    explain(codec(), image, 4000)
    assert codec().encode(image, 40) == before


def test_a_picture_that_needs_tiles_is_refused() -> None:
    with pytest.raises(ImageSizeError, match="scale or crop"):
        explain(codec(), Image.new("RGB", (2048, 1025)), 5000)


def test_a_cells_bits_lie_evenly_on_its_pixels() -> None:
    values = torch.tensor([[256.0, 512.0]])
    assert spread(values, (16, 32)).sum() == 768
    assert spread(values, (9, 20))[:, 16:].unique().tolist() == [2.0]


def test_what_stands_out_becomes_a_map_of_regions() -> None:
    image = picture("portrait")
    shades = salient_regions(codec(), image)
    assert shades.size == image.size
    assert max(abs(low - 128) for low in shades.getextrema()) >= 127  # type: ignore[operator,union-attr]
    assert unpack(codec().encode(image, 50, roi=shades)).roi
