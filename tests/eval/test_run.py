"""An evaluation from its request to its record, with failures on the way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from s2lic.errors import ExtraMissingError, QualityRangeError, UsageError
from s2lic.eval import measure
from s2lic.eval.metrics import psnr
from s2lic.eval.records import FILES
from s2lic.eval.run import EvalRequest, Selection, evaluate

MakeVtm = Callable[..., dict[str, str]]
PORTRAIT = Path(__file__).parents[1] / "pictures/portrait.png"
JPEG = Selection("jpeg", (20.0, 80.0))


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Two corners of a portrait, one too small for MS-SSIM."""
    paths = [tmp_path / "large.png", tmp_path / "small.png"]
    with Image.open(PORTRAIT) as image:
        for path, side in zip(paths, (180, 40), strict=True):
            image.convert("RGB").resize((side, side + 4)).save(path)
    return paths


def request(tmp_path: Path, *selections: Selection, baselines: tuple[str, ...] = (), jobs: int = 1) -> EvalRequest:
    return EvalRequest(selections, baselines, tmp_path / "out", jobs)


def test_a_sample_is_what_the_written_file_gives(photos: list[Path], tmp_path: Path) -> None:
    found = evaluate(photos, request(tmp_path, JPEG))
    assert [(s.picture, s.quality) for s in found.samples] == [
        (name, quality) for name in ("large", "small") for quality in (20.0, 80.0)
    ]
    for sample in found.samples:
        file = tmp_path / "out" / sample.file
        with Image.open(tmp_path / f"{sample.picture}.png") as image, Image.open(file) as decoded:
            assert sample.bpp == 8 * file.stat().st_size / (image.width * image.height)
            assert sample.psnr == psnr(image, decoded)
        assert (sample.msssim is None) == (sample.picture == "small")
        assert sample.encode_s > 0
        assert sample.decode_s > 0
    assert found.curves[0].pictures == ("large", "small")


