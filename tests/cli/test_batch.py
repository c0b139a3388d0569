"""Many inputs and folders: what they become, what is refused at once, and what goes on after a failure."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from s2lic.cli import batch
from s2lic.cli.batch import RunOptions
from s2lic.cli.jobs import Batch
from s2lic.cli.reporting import mentions
from s2lic.coding.pipeline import Job, JobOutcome
from s2lic.container.boxes import read_header
from s2lic.errors import CorruptError, InputMissingError, S2licError

from .conftest import FakeCodec, Result

Run = Callable[..., Result]


def json_lines(out: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


pytestmark = pytest.mark.usefixtures("fake_codec")


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Three pictures, one of them in a folder of the folder, and files that are none."""
    folder = tmp_path / "album"
    (folder / "trip" / ".hidden").mkdir(parents=True)
    for name, side in (("a.png", 8), ("b.JPG", 9), ("trip/c.png", 10), (".thumb.png", 3), ("trip/.hidden/d.png", 3)):
        Image.effect_noise((side, side), 20).convert("RGB").save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    return folder


def names(folder: str | Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}


def test_a_folder_goes_to_a_folder_and_back(run: Run, album: Path) -> None:
    assert run("encode", "album", "--outdir", "coded").code == 0
    assert names("coded") == {"a.s2lic", "b.s2lic"}
    assert run("decode", "coded", "--outdir", "back").code == 0
    assert names("back") == {"a.png", "b.png"}
    with Image.open("back/b.png") as image:
        assert image.size == (9, 9)


def test_recursion_keeps_the_folders(run: Run, album: Path) -> None:
    assert run("encode", "album", "-r", "--outdir", "coded").code == 0
    assert names("coded") == {"a.s2lic", "b.s2lic", "trip/c.s2lic"}


def test_without_outdir_each_output_lies_beside_its_input(run: Run, album: Path) -> None:
    assert run("encode", "album", "album/trip/c.png").code == 0
    assert {"a.s2lic", "b.s2lic", "trip/c.s2lic"} < names("album")
    assert run("decode", "album", "-r", "--format", "ppm").code == 0
    assert {"a.decoded.ppm", "b.decoded.ppm", "trip/c.decoded.ppm"} < names("album")


def test_a_coded_file_in_a_folder_is_known_by_its_name_or_its_magic(run: Run, photo: Path) -> None:
    Path("coded").mkdir()
    for name, data in (("a.bin", FakeCodec().encode(Image.open(photo))), ("b.s2lic", b"broken"), ("c.bin", b"other")):
        (Path("coded") / name).write_bytes(data)
    rows = json_lines(run("info", "coded", "--json").out)
    assert [(row["input"], row["status"]) for row in rows] == [("coded/a.bin", "done"), ("coded/b.s2lic", "failed")]


@pytest.mark.parametrize("threads", [1, 3])
def test_the_others_go_on_where_one_fails(run: Run, album: Path, threads: int) -> None:
    (album / "aa.png").write_bytes(b"broken")
    result = run("encode", "album", "absent.png", "--outdir", "coded", "-j", threads)
    assert result.code == 1
    assert names("coded") == {"a.s2lic", "b.s2lic"}
    told = [line for line in result.err.splitlines() if line.startswith("s2lic: ")]
    assert len(told) == 2
    assert "album/aa.png is not a picture" in told[0]
    assert "absent.png" in told[1]
    assert "Traceback" not in result.err


@pytest.mark.parametrize("name", ["a", "file", "magic", "s2lic"])
def test_a_file_that_fails_is_named_whatever_words_its_name_is_of(run: Run, photo: Path, name: str) -> None:
    Path(name).write_bytes(b"broken")
    told = run("info", name, "photo.png").err.splitlines()
    assert [line.split(": ")[1] for line in told if line.startswith("s2lic: ")] == [name, "photo.png"]


@pytest.mark.parametrize(
    ("text", "source", "named"),
    [
        ("cannot read b/a.png: no such file", "b/a.png", True),
        ("a.png is not a picture", "a.png", True),
        ("a.png.s2lic is already there", "a.png", False),
        ("b/a.png is already there", "a.png", False),
        ("a-a.png is already there", "a.png", False),
        ("this is not a file of ours", "a", False),
    ],
)
def test_a_name_counts_only_where_it_stands_alone(text: str, source: str, named: bool) -> None:
    assert mentions(text, source) == named


