"""Broken files end in a named error, soon and within memory; the full campaign is `python -m scripts.mutate`."""

from __future__ import annotations

import pytest

from s2lic.container.boxes import unpack
from s2lic.errors import SymbolChecksumError
from scripts import mutate
from scripts.mutants import KINDS, Mutant, mutant, seeds, stamp_file
from scripts.mutate import MEMORY_MAX, OTHER_PICTURE, SECONDS_MAX, Decoder, Report, campaign, table


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    return seeds()


def test_a_thousand_broken_files_end_in_a_named_error() -> None:
    report = campaign(1000, seed=1)
    assert report.failures == []
    assert report.outcomes.total() == 1000
    assert report.seconds < SECONDS_MAX
    assert report.memory < MEMORY_MAX
    names = {outcome for _, _, outcome in report.outcomes}
    assert names >= {"FileChecksumError", "TruncatedError", "HeaderError", OTHER_PICTURE}
    assert {(kind, made) for kind, made, _ in report.outcomes} >= {(kind, True) for kind in KINDS}
    assert "restamped" in table(report)


def test_broken_files_end_in_a_named_error_without_torch() -> None:
    report = campaign(300, seed=2, runtime="onnx")
    assert report.failures == []
    assert report.outcomes.total() == 300
    assert report.memory < MEMORY_MAX


def test_a_mutant_is_the_same_each_time_and_never_the_original(files: list[bytes]) -> None:
    for index in range(50):
        case = mutant(files, 7, index)
        assert case == mutant(files, 7, index)
        assert case.data not in files
        assert case.restamped == bool(index % 2)


def test_some_of_the_files_have_tiles_or_alpha_and_metadata_or_both(files: list[bytes]) -> None:
    kinds = [(bool(unpack(data).tiles), len(unpack(data).extras)) for data in files]
    assert [kinds.count(kind) for kind in ((False, 0), (True, 0), (False, 4), (True, 4))] == [12, 2, 2, 2]
    assert [bool(unpack(data).roi) for data in files].count(True) == 1


def test_an_attacker_gets_past_both_checksums(files: list[bytes]) -> None:
    decoder, original = Decoder(), files[1]
    payload = unpack(original).payload
    broken = stamp_file(original.replace(payload, payload[:8] + bytes(len(payload) - 8)))
    with pytest.raises(SymbolChecksumError):
        decoder._codec.decode(broken)
    assert decoder.outcome(Mutant(broken, "flip", True)) == OTHER_PICTURE
    assert decoder.outcome(Mutant(broken, "flip", False)) == "SymbolChecksumError"


def test_an_error_without_a_name_is_a_failure(files: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Decoder()
    assert decoder.outcome(Mutant(files[0], "flip", False)).startswith("FAILED")
    monkeypatch.setattr(decoder._codec, "decode", lambda _: 1 // 0)
    assert decoder.outcome(Mutant(files[0], "flip", False)).startswith("FAILED ZeroDivisionError")


def test_too_much_time_or_memory_is_a_failure(files: list[bytes]) -> None:
    report, case = Report(), mutant(files, 0, 0)
    mutate._enter(report, 0, case, SECONDS_MAX, MEMORY_MAX, "HeaderError")
    assert report.failures == []
    mutate._enter(report, 1, case, SECONDS_MAX + 1, MEMORY_MAX + 1, "HeaderError")
    assert len(report.failures) == 2


@pytest.mark.parametrize("fault", ["import os; os.abort()", "import time; time.sleep(60)"])
def test_a_crash_and_a_hang_are_failures(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutate, "SILENCE_MAX", 0.5)
    script = f"print('ready', flush=True); {fault}"
    real = mutate.subprocess.Popen
    monkeypatch.setattr(
        mutate.subprocess, "Popen", lambda words, **settings: real([words[0], "-c", script], **settings)
    )
    report = campaign(2, seed=0)
    assert len(report.failures) == 2
    assert "mutant 0" in report.failures[0]
