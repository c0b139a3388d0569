"""The choice of blocks: what may stand where, and its name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from torch import nn

from s2lic.errors import BlockChoiceError, UnknownConfigError
from s2lic.model import CONFIGS, config, variant
from s2lic.transform.attention.boundary import Boundary
from s2lic.transform.blocks import block_names, block_row, create_block
from s2lic.transform.blocks.act import Act
from s2lic.transform.blocks.halo import Halo
from s2lic.transform.blocks.mlp import Mlp
from s2lic.transform.group import Layer, residual_group
from s2lic.transform.variants import Choice, parse, suffix

NANO = CONFIGS["nano"]


def test_one_block_serves_all_stages_and_three_serve_one_each() -> None:
    assert variant(NANO, ("halo",)).transform.blocks == ("halo", "halo", "halo")
    assert variant(NANO, ("halo", "gated_cnn", "swinv2")).transform.blocks == ("halo", "gated_cnn", "swinv2")


def test_the_name_tells_the_choice_and_gives_the_row_back() -> None:
    row = variant(NANO, ("swinv2", "gated_cnn", "halo"), mlp="conv_glu", gate="eca")
    assert row.name == "nano+block=swinv2,gated_cnn,halo+mlp=conv_glu+gate=eca"
    assert config(row.name) == row
    assert row.entropy is NANO.entropy


def test_a_wrapper_is_in_the_name_and_around_the_mixers_alone() -> None:
    row = variant(NANO, ("swinv2", "gated_cnn", "halo"), wrap="act")
    assert row.name == "nano+block=swinv2,gated_cnn,halo+wrap=act"
    assert config(row.name) == row
    assert all(isinstance(block.attn.rule, Act) for block in residual_group(row.transform, 2).blocks)
    assert not [m for m in residual_group(row.transform, 1).modules() if isinstance(m, Act)]
    assert variant(row, wrap="").transform.wrap == ""


def test_choices_add_up_and_may_be_taken_back() -> None:
    row = variant(variant(NANO, ("halo",)), gate="eca")
    assert row.name == "nano+block=halo,halo,halo+gate=eca"
    assert variant(row, NANO.transform.blocks, gate="") == NANO


def test_a_key_may_ask_for_another_form_of_its_block_and_the_name_says_so() -> None:
    row = variant(NANO, ("bottleneck", "base_conv", "dhsa:boundary=learned"), gate="sentence_gate:gate=sigmoid2")
    assert row.name == "nano+block=bottleneck,base_conv,dhsa:boundary=learned+gate=sentence_gate:gate=sigmoid2"
    assert config(row.name) == row
    group = residual_group(row.transform, 2)
    assert all(isinstance(block.attn.boundary, Boundary) for block in group.blocks)
    assert not any(gate.softmax for gate in group.gates)
    redirecting = variant(CONFIGS["small"], wrap="sink_filter:mode=redirect").transform
    assert not residual_group(redirecting, 2).blocks[-1].attn.rule.suppress


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(("dhsa:boundary=guessed",)), r"'dhsa' has no option 'boundary=guessed'; .* boundary=cosine\|learned"),
        (Choice(("halo:halo=5",)), "'halo' has no option 'halo=5'; its options are: none"),
        (Choice(gate="eca:long=true"), "'eca' has no option 'long=true'"),
        (Choice(("swinv2",), wrap="act:"), "'act' has no option ''"),
    ],
)
def test_an_option_that_a_block_does_not_have_is_refused(choice: Choice, message: str) -> None:
    with pytest.raises(BlockChoiceError, match=message):
        choice.apply(NANO.transform)


@pytest.mark.parametrize("key", [key for key in block_names() if block_row(key).options])
def test_the_first_value_of_an_option_is_the_default_and_the_others_make_another_block(key: str) -> None:
    for name, values in block_row(key).options.items():
        forms = [f"{key}:{name}={str(value).lower()}" for value in values]
        plain, *others = (repr(state(create_block(form, 16, 2))) for form in [key, *forms])
        assert others[0] == plain
        assert plain not in others[1:]


def state(net: nn.Module) -> tuple[object, ...]:
    """Its parts, and what they remember that is no tensor."""
    return tuple(
        (type(m), {k: v for k, v in vars(m).items() if isinstance(v, (bool, str, int, float, tuple))})
        for m in net.modules()
    )


def test_another_spelling_of_a_name_gives_the_same_row() -> None:
    assert config("nano+gate=eca+block=halo") == variant(NANO, ("halo",), gate="eca")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(("eca",)), "'eca' is a gate"),
        (Choice(("mlp",)), "'mlp' is a mlp"),
        (Choice(mlp="halo"), "'halo' is a mixer"),
        (Choice(gate="conv_glu"), "'conv_glu' is a mlp"),
        (Choice(("halo",), wrap="eca"), "'eca' is a gate"),
        (Choice(wrap="act"), "which 'bottleneck' lacks"),
        (Choice(("halo", "halo")), "2 blocks for three stages"),
        (Choice(()), "0 blocks for three stages"),
    ],
)
def test_a_block_of_another_kind_is_refused(choice: Choice, message: str) -> None:
    with pytest.raises(BlockChoiceError, match=message):
        choice.apply(NANO.transform)


def test_an_unknown_key_and_an_unknown_word_are_refused() -> None:
    with pytest.raises(BlockChoiceError, match="'lstm'"):
        variant(NANO, ("lstm",))
    for name in ("nano+depth=3", "nano+", "nano+block=halo+"):
        with pytest.raises(UnknownConfigError, match="the options are block="):
            config(name)
    with pytest.raises(UnknownConfigError, match="'micro'"):
        config("micro+block=halo")


def test_what_differs_in_nothing_has_no_suffix() -> None:
    assert suffix(NANO.transform, NANO.transform) == ""
    assert parse(["block=a,b,c", "mlp=d"]) == Choice(("a", "b", "c"), "d")


def test_a_group_is_built_of_what_was_chosen() -> None:
    row = variant(NANO, ("halo",), gate="eca").transform
    group = residual_group(row, 2)
    assert [type(block) for block in group.blocks] == [Layer] * NANO.transform.depths[2]
    assert all(isinstance(block.attn, Halo) and isinstance(block.mlp, Mlp) for block in group.blocks)
    assert [type(gate).__name__ for gate in group.gates] == ["Eca"] * NANO.transform.depths[2]
    assert not [name for name in residual_group(NANO.transform, 2).state_dict() if name.startswith("gates")]


def test_a_stage_may_name_its_blocks_one_by_one() -> None:
    row = variant(NANO, ("bottleneck", "bottleneck", "2*bottleneck/residual_pair/swinv2"))
    assert row.transform.keys(2) == ("bottleneck", "bottleneck", "residual_pair", "swinv2")
    assert row.transform.depths == (0, 3, 4)
    assert row.name == "nano+block=bottleneck,bottleneck,2*bottleneck/residual_pair/swinv2"
    assert config(row.name) == row
    kinds = [type(block).__name__ for block in residual_group(row.transform, 2).blocks]
    assert kinds == ["Bottleneck", "Bottleneck", "ResidualPair", "Layer"]


def test_a_stage_of_another_depth_than_its_sequence_is_refused() -> None:
    row = replace(NANO.transform, blocks=("bottleneck", "bottleneck", "2*bottleneck/swinv2"))
    with pytest.raises(BlockChoiceError, match="names 3 blocks for a stage of 6"):
        Choice(gate="eca").apply(row)


def test_a_count_that_is_no_number_is_no_key() -> None:
    with pytest.raises(BlockChoiceError, match=r"no block 'x\*swinv2'"):
        variant(NANO, ("x*swinv2",))
