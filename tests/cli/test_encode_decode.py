"""`s2lic encode` and `s2lic decode`: where the output goes and what is refused."""

from __future__ import annotations

import io
import json
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic.container.boxes import read_header, unpack
from s2lic.defaults import DEFAULT_MAX_PIXELS
from s2lic.runtime import no_progress

from .conftest import FakeCodec, Result

Run = Callable[..., Result]
pytestmark = pytest.mark.usefixtures("fake_codec")


def coded(photo: Path) -> bytes:
    with Image.open(photo) as image:
        return FakeCodec().encode(image)


def test_the_output_is_named_after_the_input(run: Run, photo: Path) -> None:
    assert run("encode", photo.name).code == 0
    assert run("decode", "photo.s2lic").code == 0
    with Image.open("photo.decoded.png") as image:
        assert image.format == "PNG"
        assert image.size == (40, 24)


def test_the_quality_reaches_the_file(run: Run, photo: Path) -> None:
    assert run("encode", photo, "-q", "12.34", "-o", "a.bin").code == 0
    assert read_header(Path("a.bin").read_bytes()).quality == 1234


def test_the_default_quality_is_50(run: Run, photo: Path) -> None:
    assert run("encode", photo, "-o", "a.bin").code == 0
    assert read_header(Path("a.bin").read_bytes()).quality == 5000


@pytest.mark.parametrize(("words", "effort"), [((), None), (("-e", "0"), 0), (("--effort", "9"), 9)])
def test_the_effort_reaches_the_codec_for_one_file_and_for_many(
    run: Run, photo: Path, words: tuple[str, ...], effort: int | None
) -> None:
    shutil.copy(photo, "other.png")
    assert run("encode", photo, "-o", "a.bin", *words).code == 0
    assert run("encode", photo, "other.png", "--outdir", "many", *words).code == 0
    for file in (Path("a.bin"), *Path("many").iterdir()):
        with Image.open(io.BytesIO(unpack(file.read_bytes()).payload)) as image:
            assert image.info["comment"] == f"effort {effort}".encode()


def test_a_pipe_goes_in_and_out(run: Run, photo: Path) -> None:
    encoded = run("encode", "-", stdin=photo.read_bytes())
    assert encoded.code == 0
    decoded = run("decode", "-", "-o", "-", stdin=encoded.out)
    assert decoded.out.startswith(b"\x89PNG")


