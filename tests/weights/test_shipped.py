"""What ships: every row of the manifest has a model card, its training facts and a model that loads."""

from __future__ import annotations

from s2lic.weights import manifest
from s2lic.weights.store import load

MIB = 2**20


def test_each_row_has_its_card_and_its_training_facts() -> None:
    assert manifest.rows()
    for row in manifest.rows():
        assert row.path.with_suffix(".md").is_file()
        assert row.path.stat().st_size <= 20 * MIB
        assert row.training


def test_each_set_loads_as_the_configuration_that_it_names() -> None:
    for row in manifest.rows():
        weights = load(row.path)
        assert weights.model.row.name == row.config
        assert weights.model_id == row.model_id
