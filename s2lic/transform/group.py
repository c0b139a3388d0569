"""The residual group of blocks, of which g_a and g_s consist (RS2TB in S2LIC, section III-B).

A mixer and an MLP form one block, with norms after the branches (Liu et al. 2022, Swin V2, figure 1).
"""

from __future__ import annotations

from torch import Tensor, nn

from s2lic.transform.blocks.registry import block_row, create_block
from s2lic.transform.config import TransformRow
from s2lic.transform.context import Context, apply


class Layer(nn.Module):
    """x + LN(mixer(x)), then x + LN(mlp(x)), on (B, C, H, W)."""

    in_context = True

    def __init__(self, dim: int, mixer: nn.Module, mlp: nn.Module) -> None:
        super().__init__()
        self.attn = mixer  # the name in weights files
        self.norm1 = nn.LayerNorm(dim)
        self.mlp = mlp
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        x = x + _over_channels(self.norm1, apply(self.attn, x, context or Context()))
        return x + _over_channels(self.norm2, self.mlp(x))


def _over_channels(norm: nn.Module, x: Tensor) -> Tensor:
    return norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]


class ResidualGroup(nn.Module):
    """x + block_n(... block_1(x)) on (B, C, H, W), with a gate after each block if there are gates."""

    def __init__(self, blocks: list[nn.Module], gates: list[nn.Module] | None = None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.gates = nn.ModuleList(gates or [nn.Identity() for _ in blocks])

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        features, own = x, (context or Context()).of_group()
        for block, gate in zip(self.blocks, self.gates, strict=True):
            features = apply(gate, apply(block, features, own), own)
        return x + features


def residual_group(row: TransformRow, stage: int, condition: int = 0) -> ResidualGroup:
    """Builds the group of a stage: 0 to 2 for strides 2, 4, 8. Its gates read `condition` numbers of the user's."""
    count, dim = row.depths[stage], row.widths[stage]
    gates = [create_block(row.gate, dim, condition=condition) for _ in range(count)] if row.gate else None
    return ResidualGroup([block(row, stage, index) for index in range(count)], gates)


def block(row: TransformRow, stage: int, index: int) -> nn.Module:
    """Builds block number `index` of a stage: a layer of mixer and MLP, or a block that is both."""
    dim, key = row.widths[stage], row.keys(stage)[index]
    found = block_row(key)
    place = {"shift": row.window // 2 * (index % 2)} if found.shifted else {}
    place |= {"step": index} if found.numbered else {}
    wrap = row.wrap if found.kind == "mixer" and _wraps(row, stage, index) else ""
    made = create_block(key, dim, row.heads[stage], row.window, wrap, **place)
    if found.kind == "mixer_mlp":
        return made
    return Layer(dim, made, create_block(row.mlp, dim, ratio=row.mlp_ratio))


def _wraps(row: TransformRow, stage: int, index: int) -> bool:
    return row.wrap != "" and (not block_row(row.wrap).late or index >= 2 * row.depths[stage] // 3)
