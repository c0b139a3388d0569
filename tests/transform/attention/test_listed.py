"""The choice of keys and attention over the chosen: what the hard blocks have in common."""

from __future__ import annotations

import pytest
import torch

from s2lic.errors import MapTooLargeError
from s2lic.kernels import gather
from s2lic.kernels.listed_attention import listed_attention
from s2lic.transform.attention.listed import best, check_places, dense_weights, exactly
from tests.references.blocks import draw


def test_of_equal_scores_the_lowest_index_wins() -> None:
    scores = torch.tensor([[1.0, 3, 3, 1, 3, 1], [0, 0, 0, 0, 0, 0]])
    assert best(scores, 4).tolist() == [[1, 2, 4, 0], [0, 1, 2, 3]]
    many = (100 * draw(5, 3000)).round()
    for row, found in zip(many.tolist(), best(many, 700).tolist(), strict=True):
        assert found == sorted(range(3000), key=lambda i: (-row[i], i))[:700]


@pytest.mark.parametrize("part", [1, 2**24])
@pytest.mark.parametrize("heads", [1, 2])
@torch.no_grad()
def test_it_is_attention_with_all_unlisted_and_unseen_keys_at_minus_infinity(
    part: int, heads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "PART", part)
    q, k, v = (draw(2, 2, cells, n, 3, seed=s) for cells, n, s in ((4, 5, 1), (6, 7, 2), (6, 7, 3)))
    index = torch.stack(
        [torch.randperm(6, generator=torch.Generator().manual_seed(s))[:3] for s in range(2 * heads * 4)]
    )
    index = index.view(2, heads, 4, 3)
    index[0, 0, 1, 1:], index[1, 0, 2, 2] = -1, -1
    seen = draw(6, 7, seed=5) > -1
    assert not seen.all()
    hidden = torch.full((2, heads, 4, 6), True)
    for at in (index >= 0).nonzero().tolist():
        hidden[(*at[:3], index[tuple(at)])] = False
    hidden = (hidden.unsqueeze(-1) | ~seen).flatten(3).unsqueeze(3)
    logits = q @ k.flatten(2, 3).transpose(2, 3).unsqueeze(2) / 3**0.5
    expected = torch.softmax(logits.masked_fill(hidden, -torch.inf), dim=-1) @ v.flatten(2, 3).unsqueeze(2)
    torch.testing.assert_close(listed_attention(q, k, v, index, seen), expected, rtol=0, atol=1e-10)
    single = listed_attention(q.float(), k.float(), v.float(), index, seen)
    torch.testing.assert_close(single, expected.float(), rtol=0, atol=1e-5)


@torch.no_grad()
def test_what_is_not_listed_is_never_read() -> None:
    q, k, v = (draw(1, 2, 4, 5, 3, seed=s) for s in (1, 2, 3))
    index = torch.tensor([2, -1]).expand(1, 1, 4, 2)
    clean = listed_attention(q, k, v, index)
    k[:, :, [0, 1, 3]] = v[:, :, [0, 1, 3]] = torch.nan
    assert torch.equal(listed_attention(q, k, v, index), clean)


@torch.no_grad()
def test_dense_weights_come_in_parts_that_make_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k = draw(2, 2, 5, 3, 4), draw(2, 2, 9, 4, seed=2)
    monkeypatch.setattr(gather, "PART", 2 * 2 * 3 * 9 * 2)
    found = [weights for _, weights in dense_weights(q, k)]
    assert [w.shape[2] for w in found] == [2, 2, 1]
    expected = torch.softmax(q @ k.transpose(2, 3).unsqueeze(2) / 2, dim=-1)
    torch.testing.assert_close(torch.cat(found, dim=2), expected, rtol=0, atol=1e-10)


def test_exact_products_know_no_autocast() -> None:
    a = torch.randn(4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert (a @ a).dtype == torch.bfloat16
        with exactly(a):
            assert (a @ a).dtype == torch.float32
        assert (a @ a).dtype == torch.bfloat16


def test_exact_products_know_no_tf32_and_leave_the_setting_as_it_was() -> None:
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32
    try:
        for allowed in (True, False):
            matmul.allow_tf32 = allowed
            with exactly(torch.zeros(1)):
                assert not matmul.allow_tf32
            assert matmul.allow_tf32 == allowed
    finally:
        matmul.allow_tf32 = before


def test_a_map_beyond_the_limit_is_refused_by_name() -> None:
    check_places("halo", 10, 10, 100)
    with pytest.raises(MapTooLargeError, match="'halo' takes maps of up to 100 places and this one has 101"):
        check_places("halo", 1, 101, 100)
