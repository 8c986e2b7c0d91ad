"""Ours beside PyTorch's: `make parity`. Writes the golden file of a case that has none."""

import pytest

from parity import cases, compare, reference


@pytest.mark.parametrize("case", cases.CASES)
def test_equals_pytorch(case):
    theirs = reference.CASES[case]()
    compare.assert_close(cases.CASES[case](), theirs)
    golden = compare.read_golden(case)
    if golden is None:
        compare.write_golden(case, theirs)
    else:
        compare.assert_close(golden, compare.summarize(theirs))
