"""What holds for every wrapper around every attention that can have one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from s2lic.errors import BlockChoiceError
from s2lic.model import CONFIGS, variant
from s2lic.transform import window
from s2lic.transform.blocks import block_names, block_row, create_block
from tests.references.blocks import draw, made

WRAPPERS = [key for key in block_names() if block_row(key).kind == "wrapper"]
ABLE = [key for key in block_names() if block_row(key).softmax]
every_pair = pytest.mark.parametrize(("key", "wrap"), [(key, wrap) for key in ABLE for wrap in WRAPPERS])


def peaked(key: str, wrap: str) -> nn.Module:
    """Attention so sharp that there are sinks."""
    net = made(key, wrap=wrap)
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if "qkv" in name and name.endswith("weight"):
                weight.mul_(4)
    return net


@every_pair
@pytest.mark.parametrize(("height", "width"), [(13, 9), (1, 1)])
@torch.no_grad()
def test_what_stands_in_the_padding_never_changes_a_bit_under_a_wrapper(
    key: str, wrap: str, height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, x = peaked(key, wrap), draw(1, 16, height, width)
    clean = net(x)
    monkeypatch.setattr(window, "FILL", 1e6)
    assert torch.equal(net(x), clean)


@pytest.mark.parametrize("key", ABLE)
@torch.no_grad()
def test_act_acts_in_the_codec_blocks(key: str) -> None:
    plain, wrapped, x = peaked(key, ""), peaked(key, "act"), draw(1, 16, 24, 24)
    assert not torch.equal(plain(x), wrapped(x))


def test_a_wrapper_alone_stands_around_swinv2() -> None:
    assert type(create_block("act", 16, 2)) is type(create_block("swinv2", 16, 2))
    assert (
        create_block("act", 16, 2).state_dict().keys() == create_block("swinv2", 16, 2, wrap="act").state_dict().keys()
    )


@pytest.mark.parametrize("key", [key for key in block_names() if key not in ABLE and key not in WRAPPERS])
def test_what_has_no_rows_of_weights_refuses_a_wrapper(key: str) -> None:
    with pytest.raises(BlockChoiceError, match=r"which .* lacks; use one of swinv2, halo"):
        create_block(key, 16, 2, wrap="act")


def test_only_a_wrapper_wraps() -> None:
    with pytest.raises(BlockChoiceError, match="'eca' is a gate, not a wrapper"):
        create_block("swinv2", 16, 2, wrap="eca")


def test_a_row_is_wrapped_where_every_mixer_can_be_and_there_is_one() -> None:
    small, nano = CONFIGS["small"], CONFIGS["nano"]
    assert variant(small, ("bottleneck", "swinv2", "halo"), wrap="act").name.endswith("+wrap=act")
    with pytest.raises(BlockChoiceError, match="'bottleneck'"):
        variant(nano, wrap="act")
    with pytest.raises(BlockChoiceError, match="'sigmoid_window'"):
        variant(small, ("swinv2", "sigmoid_window", "halo"), wrap="act")
