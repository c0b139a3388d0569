"""Numbers with commas between."""

from __future__ import annotations

import pytest

from s2lic.cli.options import counts, decimals
from s2lic.errors import UsageError


def test_decimals_come_sorted_and_once_and_counts_as_they_were_given() -> None:
    assert decimals("--qualities", "50, 7.5,50") == [7.5, 50.0]
    assert counts("--sizes", "512,256,512") == [512, 256, 512]


@pytest.mark.parametrize("text", ["", "1,,2", "ten", "1;2"])
def test_what_is_no_number_is_refused_with_the_option_s_name(text: str) -> None:
    for parse, what in ((decimals, "numbers"), (counts, "whole numbers")):
        with pytest.raises(UsageError, match=f"--x takes {what} separated by commas, not {text!r}"):
            parse("--x", text)


@pytest.mark.parametrize("text", ["0", "1,-2"])
def test_counts_begin_at_one(text: str) -> None:
    with pytest.raises(UsageError, match="from 1 up"):
        counts("--x", text)
