"""From samples to curves."""

from __future__ import annotations

import pytest

from s2lic.errors import UsageError
from s2lic.eval.curves import comparisons, known_baseline, mean_curve, usual_baselines
from s2lic.eval.records import Sample


def sample(picture: str, quality: float, bpp: float, msssim: float | None = 0.9, mib: float | None = 1.0) -> Sample:
    return Sample(
        "jpeg", quality, picture, 100, bpp, 10 * bpp, msssim, None, bpp, 2 * bpp, mib, mib, "file", "a machine"
    )


def test_a_point_is_the_mean_of_values_the_median_of_times_and_the_most_memory() -> None:
    samples = [sample(name, 5.0, bpp, mib=bpp) for name, bpp in (("a", 1.0), ("b", 2.0), ("c", 6.0))]
    (point,) = mean_curve("jpeg", "JPEG", "", samples, [5.0]).points
    assert (point.quality, point.bpp, point.psnr, point.msssim) == (5.0, 3.0, 30.0, pytest.approx(0.9))
    assert (point.encode_s, point.decode_s, point.encode_mib) == (2.0, 4.0, 6.0)


def test_what_one_picture_has_no_value_of_has_no_mean() -> None:
    samples = [sample("a", 5.0, 1.0), sample("b", 5.0, 1.0, msssim=None, mib=None)]
    (point,) = mean_curve("jpeg", "JPEG", "", samples, [5.0]).points
    assert point.msssim is point.encode_mib is point.msssim_db is None


def test_points_stand_in_order_of_their_rate_whatever_the_scale_of_quality() -> None:
    samples = [sample("a", qp, bpp) for qp, bpp in ((22.0, 2.0), (27.0, 1.0), (32.0, 0.5))]
    found = mean_curve("vtm", "VTM", "", samples, [22.0, 27.0, 32.0])
    assert [point.quality for point in found.points] == [32.0, 27.0, 22.0]


def test_a_picture_that_failed_at_one_quality_counts_at_none() -> None:
    samples = [sample("a", 5.0, 1.0), sample("a", 9.0, 2.0), sample("b", 5.0, 9.0)]
    found = mean_curve("jpeg", "JPEG", "", samples, [5.0, 9.0])
    assert found.pictures == ("a",)
    assert [point.bpp for point in found.points] == [1.0, 2.0]


def test_no_picture_gives_a_curve_without_points() -> None:
    assert mean_curve("jpeg", "JPEG", "", [], [5.0]).points == ()


def test_a_name_is_the_measured_codec_unless_published_is_said() -> None:
    assert known_baseline("jpeg", ["jpeg"]) == "jpeg"
    assert known_baseline("published:jpeg", ["jpeg"]) == "published:jpeg"
    assert known_baseline("jpeg", ["s2lic"]) == "published:jpeg"
    with pytest.raises(UsageError, match="nonsense"):
        known_baseline("nonsense", ["jpeg"])


def test_unless_named_the_baselines_are_the_second_codec_and_on_kodak_vtm_before_it() -> None:
    assert usual_baselines(["s2lic", "avif", "jpeg"], kodak=True) == ["published:vtm", "avif"]
    assert usual_baselines(["s2lic", "avif"], kodak=False) == ["avif"]
    assert usual_baselines(["s2lic"], kodak=False) == []


def test_curves_over_other_pictures_are_not_compared() -> None:
    ours = mean_curve("jpeg", "JPEG", "", [sample("a", q, q) for q in (1.0, 2.0)], [1.0, 2.0])
    theirs = mean_curve("webp", "WebP", "", [sample("b", q, q) for q in (1.0, 2.0)], [1.0, 2.0])
    for found in comparisons([ours, theirs], ["webp"], {"a", "b"}, kodak=False):
        assert "not all the same" in found.reason
