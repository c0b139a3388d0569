"""Every cause of failure has a name, and every name a test; what is wrong inside a file, one here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from s2lic import errors
from tests.frozen import codec

FOLDER = Path(__file__).parent


def cause(name: str) -> type[errors.CorruptError]:
    """What decoding a file of the corpus ends in."""
    with pytest.raises(errors.CorruptError) as found:
        codec().decode((FOLDER / "corrupt" / f"{name}.s2lic").read_bytes())
    return type(found.value)


def test_version_zero_is_a_no_such_version_error() -> None:
    assert cause("version-zero") is errors.NoSuchVersionError


def test_a_second_header_is_a_boxes_error() -> None:
    assert cause("two-headers") is errors.BoxesError


def test_a_box_that_ends_behind_the_file_is_an_overrun_error() -> None:
    assert cause("box-longer-than-the-file") is errors.OverrunError


def test_a_length_in_a_byte_too_many_is_a_number_spelling_error() -> None:
    assert cause("length-of-a-byte-too-many") is errors.NumberSpellingError


def test_a_width_of_zero_is_a_header_error() -> None:
    assert cause("width-zero") is errors.HeaderError


def test_tiles_that_the_payload_does_not_hold_are_a_tile_list_error() -> None:
    assert cause("tiles-longer-than-the-payload") is errors.TileListError


def test_an_unknown_way_to_code_regions_is_a_region_map_error() -> None:
    assert cause("regions-coded-in-no-known-way") is errors.RegionMapError


def test_a_mask_that_is_cut_off_is_an_alpha_error() -> None:
    assert cause("alpha-cut-off") is errors.AlphaError


def test_an_exception_behind_the_last_symbol_is_an_exception_list_error() -> None:
    assert cause("exceptions-beyond-the-last-symbol") is errors.ExceptionListError


def test_a_payload_of_twelve_pictures_is_a_payload_size_error() -> None:
    assert cause("payload-too-long") is errors.PayloadSizeError


def test_each_thing_that_can_be_wrong_inside_a_file_has_a_test_of_its_name() -> None:
    kinds = [kind.__name__ for kind in errors.CorruptError.__subclasses__()]
    names = [re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower() for kind in kinds]
    assert [name for name in names if not any(test.endswith(f"_{name}") for test in globals())] == []


def test_every_error_and_warning_stands_in_a_test() -> None:
    tests = [*FOLDER.rglob("test_*.py"), FOLDER / "corrupt" / "manifest.json"]
    text = "\n".join(path.read_text() for path in tests)
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and not kind.__subclasses__()]
    assert [kind.__name__ for kind in kinds if not re.search(rf"\b{kind.__name__}\b", text)] == []
