"""A class of a user's own net goes back to the pixels that make it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from s2lic.errors import InputMissingError, UsageError
from s2lic.eval.explain.classifier import Classifier, judge, open_classifier
from s2lic.eval.explain.lrp import Rules, relevance
from tests.cli.conftest import Result, run

__all__ = ["run"]
SIDE = 16


class Colours(nn.Module):
    """Logits: how red, how green and how blue a picture is, without a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        self.conv.weight.data.zero_()
        for i in range(3):
            self.conv.weight.data[i, i, 1, 1] = 1 + i

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x)).mean((2, 3))


class Mixed(nn.Module):
    """One of each kind of operator that relevance has a rule for."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.last = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        t = self.norm(nn.functional.gelu(self.conv(x)).flatten(2).transpose(1, 2))
        t = t + nn.functional.scaled_dot_product_attention(t, t, t)
        t = t * torch.sigmoid(t) + torch.softmax(t @ t.transpose(1, 2), -1) @ t
        return self.last(t.mean(1))


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nets") / "colours.pt2"
    torch.export.save(torch.export.export(Colours().eval(), (torch.rand(1, 3, SIDE, SIDE),)), path)
    return path


def flag() -> Image.Image:
    """Red at the left, blue at the right, of twice the size that the net takes."""
    image = Image.new("RGB", (2 * SIDE, 2 * SIDE), (255, 0, 0))
    image.paste((0, 0, 200), (SIDE, 0, 2 * SIDE, 2 * SIDE))
    return image


def test_a_class_is_relevant_where_it_is_seen_and_its_logit_is_conserved(colours: Path) -> None:
    net = open_classifier(colours)
    assert net.size == (SIDE, SIDE)
    likeliest, red = (judge(net, flag(), label, Rules(1e-6)) for label in (None, 0))
    assert (likeliest.label, red.label) == (2, 0)
    assert red.pixels.shape == (2 * SIDE, 2 * SIDE)
    assert red.logit == pytest.approx(0.5, abs=0.02)
    assert red.kept == pytest.approx(1, abs=1e-4)
    assert float(red.pixels[:, : SIDE - 2].sum()) > 0.8 * red.logit
    assert float(likeliest.pixels[:, SIDE + 2 :].sum()) > 0.8 * likeliest.logit


def test_an_exported_net_has_the_relevance_of_the_net_itself() -> None:
    torch.manual_seed(0)
    net, x = Mixed().double().eval().requires_grad_(False), torch.rand(1, 3, 12, 8, dtype=torch.float64)
    exported = torch.export.export(net, (x,)).module().requires_grad_(False)
    only = torch.tensor([[0.0, 0, 1, 0, 0]], dtype=torch.float64)
    own, other = (relevance(m, x, lambda out: out * only, Rules()) for m in (net, exported))
    torch.testing.assert_close(other, own, rtol=0, atol=1e-12)
    assert own.abs().sum() > 1e-3


def test_what_is_no_classifier_of_pictures_is_refused(colours: Path, tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=r"nothing\.pt2 cannot be opened"):
        open_classifier(tmp_path / "nothing.pt2")
    (tmp_path / "a.pt2").write_bytes(b"no net")
    with ZipFile(tmp_path / "b.pt2", "w") as archive:
        archive.writestr("note.txt", "no net either")
    for name in ("a.pt2", "b.pt2"):
        with pytest.raises(UsageError, match=r"not a file written by torch\.export\.save"):
            open_classifier(tmp_path / name)
    with pytest.raises(UsageError, match="no class 3: the classifier knows 0 to 2"):
        judge(open_classifier(colours), flag(), 3)
    with pytest.raises(UsageError, match="does not return logits"):
        judge(Classifier(nn.Identity(), (8, 8)), flag())
    with pytest.raises(UsageError, match="does not take a picture of 8 x 8"):
        judge(Classifier(nn.Linear(3, 3), (8, 8)), flag())
    torch.export.save(torch.export.export(nn.Linear(3, 3), (torch.rand(1, 3),)), tmp_path / "linear.pt2")
    with pytest.raises(UsageError, match=r"takes \[\(1, 3\)\], not one picture"):
        open_classifier(tmp_path / "linear.pt2")


def test_the_command_explains_a_class_and_its_map_is_one_of_regions(run: Callable[..., Result], colours: Path) -> None:
    flag().save("flag.png")
    words = ("explain", "flag.png", "--target", "logit", "--classifier", colours)
    facts = json.loads(run(*words, "--class", "0", "--plain", "-o", "red.png", "--json").out)
    assert (facts["target"], facts["class"]) == ("logit", 0)
    with Image.open("red.png") as image:
        assert image.getpixel((4, SIDE)) > image.getpixel((2 * SIDE - 4, SIDE))  # type: ignore[operator]
    for odd in (("--show", "bits"), ("--class", "7")):
        assert run(*words, *odd, "-o", "b.png").code == 2
    assert run("explain", "flag.png", "--target", "logit").code == 2
    assert run("explain", "flag.png", "--class", "1").code == 2
    assert not Path("b.png").exists()
