"""Names of runs: what is put into one comes out of it again."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reno_tf.naming import RunRef

_PART = st.text(min_size=1, max_size=8)


@given(method=_PART, data=_PART, seed=st.integers(0, 2**31), change=st.text(max_size=5), network=st.text(max_size=5))
@example(method="my-method", data="tfds:my-set", seed=0, change="lambda=1e-05", network="")
@example(method="a+b", data="a-0", seed=7, change="swa", network="a-b-0")
def test_every_run_has_a_name_of_its_own(method, data, seed, change, network):
    for variant in ("", f"+{change}", f"@{change}"):
        run = RunRef(method=method, data=data, seed=seed, variant=variant, network=network)
        assert RunRef.parse(str(run)) == run
        assert not {"/", "\\", "\0"} & set(str(run))


def test_usual_names_are_what_they_were():
    """The committed runs are kept by them."""
    run = RunRef(method="delta", variant="+dropout+swa", network="resnet18", data="armenian", seed=0)
    assert str(run) == "delta+dropout+swa-resnet18-armenian-0"
    assert str(RunRef(method="delta_r", data="digits", seed=12)) == "delta_r-digits-12"


@pytest.mark.parametrize(
    "name",
    ["", "t1", "delta-0", "delta-digits-x", "delta-digits-01", "delta-my-set-of-images-0", "-digits-0", "a-%zz-0"],
)
def test_any_other_name_is_refused(name):
    with pytest.raises(ValueError, match="not the name of a run"):
        RunRef.parse(name)


@pytest.mark.parametrize("change", [{"method": ""}, {"data": ""}, {"seed": -1}, {"variant": "swa"}])
def test_what_no_name_can_say_is_refused(change):
    with pytest.raises(ValueError, match="no run can be named by"):
        RunRef(**{"method": "delta", "data": "digits", "seed": 0} | change)
