"""`s2lic eval` from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from s2lic.cli.eval import _complain
from s2lic.errors import IncompleteEvaluationError
from s2lic.eval.records import load

from .conftest import Result

Run = Callable[..., Result]
ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests/models/tiny.safetensors"
JPEG = "from PIL import Image; import sys; Image.open(sys.argv[1]).save(sys.argv[2], quality=int(sys.argv[3]))"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    with Image.open(ROOT / "tests/pictures/portrait.png") as image:
        image.convert("RGB").resize((180, 176)).save(folder / "one.png")
    return folder


def test_a_folder_gives_record_page_plot_and_report(run: Run, photos: Path) -> None:
    words = ("--codec", "s2lic,jpeg", "--qualities", "90,10", "--qualities", "jpeg=20,40,60", "--model", TINY)
    found = run("eval", photos, *words, "--baseline", "jpeg")
    assert found.code == 0
    evaluation = load(Path("eval"))
    assert [(curve.codec, len(curve.points)) for curve in evaluation.curves] == [("s2lic", 2), ("jpeg", 3)]
    for name in ("results.md", "rd.png", "report.html", "samples.csv", "results/s2lic.json", "results/jpeg.json"):
        assert (Path("eval") / name).stat().st_size > 100
    page = Path("eval/results.md").read_text()
    assert page == found.out.decode().rstrip("\n") + "\n"
    assert "s2lic eval DIR --codec s2lic,jpeg --baseline jpeg --qualities 90,10" in page
    assert str(photos.parent) not in page
    assert str(ROOT) not in page


def test_without_options_ours_is_set_against_avif_and_beside_jpeg(run: Run, photos: Path) -> None:
    words = ("--model", TINY, "--qualities", "10", "--qualities", "avif=10", "--qualities", "jpeg=10")
    found = run("eval", photos, *words)
    assert found.code == 0
    evaluation = load(Path("eval"))
    assert [curve.codec for curve in evaluation.curves] == ["s2lic", "avif", "jpeg"]
    assert {row.baseline for row in evaluation.comparisons} == {"avif"}
    assert "--baseline" not in evaluation.command


def test_each_of_several_models_has_a_curve(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "other.safetensors").write_bytes(TINY.read_bytes())
    words = ("--codec", "s2lic,jpeg", "--model", TINY, "--model", "other.safetensors", "--set", "s2lic.effort=0")
    assert run("eval", photos, *words, "--qualities", "50", "--qualities", "jpeg=50").code == 0
    evaluation = load(Path("eval"))
    names = ["s2lic-tiny", "s2lic-other", "jpeg"]
    assert [(curve.codec, curve.label) for curve in evaluation.curves] == [
        *((n, n) for n in names[:2]),
        ("jpeg", "JPEG"),
    ]
    assert evaluation.options["s2lic-other"] == {"model": "other.safetensors", "effort": "0"}
    assert [len(curve.points) for curve in evaluation.curves] == [1, 1, 1]
    assert "--model tiny.safetensors --model other.safetensors" in evaluation.command
    assert "s2lic-other" in Path("eval/report.html").read_text()


def test_a_command_is_a_codec(run: Run, photos: Path, tmp_path: Path) -> None:
    program = tmp_path / "cj"
    program.write_text(f"#!{sys.executable}\n{JPEG}")
    program.chmod(0o755)
    words = ("--codec", f"mine={program} {{in}} {{out}}.jpg {{q}}", "--codec", "webp", "--qualities", "20,80")
    assert run("eval", photos, *words, "--qualities", "webp=20").code == 0
    evaluation = load(Path("eval"))
    assert [(curve.codec, curve.label, len(curve.points)) for curve in evaluation.curves] == [
        ("mine", "mine", 2),
        ("webp", "WebP", 1),
    ]
    assert "--codec 'mine=cj {in} {out}.jpg {q}' --codec webp" in evaluation.command
    assert all(sample.file.endswith(".jpg") for sample in evaluation.samples if sample.codec == "mine")


def test_json_is_the_record(run: Run, photos: Path) -> None:
    record = json.loads(run("eval", photos, "--codec", " jpeg,", "--qualities", "50", "--json").out)
    assert record["curves"][0]["points"][0]["quality"] == 50
    assert record["kodak"] is False


def test_a_broken_picture_is_told_the_rest_kept_and_the_exit_code_is_1(run: Run, photos: Path) -> None:
    (photos / "two.png").write_bytes((photos / "one.png").read_bytes()[:500])
    found = run("eval", photos, "--codec", "jpeg", "--qualities", "50")
    assert found.code == 1
    assert "two: NotAnImageError" in found.err
    assert "1 failed (see above); 1 measurements are kept in eval. Fix or leave out what failed" in found.err
    kept = load(Path("eval"))
    assert len(kept.samples) == 1
    with pytest.raises(IncompleteEvaluationError):
        _complain(kept, Path("eval"))


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["page", "json"])
def test_where_nothing_can_be_measured_the_report_of_before_stays(
    run: Run, photos: Path, words: tuple[str, ...]
) -> None:
    assert run("eval", photos, "--codec", "jpeg", "--qualities", "50").code == 0
    before = Path("eval/evaluation.json").read_bytes()
    (photos / "one.png").write_bytes(b"no picture any more")
    found = run("eval", photos, "--codec", "jpeg", "--qualities", "50", *words)
    assert (found.code, found.out) == (1, b"")
    assert "1 failed (see above); nothing was measured. Fix or leave out what failed" in found.err
    assert "results.md" not in found.err
    assert Path("eval/evaluation.json").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("photos", "--codec", "nonsense"), "no codec 'nonsense'"),
        (("photos", "--codec", " , "), "--codec names no codec"),
        (("photos", "--codec", "vtm"), "--set vtm.encoder=PATH"),
        (("photos", "--qualities", "ten"), "--qualities takes numbers"),
        (("photos", "--qualities", "webp=10"), "which --codec does not name"),
        (("photos", "--set", "vtm"), "--set takes CODEC.NAME=VALUE"),
        (("photos", "--codec", "jpeg", "--baseline", "nonsense"), "nonsense"),
        (("photos", "--codec", "jpeg,webp,jpeg"), "jpeg is named twice; name it once"),
        (("photos", "--model", "nano", "--model", "nano"), "s2lic-nano is named twice; name it once"),
        (("photos", "--codec", "m=cat {in} {out} {x}", "--qualities", "5"), "{x} is unknown in the command"),
        (("photos", "--codec", "m=cat {in} {out} {q}"), "m has no usual qualities; give some: --qualities m=10"),
        (("photos", "--codec", "jpeg=cat {in} {out} {q}"), "a command needs a name of its own"),
        (("photos", "--codec", "../m=cat {in} {out} {q}"), "a command needs a name of its own"),
        (("photos", "photos/one.png", "--codec", "jpeg"), "photos/one.png is named twice; name it once"),
        (("empty", "--codec", "jpeg"), "no pictures in the folder empty"),
        (("missing", "--codec", "jpeg"), "missing"),
        (("kodak", "--codec", "jpeg"), "S2LIC_KODAK"),
    ],
    ids=(
        *("codec", "no codec", "programs", "numbers", "other codec", "set", "baseline", "codec twice"),
        *("model twice", "place", "no qualities", "name taken", "path as name", "picture twice"),
        *("empty", "missing", "kodak"),
    ),
)
def test_a_request_at_fault_is_told_with_exit_code_2(
    run: Run, photos: Path, words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("S2LIC_KODAK", raising=False)
    monkeypatch.setenv("HOME", str(photos))
    (photos.parent / "empty").mkdir()
    found = run("eval", *words)
    assert found.code == 2
    assert message in found.err
