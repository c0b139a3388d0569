"""What Pillow drops before we see it is kept, converted or told, and refused by `strict`."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from s2lic import errors
from s2lic.images import chunks
from s2lic.images.chunks import read_chunks
from s2lic.images.load import as_image, read_image
from s2lic.images.profile import space_of
from tests.files import PROFILE, exif, png_of_16_bits
from tests.frozen import picture

RGB = picture("portrait", size=(24, 16))
WIDE = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
BT709 = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


def chunk(name: bytes, content: bytes, crc: int = 0) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content) ^ crc)


def saved(image: Image.Image, name: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def png(*chunks: bytes, mode: str = "RGB", **options: object) -> bytes:
    data = saved(RGB.convert(mode), **options)
    return data[:33] + b"".join(chunks) + data[33:]


def gamma(value: int) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", value))


def seen(image: Image.Image) -> NDArray[np.float64]:
    """In sRGB, by the profile that came along."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    shown = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert shown is not None
    return np.asarray(shown, float)


def texts(data: bytes) -> list[str]:
    return [note.text for note in read_image(data).notes]


def test_a_linear_png_is_seen_as_it_was() -> None:
    linear = np.asarray(RGB) / 255
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    found = read_image(png(gamma(100_000)), strict=True)
    assert abs(seen(found.image) - expected).max() <= 2
    assert [note.text for note in found.notes] == ["gAMA became an ICC profile"]


@pytest.mark.parametrize("said", [[chunk(b"cHRM", WIDE)], [gamma(45455), chunk(b"cHRM", WIDE)]], ids=["cHRM", "both"])
def test_wide_primaries_become_a_profile(said: list[bytes]) -> None:
    found = read_image(png(*said), strict=True).image
    assert space_of(found.info["icc_profile"]) == b"RGB "
    assert abs(seen(found) - np.asarray(RGB, float)).max() > 8


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_gamma_of_grey_becomes_a_profile_of_grey(mode: str) -> None:
    image = read_image(png(gamma(55_556), chunk(b"cHRM", WIDE), mode=mode), strict=True).image
    assert space_of(image.info["icc_profile"]) == b"GRAY"


@pytest.mark.parametrize(
    "said",
    [
        [chunk(b"sRGB", b"\0")],
        [chunk(b"sRGB", b"\0"), gamma(100_000)],
        [gamma(45_455)],
        [gamma(45_455), chunk(b"cHRM", BT709)],
        [chunk(b"cHRM", BT709)],
        [chunk(b"cICP", bytes([1, 13, 0, 1]))],
        [chunk(b"cICP", bytes([1, 13, 0, 1])), gamma(100_000)],
    ],
    ids=["sRGB", "sRGB counts", "gamma", "gamma and primaries", "primaries", "cICP", "cICP counts"],
)
def test_plain_srgb_is_quiet(said: list[bytes]) -> None:
    found = read_image(png(*said), strict=True)
    assert found.notes == ()
    assert found.image.info == {}


def test_a_profile_counts_before_gamma_and_primaries() -> None:
    found = read_image(png(gamma(100_000), chunk(b"cHRM", WIDE), icc_profile=PROFILE), strict=True)
    assert found.notes == ()
    assert found.image.info == {"icc_profile": PROFILE}


