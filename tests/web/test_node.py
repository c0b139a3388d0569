"""The tests in `web/tests`, which node runs, and TypeScript's check of types."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.frozen import MODEL
from tests.web.project import install, run
from tests.web.samples import write_model, write_mutants, write_samples

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True, scope="module")
def _packages() -> None:
    install()


def test_the_types_are_right() -> None:
    run("npm", "run", "--silent", "check")


def test_the_tests_in_node_pass(tmp_path: Path) -> None:
    models, samples = tmp_path / "models", tmp_path / "samples"
    for folder in (models, samples):
        folder.mkdir()
    write_model(MODEL, models)
    write_samples(samples)
    write_mutants(samples / "mutants.json")
    found = run("npm", "run", "--silent", "test", S2LIC_MODELS=str(models), S2LIC_SAMPLES=str(samples))
    assert "# fail 0" in found
    assert "# skipped 0" in found
