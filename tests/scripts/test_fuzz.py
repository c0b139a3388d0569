"""Whatever a stranger feeds in ends in a named error or a result; `python -m scripts.fuzz` goes on for longer."""

from __future__ import annotations

import contextlib
import io
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from s2lic.codec import Codec
from s2lic.container.boxes import Container, Header, pack
from s2lic.container.header import EXACT_ARITHMETIC
from s2lic.container.varint import write_varint
from s2lic.errors import ArithmeticFaultError, BitstreamError, ImageError, UsageError, WeightsError
from s2lic.images.load import open_image
from s2lic.weights.store import load
from scripts.mutants import Mutant
from scripts.mutate import Decoder
from tests.frozen import MODEL, codec

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "TGA", "ICO", "PCX")

sides = st.integers(1, 40)
numbers = st.lists(st.one_of(st.integers(0, 20), st.integers(0, 2**20)), max_size=12)
decoder = cache(Decoder)


@st.composite
def headers(draw: st.DrawFn) -> Header:
    model_id = codec().weights.model_id
    return Header(
        draw(sides),
        draw(sides),
        model_id,
        draw(st.integers(0, 10_000)),
        EXACT_ARITHMETIC,
        0,
        draw(st.integers(0, 1)),
        0,
    )


@settings(max_examples=60, deadline=None)
@given(headers(), st.binary(min_size=8, max_size=200), numbers)
def test_a_crafted_payload_decodes_or_is_refused_by_name(header: Header, payload: bytes, words: list[int]) -> None:
    """With all checksums as an attacker has them: nothing but the decoder itself stands in the way."""
    data = pack(Container(header, payload, b"".join(map(write_varint, words))))
    assert not decoder().outcome(Mutant(data, "crafted", restamped=True)).startswith("FAILED")


def coded(format_name: str) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((9, 7)).convert("RGB").save(buffer, format=format_name)
    return buffer.getvalue()


def edited(draw: st.DrawFn, data: bytes, first: int = 0) -> bytes:
    """One to four bytes changed, left out or put in."""
    body = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(first, len(body) - 1))
        body[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(body)


@pytest.mark.filterwarnings("ignore::s2lic.errors.ConversionWarning")
@pytest.mark.parametrize("format_name", FORMATS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_broken_picture_opens_or_is_refused_by_name(format_name: str, data: st.DataObject) -> None:
    with contextlib.suppress(ImageError):
        assert open_image(edited(data.draw, coded(format_name)), max_pixels=2**20).size > (0, 0)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_broken_weights_load_or_are_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Half of the edits hit the description at the start, where names, types and lengths stand."""
    original = MODEL.read_bytes()
    described = 8 + int.from_bytes(original[:8], "little")
    cut = described if data.draw(st.booleans()) else len(original)
    path = tmp_path_factory.getbasetemp() / "broken.safetensors"
    path.write_bytes(edited(data.draw, original[:cut]) + original[cut:])
    try:
        load(path)
    except WeightsError:
        return
    crafted = Codec(path)
    with contextlib.suppress(BitstreamError, ArithmeticFaultError, UsageError):
        crafted.decode(crafted.encode(Image.new("RGB", (20, 20), "teal")))


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_pictures_are_sound_before_they_are_broken(format_name: str) -> None:
    with Image.open(io.BytesIO(coded(format_name))) as image:
        assert image.size == (9, 7)