@pytest.mark.parametrize("numbers", [(12, 13), (9, 1), (9, 8), (5, 4), (5, 5), (11, 13)], ids=str)
def test_numbers_of_h273_become_a_profile(numbers: tuple[int, int]) -> None:
    found = read_image(png(chunk(b"cICP", bytes([*numbers, 0, 1]))), strict=True)
    assert space_of(found.image.info["icc_profile"]) == b"RGB "


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([chunk(b"cICP", bytes([9, 16, 0, 1]))], "PQ"),
        ([chunk(b"cICP", bytes([9, 18, 0, 1]))], "HLG"),
        ([chunk(b"cICP", bytes([99, 13, 0, 1]))], "primaries 99"),
        ([chunk(b"cICP", bytes([1, 13, 0, 0]))], "narrow-range"),
        ([gamma(0)], "invalid primaries"),
        ([chunk(b"cHRM", bytes(32))], "invalid primaries"),
        ([chunk(b"gAMA", b"x")], "damaged gAMA"),
        ([chunk(b"iCCP", b"name\0\0junk")], "damaged iCCP"),
        ([chunk(b"eXIf", exif(), crc=1)], "damaged eXIf"),
    ],
    ids=str,
)
def test_what_cannot_be_kept_is_told_and_refused(said: list[bytes], words: str) -> None:
    data = png(*said)
    assert np.array_equal(np.asarray(read_image(data).image), np.asarray(RGB))
    assert any(words in text for text in texts(data))
    with pytest.raises(errors.LossyConversionError, match=words):
        read_image(data, strict=True)


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt", "packed iTXt"])
def test_words_of_any_size_refuse_no_picture(kind: str) -> None:
    words = b"x" * 2_000_000
    content = {
        "tEXt": b"workflow\0" + words,
        "zTXt": b"workflow\0\0" + zlib.compress(words),
        "iTXt": b"workflow\0\0\0\0\0" + words,
        "packed iTXt": b"workflow\0\1\0\0\0" + zlib.compress(words),
    }[kind]
    data = png(chunk(kind[-4:].encode(), content))
    assert np.array_equal(np.asarray(read_image(data).image), np.asarray(RGB))
    assert texts(data) == ["text (workflow): left out; only ICC profile, Exif and XMP are kept"]


def test_a_bomb_in_a_chunk_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "LIMIT", 10_000)
    assert texts(png(chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(10_000))))) != ["damaged zTXt: left out"]
    data = png(chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(10_001))))
    assert texts(data) == ["damaged zTXt: left out"]
    assert read_image(data, strict=True).image.size == RGB.size


@pytest.mark.parametrize("size", [1_200_000, 5_000_000])
def test_a_large_profile_in_a_png_is_read(size: int) -> None:
    profile = PROFILE + np.random.default_rng(1).bytes(size)
    assert read_image(png(icc_profile=profile), strict=True).image.info == {"icc_profile": profile}


def test_programs_that_name_themselves_are_not_mentioned() -> None:
    assert texts(png(chunk(b"tEXt", b"Software\0s2lic"), chunk(b"tEXt", b"date:create\x002024"))) == []


@pytest.mark.parametrize("cut", [40, 60, -100])
def test_a_png_that_is_cut_off_is_refused_as_before(cut: int) -> None:
    with pytest.raises(errors.NotAnImageError):
        read_image(png()[:cut])


def test_all_that_the_pixels_need_reaches_pillow() -> None:
    for image in (RGB.quantize(8), RGB, RGB.convert("LA")):
        data = saved(image, transparency=3) if image.mode == "P" else saved(image)
        assert read_chunks(data).picture == data
    animation = saved(RGB, save_all=True, append_images=[RGB.rotate(90)])
    assert read_chunks(animation).picture == animation


def with_box(data: bytes, name: bytes, content: bytes) -> bytes:
    """An AVIF whose properties begin with another box; offsets of the file are moved."""
    box = struct.pack(">I4s", 8 + len(content), name) + content
    out = bytearray(data)
    at = data.index(b"ipco") + 4
    for container in (b"meta", b"iprp", b"ipco"):
        start = data.index(container) - 4
        struct.pack_into(">I", out, start, struct.unpack_from(">I", out, start)[0] + len(box))
    place = data.index(b"iloc")
    offset = struct.pack(">I", data.index(b"mdat") + 4)
    found = data.index(offset, place)
    struct.pack_into(">I", out, found, data.index(b"mdat") + 4 + len(box))
    return bytes(out[:at] + box + out[at:])


def avif(primaries: int, curve: int) -> bytes:
    data = bytearray(saved(RGB, "AVIF", quality=100, subsampling="4:4:4"))
    at = data.index(b"nclx")
    struct.pack_into(">HH", data, at + 4, primaries, curve)
    return bytes(data)


def test_an_avif_of_srgb_is_quiet() -> None:
    assert read_image(saved(RGB, "AVIF"), strict=True).notes == ()
    assert read_image(avif(2, 2), strict=True).notes == ()


@pytest.mark.parametrize("numbers", [(12, 13), (9, 13), (1, 8)], ids=str)
def test_the_colours_of_an_avif_become_a_profile(numbers: tuple[int, int]) -> None:
    assert texts(avif(*numbers)) == ["nclx became an ICC profile"]
    assert space_of(read_image(avif(*numbers), strict=True).image.info["icc_profile"]) == b"RGB "