def test_a_terminal_is_not_fed_binary_data(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    result = run("encode", "-", stdin=photo.read_bytes())
    assert (result.code, result.out) == (2, b"")
    assert "terminal" in result.err


def test_grey_stays_grey(run: Run, photo: Path) -> None:
    with Image.open(photo) as image:
        image.convert("L").save("grey.png")
    assert run("encode", "grey.png").code == 0
    assert run("decode", "grey.s2lic", "-o", "back.png").code == 0
    with Image.open("back.png") as back:
        assert back.mode == "L"


@pytest.mark.parametrize(
    ("name", "format_name"),
    [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.PPM", "PPM"), ("a.tif", "TIFF"), ("a.webp", "WEBP")],
)
def test_the_extension_names_the_format(run: Run, photo: Path, name: str, format_name: str) -> None:
    Path("a.s2lic").write_bytes(coded(photo))
    assert run("decode", "a.s2lic", "-o", name).code == 0
    with Image.open(name) as image:
        assert image.format == format_name


def test_an_unknown_extension_is_a_usage_error_that_lists_the_known(run: Run, photo: Path) -> None:
    Path("a.s2lic").write_bytes(coded(photo))
    result = run("decode", "a.s2lic", "-o", "a.xyz")
    assert result.code == 2
    assert ".png" in result.err
    assert not Path("a.xyz").exists()


def test_an_output_that_exists_is_kept_unless_forced(run: Run, photo: Path) -> None:
    Path("a.bin").write_bytes(b"precious")
    refused = run("encode", photo, "-o", "a.bin")
    assert refused.code == 2
    assert "--force" in refused.err
    assert Path("a.bin").read_bytes() == b"precious"
    assert run("encode", photo, "-o", "a.bin", "--force").code == 0
    assert read_header(Path("a.bin").read_bytes()).width == 40


def test_a_special_file_is_written_through_and_stays_what_it_is(run: Run, photo: Path) -> None:
    assert run("encode", photo, "-o", "/dev/null").code == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_encode_reports_as_json(run: Run, photo: Path) -> None:
    report = json.loads(run("encode", photo, "--json").out)
    size = (photo.parent / "photo.s2lic").stat().st_size
    assert (report["width"], report["height"], report["bytes"]) == (40, 24, size)
    assert report["bpp"] == 8 * size / (40 * 24)


def test_decode_reports_as_json(run: Run, photo: Path) -> None:
    Path("a.s2lic").write_bytes(coded(photo))
    report = json.loads(run("decode", "a.s2lic", "--json").out)
    assert (report["output"], report["width"], report["height"]) == ("a.decoded.png", 40, 24)


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_json_and_a_binary_stdout_exclude_each_other(run: Run, photo: Path, command: str) -> None:
    result = run(command, photo, "-o", "-", "--json")
    assert (result.code, result.out) == (2, b"")


def test_quiet_prints_nothing(run: Run, photo: Path) -> None:
    assert run("encode", photo, "--quiet") == Result(0, b"", "")
    assert run("decode", "photo.s2lic", "-o", "b.png", "--quiet") == Result(0, b"", "")


def test_the_device_the_model_and_the_precision_reach_the_codec(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def note(_: FakeCodec, *names: str, **options: object) -> None:
        asked.append((names, options))

    monkeypatch.setattr(FakeCodec, "__init__", note)
    Path("own.safetensors").touch()
    run("encode", photo, "--model", "small", "--max-pixels", 2000)
    run("decode", "photo.s2lic", "-o", "b.png", "--max-pixels", 3000)
    run("decode", "photo.s2lic", "-o", "c.png", "--model", "own.safetensors", "-j", 2, "--precision", "float32")
    plain = {"device": "cpu", "max_pixels": DEFAULT_MAX_PIXELS, "jobs": 1, "done": no_progress}
    assert asked == [
        (("small",), plain | {"max_pixels": 2000}),
        ((), plain | {"max_pixels": 3000, "precision": "auto"}),
        (("own.safetensors",), plain | {"jobs": 2, "precision": "float32"}),
    ]


def test_a_missing_gpu_is_said(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = run("encode", photo, "--device", "cuda")
    assert result.code == 2
    assert "CUDA" in result.err
    assert run("encode", photo, "--device", "auto").code == 0


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_a_picture_beyond_the_limit_is_refused(run: Run, photo: Path, command: str) -> None:
    Path("photo.s2lic").write_bytes(coded(photo))
    source = photo if command == "encode" else "photo.s2lic"
    result = run(command, source, "-o", "new.png", "--max-pixels", 40 * 24 - 1)
    assert result.code == 1
    assert "--max-pixels" in result.err


@pytest.mark.parametrize("command", ["encode", "decode"])
@pytest.mark.parametrize(("before", "after"), [(100, 10**8), (10**9, 10**9), (None, None)])
def test_a_higher_limit_lifts_that_of_pillow_and_never_lowers_it(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch, command: str, before: int | None, after: int | None
) -> None:
    Path("photo.s2lic").write_bytes(coded(photo))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", before)
    source = photo if command == "encode" else "photo.s2lic"
    assert run(command, source, "-o", "new.png", "--max-pixels", 10**8).code == 0
    assert after == Image.MAX_IMAGE_PIXELS


def test_the_limit_of_pillow_stays_where_no_higher_one_is_asked_for(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    refused = run("encode", photo)
    assert refused.code == 1
    assert "exceeds limit of 200 pixels" in refused.err
    assert "Raise max_pixels (--max-pixels)" in refused.err


def test_the_picture_comes_back_close(run: Run, photo: Path) -> None:
    run("encode", photo, "-q", "95")
    run("decode", "photo.s2lic", "-o", "back.png")
    with Image.open(photo) as image, Image.open("back.png") as back:
        difference = np.asarray(image, float) - np.asarray(back, float)
    assert np.abs(difference).mean() < 10


def test_progress_shows_on_a_terminal_and_is_wiped(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "encoding" not in run("encode", photo).err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "encoding photo.png ...\r\x1b[K" in run("encode", "photo.png", "--force").err
    assert run("encode", "photo.png", "--force", "--quiet").err == ""


def test_a_crop_of_the_picture_is_written(run: Run, photo: Path) -> None:
    Path("a.bin").write_bytes(coded(photo))
    assert run("decode", "a.bin", "-o", "a.png").code == 0
    facts = json.loads(run("decode", "a.bin", "-o", "part.png", "--crop", "3,4,20,10", "--json").out)
    assert (facts["crop"], facts["width"], facts["height"]) == ([3, 4, 20, 10], 20, 10)
    with Image.open("a.png") as image, Image.open("part.png") as part:
        assert np.array_equal(np.asarray(part), np.asarray(image)[4:14, 3:23])


@pytest.mark.parametrize("words", ["1,2,3", "1,2,3,4,5", "a,2,3,4", "1;2;3;4", "-1,0,5,5", "1.5,0,5,5"])
def test_a_crop_is_four_numbers(run: Run, photo: Path, words: str) -> None:
    Path("a.bin").write_bytes(coded(photo))
    result = run("decode", "a.bin", f"--crop={words}")
    assert (result.code, Path("a.decoded.png").exists()) == (2, False)
    assert "as in 0,0,640,480" in result.err


def test_a_crop_does_not_go_with_skip_existing(run: Run, photo: Path) -> None:
    Path("a.bin").write_bytes(coded(photo))
    result = run("decode", "a.bin", "--crop", "0,0,5,5", "--skip-existing")
    assert result.code == 2
    assert "--crop out" in result.err


@pytest.mark.parametrize("words", [("-q", "5", "--target-bpp", "1"), ("--target-size", "9", "--target-psnr", "30")])
def test_a_quality_and_targets_exclude_one_another(run: Run, photo: Path, words: tuple[str, ...]) -> None:
    result = run("encode", photo, "-o", "a.bin", *words)
    assert (result.code, Path("a.bin").exists()) == (2, False)
    assert "exclude one another" in result.err


def test_two_names_are_an_input_and_its_output(run: Run, photo: Path) -> None:
    for name in ("a.s2lic", "b.bin", "plain"):
        assert run("encode", photo, name).code == 0
        assert run("decode", name, f"{name}.webp").code == 0
        with Image.open(f"{name}.webp") as image:
            assert image.format == "WEBP"
    assert run("encode", photo, "-").out == Path("a.s2lic").read_bytes()


def test_two_inputs_stay_two_inputs(run: Run, photo: Path) -> None:
    shutil.copy(photo, "other.png")
    assert run("encode", photo, "other.png").code == 0
    assert run("decode", "photo.s2lic", "other.s2lic").code == 0
    assert {path.name for path in Path().glob("*.decoded.png")} == {"photo.decoded.png", "other.decoded.png"}


def test_an_output_by_position_is_not_overwritten(run: Run, photo: Path) -> None:
    Path("a.s2lic").write_bytes(b"mine")
    assert run("encode", photo, "a.s2lic").code == 2
    assert Path("a.s2lic").read_bytes() == b"mine"
    assert run("encode", photo, "a.s2lic", "--force").code == 0


def test_a_file_lists_inputs(run: Run, photo: Path) -> None:
    shutil.copy(photo, "other.png")
    Path("names").write_text(f"{photo}\n\nother.png\n")
    assert run("encode", "--files-from", "names", "--outdir", "listed", "-j", "all").code == 0
    assert {path.name for path in Path("listed").iterdir()} == {"photo.s2lic", "other.s2lic"}


def test_no_input_and_a_wrong_count_of_jobs_are_refused(run: Run, photo: Path) -> None:
    assert "there is no input" in run("encode").err
    for jobs in ("0", "-1", "two"):
        assert "neither a number from 1 up nor 'all'" in run("encode", photo, "-j", jobs).err


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.avif"])
def test_a_lossy_picture_has_the_quality_asked_for(run: Run, photo: Path, name: str) -> None:
    assert run("encode", photo, "a.s2lic").code == 0
    sizes = []
    for quality in ("5", "90"):
        assert run("decode", "a.s2lic", name, "-q", quality, "--force").code == 0
        sizes.append(Path(name).stat().st_size)
    assert sizes[0] < sizes[1]


def test_a_lossless_picture_takes_no_quality(run: Run, photo: Path) -> None:
    assert run("encode", photo, "a.s2lic").code == 0
    found = run("decode", "a.s2lic", "-q", "90")
    assert found.code == 2
    assert "PNG takes no quality" in found.err
