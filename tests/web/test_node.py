"""The tests in `web/tests`, which node runs, and TypeScript's check of types."""

from __future__ import annotations

import pytest

from tests.web.project import install, run

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True, scope="module")
def _packages() -> None:
    install()


def test_the_types_are_right() -> None:
    run("npm", "run", "--silent", "check")


def test_the_tests_in_node_pass() -> None:
    assert "# fail 0" in run("npm", "run", "--silent", "test")
