"""The corpus of broken files, opened in every way: the library, `s2lic decode`, a batch, a pipe, `s2lic info`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import s2lic
from s2lic import errors
from s2lic.cli import main
from s2lic.container.boxes import read_header
from tests.frozen import MODEL, codec

FOLDER = Path(__file__).parents[1] / "corrupt"
MANIFEST: dict[str, dict[str, Any]] = json.loads((FOLDER / "manifest.json").read_text())
each = pytest.mark.parametrize("name", MANIFEST)


def error_of(name: str, way: str) -> type[errors.BitstreamError]:
    error: type[errors.BitstreamError] = getattr(errors, MANIFEST[name][way])
    return error


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as exit_info:
        main([str(word) for word in words])
    return int(exit_info.value.code or 0)


def refusal(name: str) -> errors.BitstreamError:
    with pytest.raises(error_of(name, "decode")) as error_info:
        codec().decode((FOLDER / f"{name}.s2lic").read_bytes())
    return error_info.value


@each
def test_decoding_it_ends_in_the_error_of_its_cause(name: str) -> None:
    error = refusal(name)
    assert type(error) is error_of(name, "decode")
    assert len(str(error)) > 20


@each
def test_the_command_says_the_same_in_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.png"
    assert run("decode", FOLDER / f"{name}.s2lic", "-o", target, "--model", MODEL) == 1
    assert capsys.readouterr().err == f"s2lic: {refusal(name)}\n"
    assert not target.exists()


@each
def test_info_minds_the_container_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = FOLDER / f"{name}.s2lic"
    if MANIFEST[name]["info"] is None:
        assert run("info", path) == 0
        assert str(read_header(path.read_bytes()).width) in capsys.readouterr().out
    else:
        assert run("info", path) == 1
        with pytest.raises(error_of(name, "info")) as error_info:
            s2lic.info(path)
        assert capsys.readouterr().err == f"s2lic: {error_info.value}\n"


def test_all_of_them_in_one_run_fail_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--outdir", tmp_path / "out", "--model", MODEL, "-j", 2, "--json", "--quiet")
    assert run("decode", FOLDER, *words) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {Path(row["input"]).stem: row["error"] for row in rows}
    assert found == {name: type(refusal(name)).__name__ for name in MANIFEST}
    assert list((tmp_path / "out").iterdir()) == []


@each
def test_it_is_no_better_through_a_pipe(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (FOLDER / f"{name}.s2lic").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert run("decode", "-", "-o", "-", "--model", MODEL) == 1


def test_the_corpus_has_every_error_that_a_file_can_cause() -> None:
    causes = {*errors.BitstreamError.__subclasses__(), *errors.CorruptError.__subclasses__()} - {errors.CorruptError}
    kinds = {kind.__name__ for kind in causes} | {errors.RetiredArithmeticError.__name__}
    assert {row["decode"] for row in MANIFEST.values()} == kinds
    assert {path.stem for path in FOLDER.glob("*.s2lic")} == set(MANIFEST)
