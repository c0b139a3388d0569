"""A mixer and an MLP as one block, with norms behind the branches (Liu et al. 2022, Swin V2, figure 1)."""

from __future__ import annotations

from torch import Tensor, nn

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
