"""What a latent should take, by its tables and by its likelihoods."""

from __future__ import annotations

import torch

from s2lic.coding.networks import Networks, pad, to_tensor
from s2lic.images.load import open_image
from s2lic.train.table_fit import Census
from s2lic.weights.store import load
from scripts.check_rate import coding, share, with_gaussians
from tests.frozen import FOLDER, MODEL

LEVEL = 5000


def test_a_coded_latent_is_within_what_is_allowed_and_skewed_tables_are_not() -> None:
    networks = Networks(load(MODEL), torch.device("cpu"))
    y = networks.analyse(pad(to_tensor(open_image(FOLDER / "pictures" / "portrait.png", strip=True))), LEVEL)
    tables = with_gaussians(networks.weights.tables)
    found = coding(networks.weights, tables, y, LEVEL)
    assert share(found.coded, found.by_tables) <= 1
    assert share(found.coded, found.by_likelihoods) <= 1
    skewed = Census(tables)
    skewed.counts[:] = 1
    wrong = coding(networks.weights, skewed.fitted(prior=0), y, LEVEL)
    assert share(wrong.coded, wrong.by_tables) <= 1
    assert share(wrong.coded, wrong.by_likelihoods) > 1


def test_tables_with_gaussians_keep_the_rows_of_z() -> None:
    tables = load(MODEL).tables
    plain = with_gaussians(tables)
    first = tables.gaussian_first
    assert plain.rows_as_lists[:first] == tables.rows_as_lists[:first]
