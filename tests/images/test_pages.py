"""Pages, previews and layouts of samples in TIFF files that Pillow hands on without a word."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from s2lic import errors
from s2lic.images.load import as_image, read_image

GREY = np.tile(np.linspace(0, 255, 32).round().astype(np.uint8), (8, 1))
FORMS = {1: "B", 3: "H", 4: "I", 5: "II"}
Tags = Mapping[int, tuple[int, list[int]]]  # tag: (type, values)


def tiff(*pages: tuple[Tags, bytes], order: str = "<", following: int = 0) -> bytes:
    """A TIFF of uncompressed pages, each in one strip; `following` is where a page behind the last is said to be."""
    out = bytearray({"<": b"II*\0", ">": b"MM\0*"}[order] + bytes(4))
    link = 4
    for tags, strip in pages:
        rows = {**tags, 273: (4, [len(out)]), 279: (4, [len(strip)])}
        out += strip + bytes(len(strip) % 2)
        body = b""
        for tag, (kind, values) in sorted(rows.items()):
            data = struct.pack(order + len(values) * FORMS[kind], *values)
            if len(data) > 4:
                out += bytes(len(out) % 2)
                data, place = struct.pack(f"{order}I", len(out)), data
                out += place
            body += struct.pack(f"{order}HHI", tag, kind, len(values)) + data.ljust(4, b"\0")
        out += bytes(len(out) % 2)
        struct.pack_into(f"{order}I", out, link, len(out))
        out += struct.pack(f"{order}H", len(rows)) + body
        link = len(out)
        out += struct.pack(f"{order}I", following)
    return bytes(out)


def grey_tags(bits: int, photometric: int, sample_format: int = 1, **more: tuple[int, list[int]]) -> Tags:
    return {
        256: (3, [32]),
        257: (3, [8]),
        258: (3, [bits]),
        259: (3, [1]),
        262: (3, [photometric]),
        277: (3, [1]),
        278: (3, [8]),
        339: (3, [sample_format]),
        **{int(tag.strip("_")): value for tag, value in more.items()},
    }


def samples(kind: str, order: str = "<") -> tuple[int, int, bytes]:
    """Bits, sample format and bytes of the ramp in a layout."""
    if kind == "12 bits":
        values = GREY.astype(int) * 4095 // 255
        a, b = values[:, ::2], values[:, 1::2]
        return 12, 1, np.stack([a >> 4, (a & 15) << 4 | b >> 8, b & 255], -1).astype(np.uint8).tobytes()
    layouts: dict[str, tuple[int, int, NDArray]] = {
        "8 bits": (8, 1, GREY),
        "16 bits": (16, 1, (GREY.astype(int) * 257).astype(f"{order}u2")),
        "float": (32, 3, (GREY / 255).astype(f"{order}f4")),
        "signed 8": (8, 2, (GREY.astype(int) - 128).astype(np.int8)),
        "signed 16": (16, 2, (GREY.astype(int) * 128).astype(f"{order}i2")),
    }
    bits, sample_format, values = layouts[kind]
    return bits, sample_format, values.tobytes()


@pytest.mark.parametrize("entry", ["file", "opened"])
@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["8 bits", "12 bits", "16 bits", "float"])
def test_grey_of_every_layout_has_its_tones_or_is_refused(kind: str, order: str, photometric: int, entry: str) -> None:
    bits, sample_format, data = samples(kind, order)
    file = tiff((grey_tags(bits, photometric, sample_format), data), order=order)
    try:
        image = read_image(file).image if entry == "file" else as_image(Image.open(io.BytesIO(file)))
    except (errors.NotAnImageError, OSError):
        assert (kind, photometric) != ("8 bits", 1)
        return
    except errors.ConversionWarning:
        with pytest.warns(errors.ConversionWarning):
            image = as_image(Image.open(io.BytesIO(file)))
    expected = GREY if photometric else 255 - GREY
    assert abs(np.asarray(image, int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize(("kind", "words"), [("12 bits", "12-bit"), ("16 bits", "16-bit"), ("float", "floating")])
def test_depth_is_told_and_refused(kind: str, words: str) -> None:
    bits, sample_format, data = samples(kind)
    with pytest.raises(errors.LossyConversionError, match=words):
        read_image(tiff((grey_tags(bits, 1, sample_format), data)), strict=True)


@pytest.mark.parametrize("kind", ["signed 8", "signed 16"])
def test_signed_samples_are_refused(kind: str) -> None:
    bits, sample_format, data = samples(kind)
    with pytest.raises(errors.UnsupportedModeError, match="signed"):
        read_image(tiff((grey_tags(bits, 1, sample_format), data)))


def test_ycbcr_that_pillow_misreads_is_refused() -> None:
    tags = {**grey_tags(8, 6), 258: (3, [8] * 3), 277: (3, [3]), 339: (3, [1] * 3)}
    data = bytes(range(256)) * 3
    for subsampling in ({}, {530: (3, [2, 1])}):
        with pytest.raises(errors.UnsupportedModeError, match="YCbCr"):
            read_image(tiff(({**tags, **subsampling}, data)))
    assert read_image(tiff(({**tags, 530: (3, [1, 1])}, data))).image.mode == "RGB"


def test_fits_of_more_than_8_bits_is_refused() -> None:
    cards = ["SIMPLE  =                    T", "BITPIX  =                   16", "NAXIS   =                    2"]
    cards += ["NAXIS1  =                    4", "NAXIS2  =                    2", "END"]
    head = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    with pytest.raises(errors.UnsupportedModeError, match="FITS"):
        read_image(head + bytes(2880))


PREVIEW = {**grey_tags(8, 1), 254: (4, [1])}
RAMP = GREY.tobytes()


def test_a_preview_alone_is_refused() -> None:
    with pytest.raises(errors.PreviewOnlyError, match="develop"):
        read_image(tiff((PREVIEW, RAMP)))


@pytest.mark.parametrize("kind", [1, 4, 5], ids=["preview", "mask", "mask of a preview"])
def test_the_picture_behind_a_preview_is_taken(kind: int) -> None:
    turned = (255 - GREY).tobytes()
    found = read_image(tiff(({**PREVIEW, 254: (4, [kind])}, turned), (grey_tags(8, 1), RAMP)))
    assert np.array_equal(np.asarray(found.image), GREY)
    assert [note.text for note in found.notes] == ["only the first of 2 images is used"]


def test_raw_files_of_cameras_are_refused() -> None:
    dng = tiff(({**grey_tags(8, 1), 50706: (1, [1, 4, 0, 0])}, RAMP))
    with pytest.raises(errors.PreviewOnlyError):
        read_image(dng)
    cr2 = bytearray(tiff((grey_tags(8, 1), b"CR\2\0" + RAMP[4:])))
    assert cr2[8:10] == b"CR"
    with pytest.raises(errors.PreviewOnlyError):
        read_image(bytes(cr2))


def test_a_preview_behind_the_picture_is_passed_over() -> None:
    found = read_image(tiff((grey_tags(8, 1), RAMP), (PREVIEW, bytes(256))))
    assert np.array_equal(np.asarray(found.image), GREY)


@pytest.mark.parametrize("following", [7, 10**6, 2**32 - 1])
def test_a_broken_pointer_behind_a_page_fails_nothing(following: int) -> None:
    found = read_image(tiff((grey_tags(8, 1), RAMP), following=following))
    assert np.array_equal(np.asarray(found.image), GREY)


def test_a_gif_whose_second_frame_is_broken_gives_its_first() -> None:
    buffer = io.BytesIO()
    first = Image.fromarray(GREY)
    first.save(buffer, "GIF", save_all=True, append_images=[Image.fromarray(255 - GREY)])
    data = buffer.getvalue()
    found = read_image(data[: data.rindex(b"\x2c") + 4])
    assert np.array_equal(np.asarray(found.image.convert("L")), GREY)


def test_a_channel_without_a_meaning_is_told_and_refused() -> None:
    colour = np.random.default_rng(2).integers(0, 256, (8, 32, 4)).astype(np.uint8)
    tags = {**grey_tags(8, 2), 258: (3, [8] * 4), 277: (3, [4]), 338: (3, [0]), 339: (3, [1] * 4)}
    data = tiff((tags, colour.tobytes()))
    assert np.array_equal(np.asarray(read_image(data).image), colour[..., :3])
    with pytest.raises(errors.LossyConversionError, match="extra channel"):
        read_image(data, strict=True)


def test_primaries_of_a_tiff_become_a_profile() -> None:
    wide = [640, 1000, 330, 1000, 210, 1000, 710, 1000, 150, 1000, 60, 1000]
    tags = {**grey_tags(8, 2), 258: (3, [8] * 3), 277: (3, [3]), 339: (3, [1] * 3)}
    colour = np.zeros((8, 32, 3), np.uint8)
    with_primaries = tiff(({**tags, 319: (5, Pairs(wide))}, colour.tobytes()))
    found = read_image(with_primaries, strict=True)
    assert [note.text for note in found.notes] == ["PrimaryChromaticities became an ICC profile"]
    assert "icc_profile" in found.image.info
    assert read_image(tiff((tags, colour.tobytes())), strict=True).notes == ()


class Pairs(list[int]):
    """Numerators and denominators of rationals, two of which are one value."""

    def __len__(self) -> int:
        return super().__len__() // 2
