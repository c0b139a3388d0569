"""The comparison of blocks: the same training for each, rows that are kept, and the table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from s2lic.errors import BlockChoiceError, EvaluationError, InputMissingError, UsageError
from s2lic.eval.page import marks
from s2lic.lab import compare_blocks
from s2lic.lab.block_trial import QUALITIES, BlockResult, TrialSettings, pictures_of
from s2lic.lab.compare_blocks import MARK, against, main, mixers, recall, rendered, wanted
from tests.frozen import picture

SETTINGS = TrialSettings("tiny", 6, "cpu", 4, 192, 2e-3, ("a",), ("val", "kodak"))


def row(block: str, seed: int = 0, rate: float = 1.0) -> BlockResult:
    """A made-up row of a given rate at every level."""
    points = [(q, rate * 0.1 * 1.5**i, 28.0 + 2 * i) for i, q in enumerate(QUALITIES)]
    return BlockResult(block, seed, 70, 1234567, 20.25, 30.5, 0.5, 0.75, 900.4, 99.6, {"val": points, "kodak": points})


def test_bd_rate_is_that_of_the_curves() -> None:
    """A curve at 80 % of the rate at every PSNR saves 20 %."""
    assert against(row("halo", rate=0.8), row("swinv2"), "val") == "-20.0 % (28.0 to 40.0 dB)"
    flat = row("halo")
    flat.points["val"][1] = (20, 0.15, 28.0)
    assert "do not rise" in against(flat, row("swinv2"), "val")


def test_the_table_has_the_costs_and_the_seeds_that_tell_the_noise() -> None:
    rows = [row("swinv2"), row("swinv2", 1, 1.02), row("halo", rate=0.8)]
    lines = rendered(SETTINGS, rows).splitlines()[-3:]
    numbers = "70 | 1,234,567 | 20.2 | 30.5 | 0.50 | 0.75 | 100 | 900 |"
    assert lines[0] == f"| `swinv2` | 0 | 0 | {numbers}"
    assert lines[1].startswith("| `swinv2` (seed 1) | +2.0 % (28.0 to 40.0 dB) | +2.0 % (28.0 to 40.0 dB) | 70 |")
    assert lines[2].startswith("| `halo` | -20.0 % (28.0 to 40.0 dB) |")


def test_the_pictures_are_the_first_by_name_and_a_folder_without_any_is_refused(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "c.webp", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in pictures_of(SETTINGS, str(tmp_path))] == ["a.jpg", "b.png", "c.webp"]
    two = replace(SETTINGS, pictures=2)
    assert [path.name for path in pictures_of(two, str(tmp_path))] == ["a.jpg", "b.png"]
    assert "files of the first 2 pictures" in rendered(two, [row("swinv2")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputMissingError, match="no pictures"):
        pictures_of(SETTINGS, str(tmp_path / "empty"))


def test_rows_are_asked_for_with_the_baseline_first_and_in_several_seeds() -> None:
    assert mixers()[0] == "swinv2"
    assert set(mixers()) >= {"bottleneck", "halo", "routing", "davit_channel"}
    assert not {"mlp", "eca"} & set(mixers())
    assert wanted(["halo", "swinv2"], 3) == [("swinv2", 0), ("swinv2", 1), ("swinv2", 2), ("halo", 0)]


def test_kept_rows_are_found_again_unless_the_settings_differ_or_the_file_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    compare_blocks.keep(file, SETTINGS, [row("halo")])
    (found,) = recall(file, SETTINGS)
    assert found.curve("val") == row("halo").curve("val")
    with pytest.raises(UsageError, match="other settings"):
        recall(file, replace(SETTINGS, minutes=7))
    file.write_text(file.read_text()[:100])
    with pytest.raises(EvaluationError, match="damaged"):
        recall(file, SETTINGS)


def test_a_row_is_trained_measured_kept_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data", "val"):
        (tmp_path / name).mkdir()
        picture("portrait", size=(128, 128)).save(tmp_path / name / "a.png")
    page, out = tmp_path / "page.md", tmp_path / "rows.json"
    begin, end = marks(MARK)
    page.write_text(f"# Title\n\n{begin}\nold\n{end}\n\nAfter.\n")
    sizes = ["--config", "tiny", "--others", "swinv2", "--batch", "1", "--crop", "64", "--minutes", "0.01"]
    places = ["--data", str(tmp_path / "data"), "--val", str(tmp_path / "val"), "--out", str(out), "--page", str(page)]
    main([*sizes, *places, "--seeds", "1", "--blocks", "swinv2"])
    (kept,) = json.loads(out.read_text())["rows"]
    assert (kept["block"], kept["seed"]) == ("swinv2", 0)
    assert kept["steps"] > 0
    points = kept["points"][str(tmp_path / "val")]
    assert [point[0] for point in points] == list(QUALITIES)
    files = (tmp_path / "rows.runs" / "swinv2-0" / "files").iterdir()
    assert sorted(8 * file.stat().st_size / (128 * 128) for file in files) == sorted(point[1] for point in points)
    text = page.read_text()
    assert text.startswith("# Title")
    assert text.endswith("After.\n")
    assert "old" not in text
    assert "| `swinv2` | 0 |" in text

    def never(*_: object) -> None:
        raise AssertionError("a finished row was trained again")

    monkeypatch.setattr(compare_blocks, "ProcessPoolExecutor", never)
    main([*sizes, *places, "--seeds", "1", "--blocks", "swinv2"])
    with pytest.raises(BlockChoiceError):
        main([*sizes, *places, "--blocks", "lstm"])
