"""`s2lic bench speed` from the command line to its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from s2lic.cli import main
from tests.frozen import FOLDER, MODEL

PORTRAIT = FOLDER / "pictures" / "portrait.png"


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as exit_info:
        main(["bench", "speed", *map(str, words)])
    return int(exit_info.value.code or 0)


def test_one_command_leaves_record_page_and_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "docs"
    out.mkdir()
    (out / "performance.md").write_text("# Ours\n\n<!-- measured: begin -->\nold\n<!-- measured: end -->\n\nKept.\n")
    words = ("--sizes", "128,64", "--threads", 1, "--peers", "avif", "--repeats", 2, "--model", MODEL, "--out", out)
    assert run(PORTRAIT, *words, "--json") == 0
    printed = capsys.readouterr()
    record = json.loads(printed.out)
    assert record == json.loads((out / "performance.json").read_text())
    assert [(o["case"]["codec"], o["case"]["side"]) for o in record["outcomes"]] == [
        ("s2lic", 64), ("s2lic", 128), ("avif", 64), ("avif", 128),
    ]  # fmt: skip
    assert all(o["measured"]["runs"] == 2 for o in record["outcomes"])
    assert [(law["codec"], law["threads"]) for law in record["exponents"]] == [("s2lic", 1), ("avif", 1)]
    assert len(printed.err.splitlines()) == 4
    page = (out / "performance.md").read_text()
    assert page.startswith("# Ours\n")
    assert page.endswith("\nKept.\n")
    assert "old" not in page
    assert "| s2lic | 128 | 1 |" in page
    assert str(tmp_path) not in page
    assert "--batch" not in page
    with Image.open(out / "performance.png") as plot:
        assert plot.width > 800


def test_a_batch_is_told_beside_our_codec_alone(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--sizes", 64, "--threads", 1, "--peers", "s2lic-e0,avif", "--repeats", 1, "--model", MODEL)
    assert run(PORTRAIT, *words, "--batch", 2) == 0
    page = capsys.readouterr().out
    assert "--peers s2lic-e0,avif --repeats 1 --limit 90 --minutes 12 --batch 2" in page
    assert all(f"\n| {name} | 64 | 1 |" in page for name in ("s2lic, 2 at once", "s2lic-e0, 2 at once", "avif"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sizes", "64,big"), "--sizes takes whole numbers"),
        (("--threads", "0"), "--threads takes numbers from 1 up"),
        (("--peers", "jxr"), "no codec 'jxr'"),
        (("nowhere.png",), "nowhere.png"),
        (("--limit", "inf", "--minutes", "inf"), "--limit"),
        (("--limit", "nan"), "--limit"),
        (("--minutes", "nan"), "--minutes"),
    ],
    ids=["sizes", "threads", "peers", "picture", "no limit", "limit", "minutes"],
)
def test_a_wrong_request_is_refused_before_anything_runs_and_leaves_no_folder(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(*words, "--out", tmp_path / "out") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
