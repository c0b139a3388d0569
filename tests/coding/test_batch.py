"""Many pictures at once come out as one by one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from s2lic.codec import Codec
from s2lic.coding import batch
from s2lic.coding.batch import groups
from s2lic.coding.options import DecodeOptions, EncodeOptions
from s2lic.entropy.latent_coder import LatentCoder
from s2lic.entropy.latent_size import LatentSize
from s2lic.errors import QualityRangeError, TruncatedError
from tests.files import PROFILE
from tests.frozen import MODEL, codec, picture

SMALL, LARGE = LatentSize(4, 4), LatentSize(40, 30)


def album() -> list[Image.Image]:
    """Pictures of three padded sizes in turn, one of them too large for company, some grey, with alpha or a profile."""
    portrait, shapes = picture("portrait"), picture("shapes")
    images = [image.crop((x, x, x + 64, x + 60)) for x in (0, 20, 40) for image in (portrait, shapes)]
    images[1] = images[1].convert("L")
    images[2].putalpha(images[3].convert("L"))
    images[4].info["icc_profile"] = PROFILE
    return [picture("portrait", size=(300, 260)), *images, shapes.crop((0, 0, 61, 64)), portrait.crop((0, 0, 30, 50))]


@pytest.mark.parametrize("quality", [20, 85])
def test_the_files_are_those_of_one_by_one(quality: float) -> None:
    assert codec().encode_many(album(), quality) == [codec().encode(image, quality) for image in album()]


def test_the_pictures_are_those_of_one_by_one() -> None:
    files = [codec().encode(image, quality) for image, quality in zip(album(), range(10, 100, 10), strict=True)]
    for together, alone in zip(codec().decode_many(files), map(codec().decode, files), strict=True):
        assert (together.mode, together.size, together.info) == (alone.mode, alone.size, alone.info)
        assert together.tobytes() == alone.tobytes()


def test_crops_of_a_group_are_those_of_one_by_one() -> None:
    options = DecodeOptions(crop=(3, 5, 20, 30), strip=True)
    files = [codec().encode(image, 40, effort=0) for image in album()[1:]]
    for together, data in zip(codec().decode_many_with(files, options), files, strict=True):
        assert together.tobytes() == codec().decode_with(data, options).tobytes()
        assert together.tobytes() == codec().decode(data).crop((3, 5, 23, 35)).tobytes()
        assert together.info == {}


def test_a_map_or_a_target_holds_for_each_of_many_pictures() -> None:
    images = album()[1:3]
    for options in (EncodeOptions(roi=Image.new("L", (2, 2), 255), effort=0), EncodeOptions(target_bpp=0.4, effort=0)):
        assert codec().encode_many_with(images, options) == [codec().encode_with(image, options) for image in images]


def test_tiles_stand_alone_beside_the_others() -> None:
    tiler = Codec(MODEL, tile=64)
    images = [picture("portrait", size=(320, 100)), *album()[1:4], picture("shapes", size=(320, 100))]
    files = tiler.encode_many(images, 60)
    assert files == [tiler.encode(image, 60) for image in images]
    assert [p.tobytes() for p in tiler.decode_many(files)] == [tiler.decode(data).tobytes() for data in files]


def test_nothing_gives_nothing() -> None:
    assert codec().encode_many([]) == []
    assert codec().decode_many([]) == []


def test_one_pass_of_the_entropy_model_serves_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    for name in ("encode", "decode"):
        real = getattr(LatentCoder, name)
        monkeypatch.setattr(LatentCoder, name, lambda *a, real=real, **kw: sizes.append(len(a[1])) or real(*a, **kw))
    images = [picture("portrait").crop((x, 0, x + 64, 64)) for x in range(5)]
    codec().decode_many(codec().encode_many(images, 50, effort=0))
    assert sizes == [5, 5]


def test_groups_through_g_a_and_g_s_are_read_by_every_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a GPU codes: a symbol may be another one here and there, but each reader takes the symbols for the same."""
    monkeypatch.setattr(batch, "_alone", lambda _: False)
    images = album()
    files = codec().encode_many(images, 70)
    monkeypatch.undo()
    alone = [np.asarray(codec().decode(data), int) for data in files]
    monkeypatch.setattr(batch, "_alone", lambda _: False)
    together = [np.asarray(image, int) for image in codec().decode_many(files)]
    assert max(abs(a - b).max() for a, b in zip(alone, together, strict=True)) <= 1
    sizes = [len(codec().encode(image, 70)) for image in images]
    assert all(abs(len(data) - size) <= 8 for data, size in zip(files, sizes, strict=True))


def test_the_first_refusal_is_raised() -> None:
    with pytest.raises(QualityRangeError):
        codec().encode_many(album(), 101)
    files = codec().encode_many(album()[1:3], 50)
    with pytest.raises(TruncatedError):
        codec().decode_many([files[0], files[1][:50]])


def test_equal_keys_are_grouped_in_order_and_by_room() -> None:
    keys = [(SMALL, b"a"), (LARGE, b"a"), (SMALL, b"a"), (None, b"a"), (SMALL, b"b"), (SMALL, b"a"), (None, b"a")]
    pixels = 256 * SMALL.height * SMALL.width
    found = list(groups(keys, 2 * pixels))
    assert sorted(map(tuple, found)) == [(0, 2), (1,), (3,), (4,), (5,), (6,)]
    assert Counter(index for group in found for index in group) == Counter(range(len(keys)))
