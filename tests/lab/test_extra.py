"""Studies that train and compare check their packages first."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from s2lic.errors import ExtraMissingError
from s2lic.lab import ablate, compare_blocks, step_stages, throughput
from s2lic.lab.extra import MODULES, check_extra


def test_with_all_packages_the_check_passes() -> None:
    check_extra()


@pytest.mark.parametrize("module", MODULES)
def test_a_missing_package_is_an_error_with_the_command_that_installs_it(
    module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    places = ["--data", "d", "--val", "v", "--out", str(tmp_path / "out.json"), "--minutes", "1"]
    studies = (
        lambda: ablate.main(tmp_path, tmp_path, 1.0, tmp_path / "record.json"),
        lambda: compare_blocks.main(places),
        step_stages.main,
        lambda: throughput.main(tmp_path / "record.json"),
    )
    for study in studies:
        with pytest.raises(ExtraMissingError, match=rf"needs {module}, .*pip install 's2lic\[lab\]'"):
            study()
