"""What in an Exif block depends on how the picture stands moves with it; a resolution is found and put there."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image

from s2lic.images.exif import NO_UNIT, Resolution, resolution_of, turned_exif, with_resolution
from s2lic.images.load import read_image
from s2lic.images.metadata import EXIF_MARK, with_metadata
from s2lic.images.save import encode_image
from tests.files import exif
from tests.frozen import picture

IMAGE = picture("portrait", size=(12, 8))
ORDERS = ["<", ">"]
WIDTH, HEIGHT, THUMBNAIL, LENGTH, SUBJECT = 0xA002, 0xA003, 0x0201, 0x0202, 0x9214


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()


def camera(order: str, turn: int, subject: tuple[int, ...] = (3, 2), behind: bytes = b"") -> bytes:
    """A block as cameras write it: orientation, uneven resolution, Exif directory, thumbnail."""
    thumbnail = jpeg(IMAGE)
    first, own = 8, 8 + 2 + 5 * 12 + 4
    numbers = own + 2 + 3 * 12 + 4
    area = numbers + 16
    second = area + 2 * len(subject) + len(subject) % 2 * 2
    start = second + 2 + 2 * 12 + 4
    short = f"{order}HHIHxx"
    inline = struct.pack(f"{order}{len(subject)}H", *subject) if len(subject) == 2 else struct.pack(f"{order}I", area)
    rows = [
        {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", first),
        struct.pack(f"{order}H", 5),
        struct.pack(short, 0x0112, 3, 1, turn),
        struct.pack(f"{order}HHII", 0x011A, 5, 1, numbers),
        struct.pack(f"{order}HHII", 0x011B, 5, 1, numbers + 8),
        struct.pack(short, 0x0128, 3, 1, 2),
        struct.pack(f"{order}HHII", 0x8769, 4, 1, own),
        struct.pack(f"{order}I", second),
        struct.pack(f"{order}H", 3),
        struct.pack(f"{order}HHI4s", SUBJECT, 3, len(subject), inline),
        struct.pack(f"{order}HHII", WIDTH, 4, 1, 12),
        struct.pack(f"{order}HHII", HEIGHT, 4, 1, 8),
        bytes(4),
        struct.pack(f"{order}4I", 300, 1, 150, 1),
        struct.pack(f"{order}{len(subject)}H", *subject) + bytes(len(subject) % 2 * 2),
        struct.pack(f"{order}H", 2),
        struct.pack(f"{order}HHII", THUMBNAIL, 4, 1, start),
        struct.pack(f"{order}HHII", LENGTH, 4, 1, len(thumbnail)),
        bytes(4),
        thumbnail,
        behind,
    ]
    return b"".join(rows)


def tags(block: bytes) -> tuple[Image.Exif, dict[int, object]]:
    found = Image.Exif()
    found.load(block)
    return found, dict(found.get_ifd(ExifTags.IFD.Exif))


def test_the_block_of_these_tests_is_one() -> None:
    found, own = tags(camera("<", 6))
    assert (found[0x0112], found[0x011A], found[0x011B]) == (6, 300, 150)
    assert (own[WIDTH], own[HEIGHT], own[SUBJECT]) == (12, 8, (3, 2))
    assert found.get_ifd(ExifTags.IFD.IFD1)[LENGTH] == len(jpeg(IMAGE))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("turn", range(2, 9))
def test_width_height_and_resolution_change_places_with_the_picture(order: str, turn: int) -> None:
    found, own = tags(turned_exif(camera(order, turn), turn, (12, 8)))
    sideways = turn >= 5
    assert found[0x0112] == 1
    assert (found[0x011A], found[0x011B]) == ((150, 300) if sideways else (300, 150))
    assert (own[WIDTH], own[HEIGHT]) == ((8, 12) if sideways else (12, 8))


@pytest.mark.parametrize("turn", range(2, 9))
@pytest.mark.parametrize("subject", [(3, 2), (3, 2, 5), (3, 2, 4, 6)], ids=["point", "circle", "rectangle"])
def test_the_subject_moves_with_the_pixels(turn: int, subject: tuple[int, ...]) -> None:
    marked = np.zeros((8, 12, 3), np.uint8)
    marked[2, 3] = 255
    block = camera("<", turn, subject)
    upright = read_image(encode_image(with_metadata(Image.fromarray(marked), {"exif": block}), ".png")).image
    _, own = tags(upright.info["exif"])
    x, y, *extent = own[SUBJECT]  # type: ignore[misc]
    assert upright.getpixel((x, y)) == (255, 255, 255)
    assert tuple(extent) == (subject[:1:-1] if turn >= 5 else subject[2:])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("behind", [b"", bytes(3), b"maker"], ids=["nothing", "padding", "more"])
def test_a_thumbnail_that_would_lie_on_its_side_is_dropped(order: str, behind: bytes) -> None:
    block = turned_exif(camera(order, 6, behind=behind), 6, (12, 8))
    assert b"\xff\xd8" not in block
    assert tags(block)[0].get_ifd(ExifTags.IFD.IFD1) == {}
    assert block.endswith(b"maker") == (behind == b"maker")


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp", ".avif"])
@pytest.mark.parametrize("turn", [1, 6])
def test_the_thumbnail_of_a_file_stands_as_the_picture_does(extension: str, turn: int) -> None:
    data = encode_image(with_metadata(IMAGE.copy(), {"exif": camera("<", turn)}), extension)
    found = read_image(data).image
    assert found.size == ((12, 8) if turn == 1 else (8, 12))
    assert (b"\xff\xd8" in found.info["exif"]) == (turn == 1)


@pytest.mark.parametrize("cut", range(8, len(camera("<", 6)), 7))
def test_a_block_that_is_cut_off_is_turned_as_far_as_it_goes(cut: int) -> None:
    changed = turned_exif(camera("<", 6)[:cut], 6, (12, 8))
    assert len(changed) <= cut
    assert changed[:4] == b"II*\0"


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("x", "y"), [(300, 300), (299.9994, 299.9994), (118.5, 72.25), (1200, 600)], ids=str)
def test_a_resolution_is_put_beside_what_is_there(order: str, x: float, y: float) -> None:
    block = with_resolution(camera(order, 1), Resolution(x, y))
    found = resolution_of(block)
    assert found is not None
    assert (found.x, found.y) == pytest.approx((x, y), rel=1e-5)
    assert tags(block)[1] == tags(camera(order, 1))[1]
    assert jpeg(IMAGE) in block


def test_a_resolution_alone_is_a_small_block() -> None:
    block = with_resolution(None, Resolution(300, 300))
    assert resolution_of(block) == Resolution(300, 300)
    assert len(block) == 8 + 2 + 4 + 2 + 3 * 12 + 4 + 16


def test_a_shape_of_pixels_has_no_unit() -> None:
    assert resolution_of(with_resolution(None, Resolution(2, 1, NO_UNIT))) == Resolution(2, 1, NO_UNIT)


def test_centimetres_become_inches() -> None:
    block = bytearray(camera("<", 1))
    struct.pack_into("<H", block, 8 + 2 + 3 * 12 + 8, 3)
    assert resolution_of(bytes(block)) == Resolution(300 * 2.54, 150 * 2.54)


@pytest.mark.parametrize("block", [b"", b"nonsense", b"II*\0\xff\xff\xff\xff", exif({0x0128: (3, 2)})], ids=str)
def test_a_block_without_a_resolution_has_none(block: bytes) -> None:
    assert resolution_of(block) is None


def test_a_block_that_makes_no_sense_is_not_changed() -> None:
    assert with_resolution(b"nonsense", Resolution(300, 300)) == b"nonsense"
    assert turned_exif(b"nonsense", 6, (1, 1)) == b"nonsense"


def made(name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    IMAGE.save(buffer, name, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("extension", [".jpg", ".png", ".tif", ".bmp", ".webp", ".avif"])
def test_a_resolution_goes_from_every_format_to_every_other(name: str, extension: str) -> None:
    image = read_image(made(name, dpi=(300, 150))).image
    assert image.info["dpi"] == pytest.approx((300, 150))
    again = read_image(encode_image(image, extension)).image
    assert again.info["dpi"] == pytest.approx((300, 150), rel=1e-4)
    if extension not in (".webp", ".avif"):  # which have no place for it but Exif
        with Image.open(io.BytesIO(encode_image(image, extension))) as opened:
            assert [round(float(value)) for value in opened.info["dpi"]] == [300, 150]


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "BMP"])
def test_a_picture_that_says_no_resolution_gets_none(name: str) -> None:
    options = {"dpi": (0, 0)} if name == "BMP" else {}
    assert read_image(made(name, **options)).image.info == {}


def test_72_pixels_an_inch_mean_unknown_and_take_no_bytes() -> None:
    assert read_image(made("JPEG", dpi=(72, 72))).image.info == {}


def test_the_resolution_of_the_file_counts_before_that_of_exif() -> None:
    block = with_resolution(None, Resolution(300, 300))
    assert read_image(made("JPEG", dpi=(600, 600), exif=EXIF_MARK + block)).image.info["dpi"] == (600, 600)
    assert read_image(made("JPEG", exif=EXIF_MARK + block)).image.info["exif"] == EXIF_MARK + block


@pytest.mark.parametrize("dpi", [(0, 0), (-1, 2), "x", (1,), (float("nan"),) * 2, (float("inf"),) * 2, None], ids=str)
def test_a_resolution_that_makes_no_sense_is_none(dpi: object) -> None:
    image = IMAGE.copy()
    image.info["dpi"] = dpi
    assert read_image(encode_image(image, ".png")).image.info == {}
