"""The recall diagnostic: what is asked is what a dictionary says, and attention learns it where an MLP cannot."""

from __future__ import annotations

import pytest
import torch

from s2lic.errors import BlockChoiceError, UsageError
from s2lic.lab.mqar import EMPTY, PATCHES, SEQUENCE, RecallTask, recall

both_forms = pytest.mark.parametrize("form", [PATCHES, SEQUENCE])


@both_forms
def test_the_answers_are_those_of_a_dictionary(form: str) -> None:
    samples = RecallTask(form, vocabulary=64).draw(1000, torch.Generator().manual_seed(0))
    for keys, values, answers in zip(
        samples.keys.tolist(), samples.values.tolist(), samples.answers.tolist(), strict=True
    ):
        shift = 0 if form == PATCHES else 1
        held = {keys[at - shift]: value for at, value in enumerate(values) if value != EMPTY}
        asked = [(keys[at], answer) for at, answer in enumerate(answers) if answer != EMPTY]
        assert len(held) == len(asked) == 8
        assert all(held[key] == answer for key, answer in asked)


@both_forms
def test_no_answer_stands_where_it_is_asked_for(form: str) -> None:
    samples = RecallTask(form).draw(50, torch.Generator().manual_seed(1))
    asked = samples.answers != EMPTY
    assert (samples.values[asked] == EMPTY).all()
    assert (samples.keys[asked] != EMPTY).all()
    if form == SEQUENCE:
        assert not asked[:, :16].any()


def test_the_same_seed_draws_the_same_maps() -> None:
    first, second = (RecallTask().draw(5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first.keys, second.keys)
    assert torch.equal(first.answers, second.answers)


def test_attention_recalls_8_pairs_of_64_places_and_a_convolution_of_3x3_does_not() -> None:
    task = RecallTask(side=8, pairs=8, vocabulary=64)
    able, unable = (recall(block, task, steps=100, dim=64, batch=48) for block in ("swinv2", "base_conv:kernel=3"))
    assert able.accuracy >= 0.99
    assert unable.accuracy < 0.1  # chance is 1 / 32


def test_attention_learns_to_look_up_what_an_mlp_cannot() -> None:
    task = RecallTask(side=3, pairs=3, vocabulary=32)
    able, unable = (recall(block, task, steps=150, dim=32, batch=32) for block in ("swinv2", "mlp"))
    assert able.accuracy > 0.9
    assert unable.accuracy < 0.2  # chance is 1 / 16


def test_a_gate_is_no_mixer() -> None:
    with pytest.raises(BlockChoiceError, match="'eca' is a gate"):
        recall("eca", RecallTask(), steps=1)


def test_a_form_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="no form 'patchs' of maps; there are sequence, patches"):
        RecallTask("patchs")


@pytest.mark.parametrize(("form", "most"), [(PATCHES, 32), (SEQUENCE, 21)])
def test_as_many_pairs_as_the_map_holds_are_drawn_and_no_more(form: str, most: int) -> None:
    samples = RecallTask(form, pairs=most).draw(3, torch.Generator().manual_seed(0))
    assert (samples.answers != EMPTY).sum(1).tolist() == [most] * 3
    with pytest.raises(UsageError, match=rf"at most {most} pairs fit .* on 8 x 8, not {most + 1}"):
        RecallTask(form, pairs=most + 1)


def test_as_many_pairs_as_there_are_keys_are_drawn_and_no_more() -> None:
    samples = RecallTask(pairs=4, vocabulary=8).draw(1, torch.Generator().manual_seed(0))
    assert (samples.keys != EMPTY).sum() == 8
    with pytest.raises(UsageError, match=r"at most 4 pairs fit .* with 8 words, not 5"):
        RecallTask(pairs=5, vocabulary=8)