@pytest.mark.parametrize("curve", [16, 18])
def test_an_avif_of_high_range_is_told_and_refused(curve: int) -> None:
    with pytest.raises(errors.LossyConversionError, match="HDR"):
        read_image(avif(9, curve), strict=True)


def avif_of_bits(bits: int) -> bytes:
    """An AVIF that says so, which is all that is read of it here."""
    data = bytearray(saved(RGB, "AVIF"))
    data[data.index(b"pixi") + 9] = bits
    return bytes(data)


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_samples_of_an_avif_are_told_and_refused(bits: int) -> None:
    from s2lic.images.isobmff import read_boxes

    assert read_boxes(avif_of_bits(bits)).bits == bits
    assert read_boxes(avif_of_bits(8)).bits == 8


def jp2(image: Image.Image, bits: int = 8, colours: bytes | None = None, boxes: bytes = b"") -> bytes:
    """A JPEG 2000 file; of what it says of depth and colours only the boxes are changed."""
    data = saved(image, "JPEG2000")
    out = bytearray(data)
    out[data.index(b"ihdr") + 14] = bits - 1
    if colours is not None:
        at = data.index(b"colr") - 4
        length = struct.unpack_from(">I", data, at)[0]
        out[at : at + length] = struct.pack(">I4s", 8 + len(colours), b"colr") + colours
        start = data.index(b"jp2h") - 4
        struct.pack_into(">I", out, start, struct.unpack_from(">I", out, start)[0] + 8 + len(colours) - length)
    end = out.index(b"jp2c") - 4
    return bytes(out[:end] + boxes + out[end:])


def test_a_jpeg_2000_of_srgb_is_quiet() -> None:
    assert read_image(jp2(RGB), strict=True).notes == ()


def test_deep_samples_of_jpeg_2000_are_told_and_refused() -> None:
    with pytest.raises(errors.LossyConversionError, match="12-bit samples are cut to 8 bits"):
        read_image(jp2(RGB, bits=12), strict=True)
    stream = bytearray(saved(RGB, "JPEG2000", no_jp2=True))
    stream[42] = 11
    from s2lic.images.isobmff import read_boxes

    assert read_boxes(bytes(stream)).bits == 12


def test_the_profile_exif_and_xmp_of_jpeg_2000_are_kept() -> None:
    block = exif({0x0128: (3, 2)})
    boxes = b"".join(
        struct.pack(">I4s", 24 + len(content), b"uuid") + name + content
        for name, content in (
            (b"JpgTiffExif->JP2", block),
            (bytes.fromhex("be7acfcb97a942e89c71999491e3afac"), b"<x/>"),
        )
    )
    found = read_image(jp2(RGB, colours=b"\2\0\0" + PROFILE, boxes=boxes), strict=True).image
    assert found.info == {"icc_profile": PROFILE, "exif": b"Exif\0\0" + block, "xmp": b"<x/>"}


def test_another_colour_space_of_jpeg_2000_is_told_and_refused() -> None:
    with pytest.raises(errors.LossyConversionError, match="colour space 21"):
        read_image(jp2(RGB, colours=b"\1\0\0" + struct.pack(">I", 21)), strict=True)


def test_a_linear_qoi_becomes_a_profile() -> None:
    data = bytearray(saved(RGB, "QOI", colorspace="linear"))
    data[13] = 1
    assert texts(bytes(data)) == ["QOI linear became an ICC profile"]
    data[13] = 0
    assert texts(bytes(data)) == []


def bmp(kind: bytes, profile: bytes = b"", corners: bytes = bytes(36), gammas: bytes = bytes(12)) -> bytes:
    """A BMP with a header of version 5."""
    old = saved(RGB, "BMP")
    pixels = old[54:]
    head = old[14:54] + struct.pack("<4I", 0, 0, 0, 0) + kind[::-1] + corners + gammas
    head += struct.pack("<4I", 0, 124 + len(pixels), len(profile), 0)
    head = struct.pack("<I", 124) + head[4:]
    return b"BM" + struct.pack("<IHHI", 138 + len(pixels) + len(profile), 0, 0, 138) + head + pixels + profile


