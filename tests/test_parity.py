"""Our networks, DELTA's step and the reference attack against numbers that PyTorch gave (`make parity`)."""

import pytest
from parity import cases, compare


@pytest.mark.parametrize("case", cases.CASES)
def test_equals_what_pytorch_gave(case):
    compare.assert_close(compare.summarize(cases.CASES[case]()), compare.read_golden(case))
