"""Tables, and pages of which a part is written anew."""

from __future__ import annotations

from s2lic.eval.markdown import marks, put_into_page, table

BEGIN, END = marks()


def test_a_table_has_its_head_a_rule_and_its_rows() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| ---: | ---: |\n| 1 | 2 |"


def test_a_second_measurement_replaces_the_first_and_nothing_else() -> None:
    page = put_into_page(f"before\n{BEGIN}\n{END}\nafter\n", "first")
    page = put_into_page(page, "second")
    assert page == f"before\n{BEGIN}\n\nsecond\n\n{END}\nafter\n"


def test_a_page_without_markers_gets_them_at_its_end() -> None:
    assert put_into_page("# Page\n", "text").startswith(f"# Page\n\n{BEGIN}\n\ntext\n")


def test_each_mark_keeps_its_own_part_of_a_page() -> None:
    page = put_into_page(put_into_page("# Page\n", "one", "first"), "two", "second")
    assert put_into_page(page, "three", "first") == page.replace("one", "three")
