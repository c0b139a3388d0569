"""Papers that are no block are refused as one, by name."""

from __future__ import annotations

import pytest

from s2lic.errors import BlockChoiceError
from s2lic.model import CONFIGS, variant
from s2lic.transform.blocks import block_names, create_block
from s2lic.transform.blocks.tools import TOOLS

every_tool = pytest.mark.parametrize("key", list(TOOLS))


@every_tool
def test_a_tool_is_not_created(key: str) -> None:
    with pytest.raises(BlockChoiceError, match=f"'{key}' is a tool, not a block.*{TOOLS[key].command}"):
        create_block(key, 16)
    assert key not in block_names()


@every_tool
def test_a_tool_cannot_be_chosen_for_a_model(key: str) -> None:
    with pytest.raises(BlockChoiceError):
        variant(CONFIGS["nano"], (key,))
    with pytest.raises(BlockChoiceError):
        variant(CONFIGS["nano"], gate=key)
