"""Pillow opens and saves s2lic files through its own doors."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from s2lic import errors, pillow_plugin
from tests.files import PROFILE, XMP, exif
from tests.frozen import codec, picture

CORRUPT = Path(__file__).parent / "corrupt"
MANIFEST = json.loads((CORRUPT / "manifest.json").read_text())
NOT_OURS, TOO_LARGE = ("a-png", "empty", "cut-in-the-magic"), "more-pixels-than-the-limit"
MODES = ["RGB", "L", "RGBA", "LA"]


@pytest.fixture(autouse=True)
def frozen_model() -> Iterator[None]:
    pillow_plugin.use(codec())
    yield
    pillow_plugin._codecs.clear()


@pytest.mark.parametrize("mode", MODES)
def test_a_saved_picture_opens_as_the_codec_decodes_it(tmp_path: Path, mode: str) -> None:
    image, path = picture("shapes", mode, (33, 20)), tmp_path / "a.s2lic"
    image.save(path, quality=80)
    assert path.read_bytes() == codec().encode(image, 80)
    with Image.open(path) as opened:
        assert (opened.mode, opened.size, opened.format) == (mode, image.size, "S2LIC")
        assert np.array_equal(np.asarray(opened), np.asarray(codec().decode(path.read_bytes())))


def test_metadata_are_there_before_the_pixels() -> None:
    block, buffer = exif({0x0112: (3, 6)}), io.BytesIO()
    picture("shapes", size=(33, 20)).save(buffer, "S2LIC", icc_profile=PROFILE, exif=block, xmp=XMP)
    opened = Image.open(buffer)
    assert opened.info == {"icc_profile": PROFILE, "exif": b"Exif\0\0" + block, "xmp": XMP}
    assert (opened.size, opened.getexif()[0x0112]) == ((33, 20), 6)
    opened.load()
    assert opened.info["xmp"] == XMP


def test_pillow_knows_the_extension_and_the_mime_type() -> None:
    assert Image.registered_extensions()[".s2lic"] == "S2LIC"
    assert Image.MIME["S2LIC"] == "image/x-s2lic"
    assert not pillow_plugin._accept(b"\x89PNG")


def test_a_thumbnail_and_verify_work_as_on_any_file() -> None:
    data = codec().encode(picture("portrait"), 30)
    image = Image.open(io.BytesIO(data))
    image.thumbnail((32, 32))
    assert max(image.size) == 32
    Image.open(io.BytesIO(data)).verify()


@pytest.mark.parametrize("name", [name for name in MANIFEST if name not in (*NOT_OURS, TOO_LARGE)])
def test_a_broken_file_is_an_oserror_with_the_named_cause(name: str) -> None:
    error = getattr(errors, MANIFEST[name]["decode"])
    with pytest.raises(OSError, match=r".") as told, Image.open(CORRUPT / f"{name}.s2lic") as image:
        image.load()
    assert isinstance(told.value.__cause__, error)


def test_what_is_no_s2lic_file_is_left_to_others() -> None:
    for name in NOT_OURS:
        with pytest.raises(UnidentifiedImageError):
            Image.open(CORRUPT / f"{name}.s2lic")


def test_pillows_own_limit_holds_before_any_pixel_is_decoded() -> None:
    with pytest.raises(Image.DecompressionBombError):
        Image.open(CORRUPT / f"{TOO_LARGE}.s2lic")


def test_opening_needs_no_torch(tmp_path: Path) -> None:
    path = tmp_path / "a.s2lic"
    path.write_bytes(codec().encode(picture("shapes", "LA", (9, 7)), 30))
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "import s2lic.pillow_plugin\nfrom PIL import Image\n"
        "image = Image.open(sys.argv[1])\nprint(image.mode, image.size)\n"
        "try: image.load()\nexcept ImportError: print('needs torch')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "LA (9, 7)\nneeds torch\n"


def test_imageio_reads_and_writes_through_pillow(tmp_path: Path) -> None:
    pixels = np.asarray(picture("portrait"))
    sizes = []
    for quality in (10, 90):
        iio.imwrite(tmp_path / "a.s2lic", pixels, quality=quality)
        data = (tmp_path / "a.s2lic").read_bytes()
        assert np.array_equal(iio.imread(tmp_path / "a.s2lic"), np.asarray(codec().decode(data)))
        sizes.append(len(data))
    assert sizes[0] < sizes[1]


def test_imageio_codes_to_bytes_and_from_them() -> None:
    pixels = np.asarray(picture("portrait"))
    data = iio.imwrite("<bytes>", pixels, plugin="pillow", format="S2LIC", extension=".s2lic")
    assert np.array_equal(iio.imread(data), np.asarray(codec().decode(data)))
