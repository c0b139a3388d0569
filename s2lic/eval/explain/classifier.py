"""The relevance of pixels for one class of a classifier (Li et al. 2017, step 1)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import is_zipfile

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from s2lic.coding.networks import to_tensor
from s2lic.errors import InputMissingError, UsageError
from s2lic.eval.explain.lrp import Rules, relevance


@dataclass(frozen=True)
class Classifier:
    """A network from (1, 3, H, W) in [0, 1] to logits (1, classes). `size` is its H and W, 0 for any."""

    net: nn.Module
    size: tuple[int, int]


@dataclass(frozen=True)
class Judged:
    """A class, its logit, and the relevance of each pixel (H, W)."""

    label: int
    logit: float
    pixels: Tensor

    @property
    def kept(self) -> float:
        """The share of the logit that reaches the pixels. Biases and the stabiliser absorb the rest.

        Biases can absorb a negative amount, or more than all, so the share can lie outside 0 to 1.
        """
        return float(self.pixels.sum()) / self.logit


def open_classifier(path: Path) -> Classifier:
    """Opens a file of `torch.export.save`. Nothing in it is run but the operators of the network.

    Raises InputMissingError, and UsageError for another kind of file or a network that takes no pictures.
    """
    if not path.is_file():
        raise InputMissingError(f"{path} cannot be opened")
    refused = f"{path} is not a file written by torch.export.save"
    if not is_zipfile(path):
        raise UsageError(refused)
    try:
        program = torch.export.load(path)
    except (RuntimeError, ValueError, KeyError, OSError, AssertionError) as error:
        raise UsageError(f"{refused}: {error}") from error
    shapes = {node.name: node.meta["val"].shape for node in program.graph.nodes if node.op == "placeholder"}
    inputs = [shapes[name] for name in program.graph_signature.user_inputs if isinstance(name, str)]
    if len(inputs) != 1 or len(inputs[0]) != 4 or inputs[0][1] != 3:
        raise UsageError(f"{path} takes {[tuple(shape) for shape in inputs]}, not one picture (1, 3, H, W)")
    height, width = (side if isinstance(side, int) else 0 for side in inputs[0][2:])
    return Classifier(program.module().requires_grad_(False), (height, width))


def judge(classifier: Classifier, picture: Image.Image, label: int | None = None, rules: Rules | None = None) -> Judged:
    """Traces the logit of a class back to the pixels of an RGB picture. Without `label`, the most likely class.

    The picture is scaled to the size of the network. Raises UsageError for an unknown class, and for a network that
    does not take the picture or returns no logits.
    """
    x = to_tensor(picture)
    size = (classifier.size[0] or x.shape[2], classifier.size[1] or x.shape[3])
    seen = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
    logits = _logits(classifier.net, seen)
    wanted = int(logits.argmax()) if label is None else label
    if not 0 <= wanted < len(logits):
        raise UsageError(f"there is no class {wanted}: the classifier knows 0 to {len(logits) - 1}")
    only = torch.zeros_like(logits).index_fill(0, torch.tensor(wanted), 1.0)
    found = relevance(classifier.net, seen, lambda out: out * only, rules or Rules())[0].sum(0)
    return Judged(wanted, float(logits[wanted]), _spread(found, (x.shape[2], x.shape[3])))


@torch.no_grad()
def _logits(net: nn.Module, x: Tensor) -> Tensor:
    try:
        out = net(x)
    except (RuntimeError, AssertionError) as error:
        size = f"{x.shape[3]} x {x.shape[2]}"
        raise UsageError(f"the classifier does not take a picture of {size}: {error}") from error
    if not isinstance(out, Tensor) or out.dim() != 2 or len(out) != 1:
        raise UsageError("the classifier does not return logits (1, classes)")
    return out[0]


def _spread(found: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes the map and keeps its sum."""
    scaled = F.interpolate(found[None, None], size, mode="bilinear", align_corners=False)[0, 0]
    return scaled * (found.numel() / scaled.numel())
