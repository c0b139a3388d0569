"""What ships: every row of the manifest agrees with its file, its card and the table of those before it."""

from __future__ import annotations

import hashlib
import re

import pytest

from s2lic.defaults import TUNES
from s2lic.entropy.tables import row_count
from s2lic.model import config
from s2lic.weights import manifest
from s2lic.weights.manifest import WeightsRow, file_facts
from s2lic.weights.store import load_shipped
from scripts.model_card import with_facts
from scripts.ship_weights import FIGURES, MAX_BYTES, SETS

ROWS = {row.config: row for row in manifest.rows()}
each = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


def test_a_configuration_has_one_set_and_the_default_is_there() -> None:
    assert len(ROWS) == len(manifest.rows())
    for tune in TUNES:
        assert manifest.default(tune) in ROWS.values()
        assert manifest.default(tune).tune == tune


def test_the_folder_holds_the_sets_of_the_manifest_and_no_other() -> None:
    assert {path.name for path in manifest.FOLDER.glob("*.safetensors")} == {row.file for row in manifest.rows()}


@each
def test_a_file_is_the_one_of_its_row_and_of_today_s_configuration(row: WeightsRow) -> None:
    data = row.path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == row.sha256
    assert len(data) <= MAX_BYTES
    weights = load_shipped(row)
    assert weights.model.row == config(row.config)
    assert weights.model_id == row.model_id == bytes.fromhex(row.sha256[:16])


@each
def test_its_tables_are_those_of_its_configuration(row: WeightsRow) -> None:
    tables, sizes = load_shipped(row).tables, config(row.config).entropy
    assert tables.gaussian_first == sizes.anchors * sizes.side
    assert tables.gaussian_count == row_count(sizes.sigma_max)


@each
def test_the_parameters_in_the_file_are_those_of_the_model_that_codes(row: WeightsRow) -> None:
    stored = load_shipped(row).model.state_dict()
    prior = sum(value.numel() for name, value in stored.items() if name.startswith("entropy.prior."))
    assert file_facts(row.path).parameters == sum(value.numel() for value in stored.values()) - prior


@each
def test_its_facts_are_whole(row: WeightsRow) -> None:
    assert row.version
    assert {"minutes", "steps"} <= set(row.training)
    assert set(row.rd) == SETS
    assert all(set(found) == FIGURES for found in row.rd.values() if found is not None)
    assert "not all verified" in row.data
    assert "redistributed" in row.data


@each
def test_its_card_says_what_the_manifest_says_and_names_the_data(row: WeightsRow) -> None:
    card = row.path.with_suffix(".md").read_text()
    assert with_facts(card, row) == card
    words = " ".join(card.split())
    assert "not all verified, and none of the pictures is redistributed" in words
    assert "](data.md)" in card


def test_the_page_of_the_data_names_every_source_with_its_licence() -> None:
    text = (manifest.FOLDER / "data.md").read_text()
    rows = re.findall(r"^\| ([\w.-]+/[\w.-]+) \| (\d+) \| [\d.]+ \| (.+) \|$", text, re.MULTILINE)
    assert sum(int(count) for _, count, _ in rows) == 577
    assert "not all verified" in " ".join(text.split())


def test_no_set_is_shipped_and_retired_at_once() -> None:
    old = [row.model_id for row in manifest.retired()]
    assert len(set(old)) == len(old)
    assert not {row.model_id.hex() for row in manifest.rows()} & set(old)
    assert all(re.fullmatch(r"[0-9a-f]{16} [0-9a-f]{40}", f"{row.model_id} {row.commit}") for row in manifest.retired())
