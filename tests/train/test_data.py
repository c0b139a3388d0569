"""Training pictures and crops: what is loaded, and that a batch depends on its seed and step alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s2lic.errors import ConditionError, InputMissingError, NotAnImageError
from s2lic.images.load import read_image
from s2lic.train.data import Photos, Prefetch, Resident


def written(folder: Path, name: str, height: int, width: int, mode: str = "RGB") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(height)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


def single(height: int, width: int) -> Photos:
    """One picture whose every pixel is different."""
    count = np.arange(height * width)
    pixels = np.stack([count // 256, count % 256, count % 7], axis=-1).astype(np.uint8)
    return Photos([pixels.reshape(height, width, 3)], np.ones(1))


def test_every_picture_under_the_folders_is_loaded_and_drawn_by_its_area(tmp_path: Path) -> None:
    written(tmp_path / "a", "deep/one.PNG", 40, 60)
    written(tmp_path / "a", "two.jpg", 40, 20)
    written(tmp_path / "b", "three.webp", 100, 40)
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    photos = Photos.load([tmp_path / "a", tmp_path / "b"], 20)
    assert [p.shape for p in photos.pictures] == [(40, 60, 3), (40, 20, 3), (100, 40, 3)]
    assert photos.weights.tolist() == pytest.approx([2400 / 7200, 800 / 7200, 4000 / 7200])


def test_a_grey_picture_becomes_rgb(tmp_path: Path) -> None:
    written(tmp_path, "grey.png", 8, 8, "L")
    (pixels,) = Photos.load([tmp_path], 8).pictures
    assert pixels.shape == (8, 8, 3)
    assert (pixels == pixels[..., :1]).all()


def test_pictures_too_small_for_a_crop_are_left_out(tmp_path: Path) -> None:
    written(tmp_path, "small.png", 31, 200)
    written(tmp_path, "exact.png", 32, 32)
    assert [p.shape for p in Photos.load([tmp_path], 32).pictures] == [(32, 32, 3)]


def test_no_pictures_and_only_small_pictures_are_errors_that_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="no pictures under"):
        Photos.load([tmp_path], 8)
    with pytest.raises(InputMissingError, match="no folder"):
        Photos.load([tmp_path / "nowhere"], 8)
    written(tmp_path, "small.png", 31, 200)
    with pytest.raises(InputMissingError, match="32 pixels a side"):
        Photos.load([tmp_path], 32)


def test_pictures_come_in_as_the_codec_takes_them(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 40 * 32).reshape(40, 32).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    expected = np.asarray(read_image(tmp_path / "deep.png").image.convert("RGB"))
    assert np.array_equal(Photos.load([tmp_path], 32).pictures[0], expected)
    assert 100 < expected.mean() < 155


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    written(tmp_path, "whole.png", 32, 32)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(NotAnImageError, match=r"broken\.jpg"):
        Photos.load([tmp_path], 32)


def test_a_batch_depends_on_its_seed_alone(photos: Photos) -> None:
    first = photos.batch(4, 32, (5, 17))
    np.random.seed(0)
    torch.manual_seed(0)
    assert torch.equal(photos.batch(4, 32, (5, 17)), first)
    assert not torch.equal(photos.batch(4, 32, (5, 18)), first)
    assert not torch.equal(photos.batch(4, 32, (6, 17)), first)


def test_batches_come_in_float_channels_first_between_0_and_1(photos: Photos) -> None:
    batch = photos.batch(3, 48, (0, 0))
    assert (batch.shape, batch.dtype) == ((3, 3, 48, 48), torch.float32)
    assert 0 <= batch.min() < 0.3
    assert 0.7 < batch.max() <= 1


def test_a_crop_of_the_whole_picture_is_one_of_its_eight_turnings_and_all_come_up() -> None:
    photos = single(16, 16)
    picture = photos.pictures[0]
    turned = [np.rot90(p, k) for p in (picture, picture[:, ::-1]) for k in range(4)]
    crops = (photos.batch(64, 16, (0, 0)) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    found = [[np.array_equal(crop, t) for t in turned].index(True) for crop in crops]
    assert set(found) == set(range(8))


def test_half_of_the_crops_are_cut_as_they_are_and_half_scaled_down() -> None:
    crops = (single(40, 50).batch(300, 16, (1, 1)) * 255).round().long()
    order = crops[:, 0] * 256 + crops[:, 1]  # raster position: exact only where nothing is scaled
    steps = torch.stack([order.diff(dim=1).abs().amax((1, 2)), order.diff(dim=2).abs().amax((1, 2))])
    whole = ((steps == 1) | (steps == 50)).all(0).double().mean().item()
    assert 0.4 < whole < 0.62


def test_pictures_are_drawn_in_proportion_to_their_weights() -> None:
    black, white = (np.full((8, 8, 3), value, np.uint8) for value in (0, 255))
    photos = Photos([black, white], np.array([0.9, 0.1]))
    assert photos.batch(1000, 8, (0, 0)).mean().item() == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 90), (64, 64), (200, 32)])
def test_a_picture_hardly_larger_than_the_crop_is_enough(height: int, width: int) -> None:
    assert single(height, width).batch(50, 32, (2, 2)).shape == (50, 3, 32, 32)


def test_prefetched_batches_are_those_of_their_steps_in_any_order(photos: Photos) -> None:
    batches = Prefetch(photos, 2, 16, 9)
    for step in (0, 1, 2, 7, 3, 3):  # a resumed run starts anywhere
        assert torch.equal(batches(step), photos.batch(2, 16, (9, step)))
    batches.close()


def test_what_is_known_of_a_picture_goes_with_every_crop_of_it(tmp_path: Path) -> None:
    for i, shade in enumerate((0, 100, 200)):
        Image.new("RGB", (40, 40), (shade, shade, shade)).save(tmp_path / f"{i}.png")
        np.save(tmp_path / f"{i}.npy", [shade / 255, float(i)])
    photos = Photos.load([tmp_path], 32, cond=2)
    x, condition = photos.batch(20, 32, (0, 1)), photos.conditions(20, 32, (0, 1))
    assert condition is not None
    torch.testing.assert_close(x.mean((1, 2, 3)), condition[:, 0], rtol=0, atol=1e-6)
    assert len(condition[:, 1].unique()) == 3
    part = photos.conditions(20, 32, (0, 1), slice(5, 9))
    assert part is not None
    assert torch.equal(part, condition[5:9])
    assert Photos.load([tmp_path], 32).conditions(20, 32, (0, 1)) is None


def test_a_picture_of_which_nothing_or_too_little_is_known_is_an_error(tmp_path: Path) -> None:
    written(tmp_path, "a.png", 32, 32)
    with pytest.raises(InputMissingError, match=r"a\.npy"):
        Photos.load([tmp_path], 32, cond=2)
    np.save(tmp_path / "a.npy", [1.0])
    with pytest.raises(ConditionError, match="1 condition values were given, but this model needs 2"):
        Photos.load([tmp_path], 32, cond=2)


CPU = torch.device("cpu")


def test_a_crop_on_a_device_is_the_same_cut_scaled_by_another_filter(photos: Photos) -> None:
    resident = Resident.of(photos, CPU)
    there, here = resident.batch(24, 96, (3, 1)), photos.batch(24, 96, (3, 1))
    difference = (there - here).abs().flatten(1).amax(1) * 255
    assert there.shape == here.shape
    assert (difference < 1e-3).sum() >= 6  # those that were not scaled are equal
    assert difference.max() < 16
    assert (there - here).abs().mean() * 255 < 0.5


def test_rows_of_a_batch_are_cut_as_in_the_whole(photos: Photos) -> None:
    for source in (photos, Resident.of(photos, CPU)):
        whole = source.batch(6, 64, (5, 2))
        assert torch.equal(source.batch(6, 64, (5, 2), slice(1, None, 2)), whole[1::2])