def test_faults_of_the_request_alone_exit_with_2(run: Run, photo: Path) -> None:
    assert run("encode", photo, "absent.png", "--outdir", "out").code == 2


def test_the_summary_counts_and_names_the_causes(run: Run, album: Path) -> None:
    (album / "[bold]aa.png").write_bytes(b"broken")
    text = run("encode", "album", "--outdir", "coded").err
    assert all(word in text for word in ("done", "skipped", "failed", "[bold]aa.png", "cause"))
    assert run("encode", "album/a.png", "album/b.JPG", "--outdir", "quiet", "--quiet") == Result(0, b"", "")


def test_bits_a_pixel_are_told_of_whole_pictures_only(run: Run, album: Path) -> None:
    run("encode", "album", "--outdir", "coded")
    assert "bpp" in run("decode", "coded", "--outdir", "whole").err
    assert "bpp" not in run("decode", "coded", "--outdir", "part", "--crop", "0,0,4,2").err


def test_json_is_a_line_for_each_input(run: Run, album: Path) -> None:
    (album / "aa.png").write_bytes(b"broken")
    rows = json_lines(run("encode", "album", "--outdir", "coded", "--json").out)
    assert [(row["schema"], row["status"]) for row in rows] == [(1, "done"), (1, "failed"), (1, "done")]
    assert rows[0]["output"] == "coded/a.s2lic"
    assert rows[0]["bytes"] == Path("coded/a.s2lic").stat().st_size
    assert rows[1]["error"] == "NotAnImageError"
    assert "not a picture" in rows[1]["message"]


def test_json_of_a_folder_with_one_picture_is_a_line_too(run: Run, photo: Path) -> None:
    assert len(json_lines(run("encode", ".", "--json").out)) == 1


def test_a_failure_of_one_input_is_json_too(run: Run, photo: Path) -> None:
    result = run("decode", photo, "-o", "x.png", "--json")
    assert result.code == 1
    assert json.loads(result.out)["error"] == "NotS2licError"


def test_a_stopped_run_is_gone_on_with(run: Run, album: Path) -> None:
    run("encode", "album", "--outdir", "coded")
    whole = Path("coded/a.s2lic").stat().st_mtime_ns
    Path("coded/b.s2lic").write_bytes(Path("coded/b.s2lic").read_bytes()[:-1])
    rows = json_lines(run("encode", "album", "-r", "--outdir", "coded", "--skip-existing", "--json").out)
    assert [row["status"] for row in rows] == ["skipped", "done", "done"]
    assert Path("coded/a.s2lic").stat().st_mtime_ns == whole
    assert read_header(Path("coded/b.s2lic").read_bytes()).width == 9


def test_pictures_that_are_there_and_whole_are_skipped(run: Run, album: Path) -> None:
    run("encode", "album", "-r", "--outdir", "coded")
    run("decode", "coded", "-r", "--outdir", "back")
    Path("back/a.png").write_bytes(Path("back/a.png").read_bytes()[:-20])
    Path("back/b.png").write_bytes(Path("back/trip/c.png").read_bytes())  # whole, but of another size
    rows = json_lines(run("decode", "coded", "-r", "--outdir", "back", "--skip-existing", "--json").out)
    assert [row["status"] for row in rows] == ["done", "done", "skipped"]


def test_existing_outputs_fail_one_by_one_unless_forced(run: Run, album: Path) -> None:
    run("encode", "album/a.png", "--outdir", "coded")
    assert run("encode", "album", "--outdir", "coded").code == 2
    assert names("coded") == {"a.s2lic", "b.s2lic"}
    assert run("encode", "album", "--outdir", "coded", "--force").code == 0


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (("a.png", "b.JPG", "-o", "x"), "--outdir"),
        (("trip", "-o", "x.s2lic"), "--outdir"),
        (("a.png", "-o", "trip"), "--outdir trip"),
        (("a.png", "-o", "x", "--outdir", "y"), "one of them"),
        (("a.png", "-o", ""), "-o FILE"),
        (("",), "give a file"),
        (("", "-o", "x"), "name is empty; give a file"),
        (("-", "--outdir", "y"), "-o FILE"),
        (("-", "a.png"), "./-"),
        (("a.png", "-o", "a.png", "--force"), "another output"),
        (("a.png", "trip/../a.png", "--outdir", "y"), "an --outdir"),
        (("empty",), "--recursive"),
        (("empty", "-r"), "no pictures"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_what_cannot_be_meant_is_refused_before_any_work(
    run: Run, album: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], mend: str
) -> None:
    (album / "empty").mkdir()
    monkeypatch.chdir(album)
    before = names(album)
    result = run("encode", *words)
    assert (result.code, result.out) == (2, b"")
    assert mend in result.err
    assert result.err.count("\n") == 1
    assert names(album) == before


