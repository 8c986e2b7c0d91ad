"""Our networks, DELTA's step and the reference attack against numbers that PyTorch gave (`make parity`)."""

import pytest
from conftest import long
from parity import cases, compare

_QUICK = ("resnet18", "mobilenet_v2", "efficientnet_lite0")


@pytest.mark.parametrize("case", [*_QUICK, *long(*(case for case in cases.CASES if case not in _QUICK))])
def test_equals_what_pytorch_gave(case):
    compare.assert_close(compare.summarize(cases.CASES[case]()), compare.read_golden(case))
