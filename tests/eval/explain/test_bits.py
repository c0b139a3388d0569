"""The bits of each element add up to the file's, and the areas they go back to can be coded finer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from s2lic.codec import Codec
from s2lic.container.boxes import unpack
from s2lic.errors import ConditionError, ImageSizeError
from s2lic.eval.explain.bits import explain, spread
from s2lic.eval.explain.regions import salient_regions
from s2lic.images.alpha import split
from s2lic.model import build
from s2lic.weights.manifest import MADE_PREFIXES
from s2lic.weights.store import export
from tests.frozen import MODEL, codec, picture


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


def told(path: Path) -> Codec:
    """The frozen model with gates that are told two numbers of a picture, and heed them."""
    stored, model = load_file(MODEL), build("tiny+gate=sentence_gate+cond=2")
    model.load_state_dict({k: v.float() for k, v in stored.items() if k in model.state_dict()}, strict=False)
    torch.manual_seed(0)
    for name, value in model.g_a.named_parameters():
        if ".gates." in name:
            torch.nn.init.normal_(value, std=0.1)
    tables = {k: v for k, v in stored.items() if k.startswith(MADE_PREFIXES)}
    path.write_bytes(export(model, tables))
    return Codec(path, precision="float32")


def test_a_model_that_is_told_of_the_picture_is_explained_as_it_codes_it(tmp_path: Path) -> None:
    image, own = picture("portrait"), told(tmp_path / "told.safetensors")
    totals = []
    for cond in ([0.0, 1.0], [9.0, -9.0]):
        payload = unpack(own.encode(image, 50, cond=cond, effort=0)).payload
        totals.append(explain(own, image, 5000, cond).total)
        assert totals[-1] == pytest.approx(8 * len(payload), rel=0.03, abs=64)
    assert totals[0] != totals[1]
    assert salient_regions(own, image, [0.0, 1.0]).size == image.size
    with pytest.raises(ConditionError, match="--cond"):
        explain(own, image, 5000)
    with pytest.raises(ConditionError):
        explain(own, image, 5000, [1.0])


def test_a_picture_that_needs_tiles_is_refused() -> None:
    with pytest.raises(ImageSizeError, match="scale or crop"):
        explain(codec(), Image.new("RGB", (2048, 1025)), 5000)


def test_a_cells_bits_lie_evenly_on_its_pixels() -> None:
    values = torch.tensor([[256.0, 512.0]])
    assert spread(values, (16, 32)).sum() == 768
    assert spread(values, (9, 20))[:, 16:].unique().tolist() == [2.0]


def test_colour_that_does_not_show_does_not_stand_out() -> None:
    image = picture("portrait")
    image.putalpha(Image.linear_gradient("L").resize(image.size).point(lambda a: 255 * (a >= 128)))
    seen = split(image)[0]
    assert salient_regions(codec(), image).tobytes() == salient_regions(codec(), seen).tobytes()
    assert salient_regions(codec(), image).tobytes() != salient_regions(codec(), image.convert("RGB")).tobytes()


def test_what_stands_out_becomes_a_map_of_regions() -> None:
    image = picture("portrait")
    shades = salient_regions(codec(), image)
    assert shades.size == image.size
    assert max(abs(low - 128) for low in shades.getextrema()) >= 127  # type: ignore[operator,union-attr]
    assert unpack(codec().encode(image, 50, roi=shades)).roi