def test_a_background_that_is_no_colour_is_refused_even_where_none_is_needed(run: Run, photo: Path) -> None:
    run("encode", photo)
    result = run("decode", "photo.s2lic", "--background", "whitish")
    assert (result.code, result.err.count("\n")) == (2, 1)


def test_two_inputs_of_one_output_are_named(run: Run, album: Path) -> None:
    Path("album/a.bmp").write_bytes(Path("album/a.png").read_bytes())
    result = run("encode", "album", "--outdir", "coded")
    assert result.code == 2
    assert "album/a.bmp and album/a.png" in result.err
    assert not Path("coded").exists()


@pytest.mark.parametrize("output", ["link.png", "album/../photo.png"])
def test_an_input_is_no_output_by_another_path_either(run: Run, album: Path, output: str) -> None:
    Image.new("RGB", (8, 8)).save("photo.png")
    Path("link.png").symlink_to("photo.png")
    result = run("encode", "photo.png", "-o", output, "--force")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "is an input itself" in result.err


@pytest.mark.parametrize("linked", [False, True], ids=["named", "linked"])
@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("encode", "photo.png", "--roi", "map.png"), "map.png"),
        (("encode", "photo.png", "--cond", "told.npy"), "told.npy"),
        (("encode", "photo.png", "--model", "own.safetensors"), "own.safetensors"),
        (("decode", "photo.s2lic", "--model", "own.safetensors"), "own.safetensors"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_read_beside_the_inputs_is_no_output_either(
    run: Run, photo: Path, words: tuple[str, ...], name: str, linked: bool
) -> None:
    run("encode", photo)
    Image.new("L", (8, 8)).save("map.png")
    np.save("told.npy", [1.0])
    Path("own.safetensors").write_bytes(b"weights")
    Path("link.bin").symlink_to(name)
    before = Path(name).read_bytes()
    result = run(*words, "-o", "link.bin" if linked else name, "--force")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "is an input itself" in result.err
    assert Path(name).read_bytes() == before


def test_words_that_name_no_file_are_no_inputs(run: Run, photo: Path) -> None:
    assert run("encode", photo, "--model", "nano", "-o", "nano").code == 0


def test_an_input_that_is_named_twice_is_told_so(run: Run, photo: Path) -> None:
    result = run("encode", "photo.png", "photo.png", "--outdir", "coded")
    assert (result.code, result.err) == (2, "s2lic: photo.png is named twice; name it once\n")


def test_a_format_has_one_place(run: Run, photo: Path) -> None:
    run("encode", photo)
    assert run("decode", "photo.s2lic", "-o", "x.png", "--format", "jpg").code == 2
    unknown = run("decode", "photo.s2lic", "--format", "gif")
    assert unknown.code == 2
    assert unknown.err.startswith("s2lic: there is no --format gif; there are png, ")
    assert run("decode", "photo.s2lic", "-o", "-", "--format", "ppm").out.startswith(b"P6")


def test_a_folder_that_cannot_be_made_is_told_at_once(run: Run, photo: Path) -> None:
    result = run("encode", photo, "--outdir", photo / "out")
    assert result.code == 2
    assert "cannot make the folder" in result.err


@pytest.mark.parametrize("name", ["with space.png", "ünï-日本.png", "line\nbreak.png", "[red].png", "-q.png"])
def test_any_name_goes_there_and_back(run: Run, photo: Path, name: str) -> None:
    photo.rename(name)
    encoded = run("encode", "--outdir", "out", "--", name)
    assert (encoded.code, encoded.err.count("\n")) == (0, 1)
    assert run("decode", "out", "--outdir", "back").code == 0
    assert names("back") == {name}


def test_a_name_that_is_no_text_goes_there_and_back(run: Run, photo: Path) -> None:
    photo.rename(os.fsdecode(b"\xff.png"))
    assert run("encode", ".", "--outdir", "out").code == 0
    assert os.listdir(b"out") == [b"\xff.s2lic"]  # noqa: PTH208 pathlib knows no names in bytes
    assert b"\\udcff.s2lic" in run("info", "out").out


def test_a_name_beyond_the_systems_limit_is_told(run: Run, photo: Path) -> None:
    long = "x" * 300
    for words in ((f"{long}.png",), (photo, "-o", long), (photo, "--outdir", long)):
        result = run("encode", *words)
        assert result.code in {1, 2}
        assert "File name too long" in result.err
        assert result.err.count("\n") == 1


def test_an_unreadable_folder_is_told(run: Run, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)  # chmod does not keep root out
    assert (
        run("encode", "album", "-r").err
        == "s2lic: cannot read the folder album: Permission denied; check it, or leave it out\n"
    )


def test_jobs_run_at_once_and_are_reported_in_order() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def work(job: Job) -> dict[str, object]:
        meeting.wait()  # passes only if three are at work together
        time.sleep(0.05 if job.source == "0" else 0)
        return {}

    jobs = Batch([Job(str(number)) for number in range(6)], many=True)
    shown: list[JobOutcome] = []
    batch.run(jobs, batch.each(work), shown.append, RunOptions(quiet=True, threads=3), "testing")
    assert [outcome.job.source for outcome in shown] == list("012345")


def test_an_interrupt_begins_no_further_job() -> None:
    done: list[str] = []

    def work(job: Job) -> dict[str, object]:
        time.sleep(0.02)
        done.append(job.source)
        return {}

    def interrupt(_: JobOutcome) -> None:
        raise KeyboardInterrupt

    jobs = Batch([Job(str(number)) for number in range(100)], many=True)
    with pytest.raises(KeyboardInterrupt):
        batch.run(jobs, batch.each(work), interrupt, RunOptions(quiet=True, threads=2), "testing")
    assert len(done) < 10


@pytest.mark.parametrize(
    ("errors", "code"),
    [([], 0), ([InputMissingError], 2), ([InputMissingError, CorruptError], 1), ([CorruptError], 1)],
)
def test_the_exit_code_is_that_of_the_worst(errors: list[type[S2licError]], code: int) -> None:
    outcomes = [JobOutcome(Job("a")), *(JobOutcome(Job("b"), error=kind("why")) for kind in errors)]
    assert batch.exit_code(outcomes) == code


def test_a_bar_shows_on_a_terminal(run: Run, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2lic.cli.progress.stderr_is_watched", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "encoding" in run("encode", "album", "--outdir", "a").err
    assert run("encode", "album", "--outdir", "b", "--quiet").err == ""


def test_what_is_told_of_each_file_stands_above_the_bar(run: Run, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2lic.cli.progress.stderr_is_watched", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    lines = run("encode", "album", "--outdir", "a").err.replace("\r\x1b[2K", "\n").splitlines()
    assert [line.split(":")[0] for line in lines if "bytes," in line] == ["a/a.s2lic", "a/b.s2lic"]


def test_small_pictures_are_coded_together_and_large_ones_alone(
    run: Run, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    for name in ("encode_many_with", "decode_many_with"):
        real = getattr(FakeCodec, name)
        monkeypatch.setattr(FakeCodec, name, lambda *a, real=real, **k: sizes.append(len(a[1])) or real(*a, **k))
    for name in ("l.png", "m.png"):
        Image.new("RGB", (1100, 1000)).save(album / name)
    assert run("encode", album, "--outdir", "coded").code == 0
    assert run("decode", "coded", "--outdir", "back", "-j", 2).code == 0
    # a, b and the first large one go together; the second has nobody to wait for, and threads take files alone
    assert [size for size in sizes if size > 1] == [3]
    assert run("decode", "coded", "--outdir", "back", "--force").code == 0
    assert [size for size in sizes if size > 1] == [3, 3]


def test_where_one_of_several_fails_the_others_are_coded(
    run: Run, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FakeCodec.encode

    def picky(self: FakeCodec, image: Image.Image, quality: float, **how: int) -> bytes:
        if image.width == 9:
            raise CorruptError("nines are refused")
        return real(self, image, quality)

    monkeypatch.setattr(FakeCodec, "encode", picky)
    result = run("encode", album, "-r", "--outdir", "coded", "--json", "--quiet")
    assert result.code == 1
    assert [row["status"] for row in json_lines(result.out)] == ["done", "failed", "done"]
    assert names("coded") == {"a.s2lic", "trip/c.s2lic"}
