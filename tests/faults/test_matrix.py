"""Every fault of the matrix has its tests, or the reason why it has none, and the page says the same."""

from __future__ import annotations

import re

import pytest

from tests.faults.matrix import MATRIX, PAGE, ROOT, Fault, page


def test_it_is_complete() -> None:
    assert [fault.number for fault in MATRIX] == list(range(1, 36))


@pytest.mark.parametrize("fault", MATRIX, ids=lambda fault: f"F{fault.number}")
def test_what_it_names_is_there(fault: Fault) -> None:
    assert fault.what
    assert (fault.few and fault.many) if fault.tests else fault.rest
    for test in fault.tests:
        path, _mark, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(), test


@pytest.mark.parametrize("fault", [fault for fault in MATRIX if fault.variables], ids=lambda fault: f"F{fault.number}")
def test_a_count_is_read_by_a_test(fault: Fault) -> None:
    """A variable that nobody reads would promise what is not done."""
    texts = "".join((ROOT / test.partition("::")[0]).read_text() for test in fault.tests)
    for name in fault.variables:
        assert re.search(rf'"{name}"', texts), name


def test_the_page_says_what_the_table_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.faults.matrix"
