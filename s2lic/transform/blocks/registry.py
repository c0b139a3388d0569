"""The registry of blocks: all that `create_block` can build, by key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from s2lic.errors import BlockChoiceError
from s2lic.transform.blocks.aaren_scan import AarenScan
from s2lic.transform.blocks.act import Act
from s2lic.transform.blocks.agg_attention import AggAttention
from s2lic.transform.blocks.base_conv import BaseConv
from s2lic.transform.blocks.bottleneck import Bottleneck
from s2lic.transform.blocks.conv_glu import ConvGlu
from s2lic.transform.blocks.davit_channel import DavitChannel
from s2lic.transform.blocks.davit_dual import DavitDual
from s2lic.transform.blocks.dhsa import Dhsa
from s2lic.transform.blocks.eca import Eca
from s2lic.transform.blocks.gated_cnn import GatedCnn
from s2lic.transform.blocks.halo import Halo
from s2lic.transform.blocks.little_attention import LittleAttention
from s2lic.transform.blocks.magnet import magnet
from s2lic.transform.blocks.mlp import Mlp
from s2lic.transform.blocks.p_adapter import PAdapter
from s2lic.transform.blocks.pointer_copy import PointerCopy
from s2lic.transform.blocks.recycled import Recycled
from s2lic.transform.blocks.residual_pair import ResidualPair
from s2lic.transform.blocks.routing import Routing
from s2lic.transform.blocks.seer_gate import SeerGate
from s2lic.transform.blocks.sentence_gate import SentenceGate
from s2lic.transform.blocks.sigmoid_window import sigmoid_window
from s2lic.transform.blocks.sink_filter import SinkFilter
from s2lic.transform.blocks.swinv2 import WindowAttention
from s2lic.transform.blocks.tools import TOOLS


@dataclass(frozen=True)
class BlockRow:
    """One selectable block.

    Args:
        key: Its name.
        paper: Where it was published.
        kind: The part of a layer that it replaces (mixer, mixer_mlp, mlp), or gate, or wrapper.
        selection: "hard" if it selects by comparison, so that a rounding error can change the output abruptly.
        field: The receptive field of an output.
        make: Builds it from dim, the sizes in `takes`, and options. For a wrapper, it builds the rule.
        takes: The names of the sizes that `make` takes.
        needs_cond: Whether it reads the quality from the context.
        whole_map: Whether it depends on statistics of the whole map, so that tiles change the output.
        shifted: Whether every other block of a group has its windows shifted by half.
        numbered: Whether `make` takes the number of the block in its group as `step`.
        softmax: Whether its attention is a `Softmax` rule, which a wrapper can replace.
        late: Whether a wrapper goes only around the last third of a group.
        options: Variants that a key can name, as in `dhsa:boundary=learned`. The first value is the default.
    """

    key: str
    paper: str
    kind: str
    selection: str
    field: str
    make: Callable[..., nn.Module]
    takes: tuple[str, ...] = ()
    needs_cond: bool = False
    whole_map: bool = False
    shifted: bool = False
    numbered: bool = False
    softmax: bool = False
    late: bool = False
    options: Mapping[str, tuple[object, ...]] = dataclasses.field(default_factory=dict)


WINDOWS = ("heads", "window")
WRAPPED = "swinv2"  # the block inside a wrapper that is built alone
YES = (False, True)
SCALES = {"scale": ("cosine", "paper")}
ROWS = {
    row.key: row
    for row in (
        BlockRow(
            "swinv2", "Liu et al. 2022, Swin Transformer V2, arXiv 2111.09883", "mixer", "smooth", "window",
            WindowAttention, WINDOWS, shifted=True, softmax=True,
        ),
        BlockRow(
            "bottleneck", "He et al. 2022, ELIC, arXiv 2203.10886", "mixer_mlp", "smooth", "3x3",
            Bottleneck,
        ),
        BlockRow(
            "residual_pair", "Lim et al. 2017, EDSR, arXiv 1707.02921", "mixer_mlp", "smooth", "5x5",
            ResidualPair,
        ),
        BlockRow(
            "eca", "Wang et al. 2020, ECA-Net, arXiv 1910.03151", "gate", "smooth", "channels, mean of the map",
            Eca, whole_map=True,
        ),
        BlockRow(
            "sentence_gate", "Khoshsirat and Kambhamettu 2023, Sentence Attention Blocks, arXiv 2309.11593", "gate",
            "smooth", "one place, and the quality", SentenceGate, ("condition",), needs_cond=True,
            options={"gate": ("softmax", "sigmoid2"), "use_image": YES, "dropout": (0.1, 0.0, 0.3)},
        ),
        BlockRow(
            "little_attention", "after Eisenbach et al. 2023, A Little Bit Attention, arXiv 2302.14574", "gate",
            "smooth", "channels, mean of the map", LittleAttention, whole_map=True,
        ),
        BlockRow(
            "gated_cnn", "Yu and Wang 2025, MambaOut, arXiv 2405.07992", "mixer_mlp", "smooth", "7x7",
            GatedCnn,
        ),
        BlockRow(
            "halo", "Vaswani et al. 2021, HaloNet, arXiv 2103.12731", "mixer", "smooth", "window and 3 around it",
            Halo, WINDOWS, softmax=True,
        ),
        BlockRow(
            "sigmoid_window", "Ramapuram et al. 2025, sigmoid self-attention, arXiv 2409.04431", "mixer", "smooth",
            "window", sigmoid_window, WINDOWS, shifted=True, options={"hybrid_norm": YES},
        ),
        BlockRow(
            "base_conv", "Arora et al. 2024, Zoology, arXiv 2312.04927", "mixer", "smooth", "7x7, or the map",
            BaseConv, options={"long": YES, "kernel": (7, 3)},
        ),
        BlockRow(
            "davit_channel", "Ding et al. 2022, DaViT, arXiv 2204.03645", "mixer", "smooth", "the map",
            DavitChannel, ("heads",), whole_map=True, options=SCALES,
        ),
        BlockRow(
            "davit_dual", "Ding et al. 2022, DaViT, arXiv 2204.03645", "mixer", "smooth", "7x7 window, then the map",
            DavitDual, ("heads",), whole_map=True, softmax=True, options=SCALES,
        ),
        BlockRow(
            "aaren_scan", "Feng et al. 2024, Attention as an RNN, arXiv 2405.13956", "mixer", "smooth",
            "its row and column", AarenScan, ("heads",), whole_map=True,
        ),
        BlockRow(
            "magnet", "Kukleva et al. 2025, RefAM, arXiv 2509.22650", "mixer", "smooth", "window",
            magnet, WINDOWS, shifted=True,
        ),
        BlockRow(
            "routing", "Roy et al. 2021, Routing Transformer, arXiv 2003.05997", "mixer", "hard",
            "window, and what is alike", Routing, WINDOWS, whole_map=True,
        ),
        BlockRow(
            "seer_gate", "Gao et al. 2024, SeerAttention, arXiv 2410.13276", "mixer", "hard",
            "8 cells of the map", SeerGate, WINDOWS, whole_map=True,
        ),
        BlockRow(
            "dhsa", "Xiong et al. 2025, DHSA, arXiv 2510.24606", "mixer", "hard",
            "itself and 512 places of the map", Dhsa, ("heads",), whole_map=True,
            options={"boundary": ("cosine", "learned")},
        ),
        BlockRow(
            "recycled", "Xu et al. 2024, Recycled Attention, arXiv 2411.05787", "mixer", "hard",
            "the map, or 256 places of it", Recycled, WINDOWS, whole_map=True, numbered=True,
        ),
        BlockRow(
            "pointer_copy", "Vinyals et al. 2015, Pointer Networks, arXiv 1506.03134", "mixer", "hard",
            "window, and the map pooled", PointerCopy, ("window",), whole_map=True,
        ),
        BlockRow(
            "agg_attention", "Shi 2024, TransNeXt, arXiv 2311.17132", "mixer", "smooth", "3x3, and the map pooled",
            AggAttention, ("heads",), whole_map=True,
        ),
        BlockRow(
            "mlp", "Vaswani et al. 2017, Attention Is All You Need, arXiv 1706.03762", "mlp", "smooth", "one place",
            Mlp,
        ),
        BlockRow(
            "conv_glu", "Shi 2024, TransNeXt, arXiv 2311.17132", "mlp", "smooth", "3x3",
            ConvGlu,
        ),
        BlockRow(
            "act", "Yu et al. 2024, ACT, arXiv 2406.15765", "wrapper", "hard", "as what it wraps",
            Act, ("heads",),
        ),
        BlockRow(
            "sink_filter", "Kukleva et al. 2025, RefAM, arXiv 2509.22650", "wrapper", "hard", "as what it wraps",
            SinkFilter, ("heads",), late=True, options={"mode": ("suppress", "redirect")},
        ),
        BlockRow(
            "p_adapter", "Wu et al. 2024, p-adapter, arXiv 2312.10613", "wrapper", "smooth", "as what it wraps",
            PAdapter, ("heads",),
        ),
    )
}  # fmt: skip


def block_names() -> tuple[str, ...]:
    """The keys that `create_block` accepts."""
    return tuple(ROWS)


def block_row(key: str) -> BlockRow:
    """The row of a key, with or without options. Raises BlockChoiceError for an unknown key or one of a tool."""
    key = key.partition(":")[0]
    if key in TOOLS:
        raise BlockChoiceError(f"'{key}' is a tool, not a block; run it with `{TOOLS[key].command}`")
    if key not in ROWS:
        raise BlockChoiceError(f"no block '{key}'; there are {', '.join(ROWS)}")
    return ROWS[key]


def options_of(key: str) -> dict[str, object]:
    """The options in a key, after its name. Raises BlockChoiceError."""
    row, found = block_row(key), {}
    for word in key.split(":")[1:]:
        name, _, text = word.partition("=")
        values = {str(value).lower(): value for value in row.options.get(name, ())}
        if text not in values:
            known = [f"{name}={'|'.join(str(v).lower() for v in values)}" for name, values in row.options.items()]
            raise BlockChoiceError(f"'{row.key}' has no option '{word}'; its options are: {', '.join(known) or 'none'}")
        found[name] = values[text]
    return found


def create_block(
    key: str, dim: int, heads: int = 1, window: int = 8, wrap: str = "", condition: int = 0, **options: object
) -> nn.Module:
    """Builds a block: a module from (B, dim, H, W) to the same shape, for any H and W.

    A mixer returns what a layer adds to its input; a mixer_mlp and a gate return the new features.

    Args:
        key: The key of a block, with options or without: `dhsa:boundary=learned`. A wrapper is built around `swinv2`.
        dim: Channels.
        heads: Heads of attention.
        window: Height and width of a window.
        wrap: The key of a wrapper to put around a mixer with softmax attention.
        condition: How many numbers of the user's condition a conditioned gate reads.
        options: Further options; they override those in the key.

    Raises:
        BlockChoiceError: No block has that key, or the wrapper does not fit it.
    """
    row, sizes = block_row(key), {"heads": heads, "window": window, "condition": condition}
    if row.kind == "wrapper":
        return create_block(WRAPPED, dim, heads, window, key, condition, **options)
    options = options_of(key) | options
    if wrap:
        check_wrap(key, wrap)
        options["rule"] = block_row(wrap).make(dim, heads, **options_of(wrap))
    return row.make(dim, **{name: sizes[name] for name in row.takes}, **options)


def check_wrap(key: str, wrap: str) -> None:
    """Raises BlockChoiceError unless `wrap` is a wrapper that fits around the block."""
    if block_row(wrap).kind != "wrapper":
        raise BlockChoiceError(f"'{wrap}' is a {block_row(wrap).kind}, not a wrapper")
    if not block_row(key).softmax:
        able = wrappable()
        raise BlockChoiceError(f"'{wrap}' needs a block with softmax attention, which '{key}' lacks; use one of {able}")


def wrappable() -> str:
    """The keys of the blocks that accept a wrapper, for a message."""
    return ", ".join(row.key for row in ROWS.values() if row.softmax)