def test_the_colours_of_a_bmp_are_kept_or_told() -> None:
    assert read_image(bmp(b"MBED", PROFILE), strict=True).image.info["icc_profile"] == PROFILE
    assert texts(bmp(b"sRGB")) == []
    assert texts(bmp(bytes(4))) == []
    with pytest.raises(errors.LossyConversionError, match="another file"):
        read_image(bmp(b"LINK"), strict=True)
    third = struct.pack("<9I", *(int(value * 2**30) for value in (0.5, 0.2, 0.0, 0.2, 0.7, 0.1, 0.2, 0.1, 0.9)))
    assert texts(bmp(bytes(4), corners=third, gammas=struct.pack("<3I", *[2 << 16] * 3))) == [
        "the colours of the BMP became an ICC profile"
    ]


@pytest.mark.parametrize(
    ("mode", "profile", "kept"),
    [("RGB", b"CMYK", False), ("RGB", b"GRAY", False), ("L", b"CMYK", False), ("RGB", b"RGB ", True)],
)
def test_a_profile_of_other_pixels_is_told_and_refused(mode: str, profile: bytes, kept: bool) -> None:
    data = saved(RGB.convert(mode), icc_profile=PROFILE[:16] + profile + PROFILE[20:])
    assert ("icc_profile" in read_image(data).image.info) == kept
    if not kept:
        with pytest.raises(errors.LossyConversionError, match="does not fit its colour mode"):
            read_image(data, strict=True)


def test_words_of_other_formats_are_mentioned() -> None:
    assert texts(saved(RGB, "JPEG", comment="hello")) == ["comment: left out; only ICC profile, Exif and XMP are kept"]
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\4abcd"
    data = saved(RGB, "JPEG")
    data = data[:2] + b"\xff\xed" + struct.pack(">H", 2 + len(iptc)) + iptc + data[2:]
    assert texts(data) == ["IPTC: left out; only ICC profile, Exif and XMP are kept"]
    assert read_image(data, strict=True).notes


def test_sub_images_and_layers_are_told_and_refused() -> None:
    icon = saved(RGB.resize((64, 64)), "ICO", sizes=[(16, 16), (32, 32)])
    with pytest.raises(errors.LossyConversionError, match="largest of 2"):
        read_image(icon, strict=True)
    with pytest.raises(errors.LossyConversionError, match="first of 2"):
        read_image(saved(RGB, "MPO", save_all=True, append_images=[RGB]), strict=True)


HIDDEN = np.concatenate([np.asarray(RGB), np.zeros((16, 24, 1), np.uint8)], axis=-1)


def tga() -> bytes:
    head = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 24, 16, 32, 0x20)
    return head + HIDDEN[..., [2, 1, 0, 3]].tobytes()


@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF", "TGA"])
def test_alpha_that_hides_everything_is_told_and_refused(name: str) -> None:
    data = tga() if name == "TGA" else saved(Image.fromarray(HIDDEN), name)
    if name == "WEBP":
        data = saved(Image.fromarray(HIDDEN), name, lossless=True, exact=True)
    with pytest.raises(errors.LossyConversionError, match="alpha is 0 everywhere"):
        read_image(data, strict=True)


def test_alpha_that_hides_everything_is_told_of_arrays_and_images_too() -> None:
    for image in (HIDDEN, Image.fromarray(HIDDEN)):
        with pytest.warns(errors.ConversionWarning, match="alpha is 0 everywhere"):
            as_image(image)
    blank = Image.new("RGBA", (3, 3))
    assert as_image(blank, strict=True) is blank


def test_an_image_that_pillow_has_not_loaded_yet_is_read_as_its_file_is() -> None:
    opened = Image.open(io.BytesIO(png(gamma(100_000))))
    assert space_of(as_image(opened).info["icc_profile"]) == b"RGB "
    with pytest.raises(errors.LossyConversionError, match="PQ"):
        as_image(Image.open(io.BytesIO(png(chunk(b"cICP", bytes([9, 16, 0, 1]))))), strict=True)
    deep = Image.open(io.BytesIO(png_of_16_bits(np.zeros((4, 4, 3), np.uint16))))
    with pytest.raises(errors.LossyConversionError, match="8 bits"):
        as_image(deep, strict=True)
