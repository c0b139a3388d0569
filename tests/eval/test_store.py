"""Finished samples on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2lic.errors import OutputPlaceError
from s2lic.eval import store
from s2lic.eval.records import EvalPicture, Sample
from s2lic.eval.store import SampleKey

SAMPLE = Sample("jpeg", 50.0, "one", 4, 0.5, 30.25, 0.9, 55.5, 0.125, 0.25, 1.5, None, "one.jpg", "a machine")


def test_a_sample_where_no_folder_can_be_is_an_error_by_name(tmp_path: Path) -> None:
    (tmp_path / store.POINTS).write_bytes(b"mine")
    with pytest.raises(OutputPlaceError, match="a file is in its way"):
        SampleKey(tmp_path, EvalPicture("one", "one.png", "00ff", 8, 1), "jpeg", "a library", 50).keep(SAMPLE)


def test_what_a_release_with_other_fields_has_measured_is_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = SampleKey(tmp_path, EvalPicture("one", "one.png", "00ff", 8, 1), "jpeg", "a library", 50)
    (tmp_path / SAMPLE.file).write_bytes(bytes(SAMPLE.size))
    with monkeypatch.context() as earlier:
        earlier.setattr(store, "FIELDS", store.FIELDS[:-1])
        place.keep(SAMPLE)
        assert place.recall() == SAMPLE
    assert place.recall() is None