def test_finished_samples_are_not_measured_again(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = evaluate(photos, request(tmp_path, JPEG))
    monkeypatch.setattr(measure, "run", lambda task: pytest.fail("measured again"))
    heard: list[tuple[int, int]] = []
    whole = Selection("jpeg", (20, 80))  # as the default qualities of a codec are written
    second = evaluate(photos, request(tmp_path, whole), done=lambda count, total: heard.append((count, total)))
    assert second.samples == first.samples
    assert heard == [(4, 4)]


def test_a_file_in_the_way_of_coded_files_is_a_failure_by_name(photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / FILES).write_bytes(b"mine")
    found = evaluate(photos[:1], request(tmp_path, JPEG))
    assert [(row.quality, row.error) for row in found.failures] == [(q, "OutputPlaceError") for q in JPEG.qualities]


def test_only_what_is_missing_is_measured(photos: list[Path], tmp_path: Path) -> None:
    first = evaluate(photos[:1], request(tmp_path, JPEG))
    (tmp_path / "out" / first.samples[0].file).unlink()
    heard: list[tuple[int, int]] = []
    evaluate(photos[:1], request(tmp_path, JPEG), done=lambda count, total: heard.append((count, total)))
    assert heard == [(1, 2), (2, 2)]


def test_another_picture_of_the_same_name_is_measured(photos: list[Path], tmp_path: Path) -> None:
    first = evaluate(photos[:1], request(tmp_path, JPEG))
    Image.open(PORTRAIT).convert("RGB").crop((0, 0, 50, 50)).save(photos[0])
    second = evaluate(photos[:1], request(tmp_path, JPEG))
    assert {sample.file for sample in first.samples}.isdisjoint(sample.file for sample in second.samples)


def test_two_processes_find_what_one_finds(photos: list[Path], tmp_path: Path) -> None:
    one = evaluate(photos, request(tmp_path / "one", JPEG))
    two = evaluate(photos, request(tmp_path / "two", JPEG, jobs=2))
    assert [(s.file, s.bpp, s.psnr) for s in one.samples] == [(s.file, s.bpp, s.psnr) for s in two.samples]
    assert two.machine.endswith("2 pictures at a time")
    assert "at a time" not in evaluate(photos[:1], request(tmp_path / "three", JPEG, jobs=2)).machine


def test_a_sample_keeps_the_machine_that_measured_it_and_the_record_names_them_all(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, qualities in (("slow", (20.0,)), ("fast", (20.0, 80.0))):
        monkeypatch.setattr("s2lic.eval.run.machine", lambda at_a_time, name=name: f"a {name} one, {at_a_time}")
        found = evaluate(photos[:1], request(tmp_path, Selection("jpeg", qualities)))
    assert [sample.machine for sample in found.samples] == ["a slow one, 1", "a fast one, 1"]
    assert found.machine == "a slow one, 1; a fast one, 1"


def test_a_run_that_is_stopped_finishes_what_is_in_hand_and_begins_no_more(
    tmp_path: Path, make_vtm: MakeVtm, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.eval.conftest import ENCODER

    def stop(*_: object) -> list[object]:
        raise SystemExit(143)

    paths = [tmp_path / f"{level}.png" for level in range(12)]
    for level, path in enumerate(paths):
        Image.new("RGB", (8, 8), (level, 0, 0)).save(path)
    options = make_vtm(encoder=f"import time; time.sleep(0.5)\n{ENCODER}")
    vtm = Selection("vtm", (22.0,), tuple(sorted(options.items())))
    monkeypatch.setattr("s2lic.eval.run._outcome", stop)
    with pytest.raises(SystemExit):
        evaluate(paths, request(tmp_path, vtm, jobs=2))
    kept = len(list((tmp_path / "out/points").iterdir()))
    assert 2 <= kept < len(paths)


def test_a_broken_picture_is_told_and_the_rest_is_kept(photos: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(photos[0].read_bytes()[:1000])
    found = evaluate([broken, *photos], request(tmp_path, JPEG))
    assert [(row.picture, row.error, row.codec) for row in found.failures] == [("broken", "NotAnImageError", None)]
    assert len(found.samples) == 4


def test_a_codec_that_fails_at_one_quality_loses_no_other(
    photos: list[Path], tmp_path: Path, make_vtm: MakeVtm
) -> None:
    encoder = "import sys; w = sys.argv; sys.exit('QP 40 is broken') if w[w.index('-q') + 1] == '40' else None\n"
    from tests.eval.conftest import ENCODER

    options = make_vtm(encoder=encoder + ENCODER)
    vtm = Selection("vtm", (22.0, 40.0), tuple(sorted(options.items())))
    found = evaluate(photos[1:], request(tmp_path, vtm, JPEG))
    assert [(row.codec, row.quality, row.error) for row in found.failures] == [("vtm", 40.0, "ProgramFailedError")]
    assert "QP 40 is broken" in found.failures[0].message
    assert [(s.codec, s.quality) for s in found.samples] == [("vtm", 22.0), ("jpeg", 20.0), ("jpeg", 80.0)]
    assert found.curve("vtm").pictures == ()


def test_an_error_of_a_library_has_a_name_too(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coder = measure.opened("jpeg", ())
    monkeypatch.setattr(coder, "decode", lambda data, size: 1 // 0)
    found = evaluate(photos[1:], request(tmp_path, JPEG))
    assert {(row.error, row.message[:17]) for row in found.failures} == {("CodecFailedError", "ZeroDivisionError")}
    assert found.samples == ()


def test_a_measured_baseline_is_compared_with(photos: list[Path], tmp_path: Path) -> None:
    found = evaluate(photos[:1], request(tmp_path, JPEG, Selection("webp", (20.0,)), baselines=("jpeg", "vtm")))
    assert [(row.codec, row.baseline, row.metric) for row in found.comparisons] == [
        ("webp", "jpeg", "psnr"),
        ("webp", "jpeg", "ms-ssim"),
        ("webp", "jpeg", "ssimulacra2"),
        ("jpeg", "published:vtm", "psnr"),
        ("jpeg", "published:vtm", "ms-ssim"),
        ("webp", "published:vtm", "psnr"),
        ("webp", "published:vtm", "ms-ssim"),
    ]
    assert all(row.reason for row in found.comparisons)


@pytest.mark.parametrize(
    ("selection", "baseline", "kind"),
    [
        (Selection("nonsense", (1.0,)), "vtm", UsageError),
        (Selection("jpeg", (101.0,)), "vtm", QualityRangeError),
        (Selection("jpeg", (50.0,), (("speed", "1"),)), "vtm", UsageError),
        (JPEG, "nonsense", UsageError),
        (Selection("vtm", (22.0,)), "vtm", UsageError),
    ],
    ids=["codec", "quality", "option", "baseline", "programs"],
)
def test_what_cannot_be_done_is_told_before_any_work(
    selection: Selection, baseline: str, kind: type[Exception], photos: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(kind):
        evaluate(photos, request(tmp_path, selection, baselines=(baseline,)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("pillow_jxl", "jxl"),
        ("scipy", "eval"),
        ("matplotlib", "eval"),
        ("pytorch_msssim", "eval"),
    ],
)
def test_a_missing_library_is_told_before_any_work(
    module: str, extra: str, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure.opened.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissingError, match=rf"{module}.*pip install 's2lic\[{extra}\]'"):
        evaluate(photos, request(tmp_path, JPEG, Selection("jxl", (50.0,))))
    assert not (tmp_path / "out").exists()
