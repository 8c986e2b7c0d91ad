"""--mode=export on made-up run folders; test_main.py serves a real run's SavedModel."""

import pytest

import modes
from configs.default import get_config
from reno_tf.errors import UserError


def _finished(folder, content=b"graph"):
    model = folder / "export" / "delta-digits" / "1"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(content)
    (model / "variables" / "variables.index").write_bytes(b"weights")
    (folder / "results.json").write_text("{}")
    return str(folder)


def _export(**flags):
    modes.start("export", get_config(), command="", **flags)


def test_each_export_is_the_next_version(tmp_path, capsys):
    served = tmp_path / "models" / "digits"
    _export(workdir=_finished(tmp_path / "a", b"first"), to=str(served))
    (served / "7").mkdir()
    _export(workdir=_finished(tmp_path / "b", b"second"), to=str(served))
    assert sorted(path.name for path in served.iterdir()) == ["1", "7", "8"]
    assert (served / "1" / "saved_model.pb").read_bytes() == b"first"
    assert (served / "8" / "saved_model.pb").read_bytes() == b"second"
    assert (served / "8" / "variables" / "variables.index").read_bytes() == b"weights"
    assert f"is version 8 in {served}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "name"),
    [("onnx", "delta-digits.onnx"), ("onnx", "model_card.md"), ("tflite", "delta-digits-int8.tflite")]
    + [("tflite", "delta-digits-labels.txt")],
)
def test_no_file_is_written_over(tmp_path, kind, name):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / name).write_text("mine")
    with pytest.raises(UserError, match=f"models holds {name} already; .* another folder for --to"):
        _export(workdir=_finished(tmp_path / "a"), to=str(folder), format=kind)
    with pytest.raises(UserError, match=f"{name} cannot be written"):
        _export(workdir=str(tmp_path / "a"), to=str(folder / name), format=kind)
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [(name, "mine")]


def test_mistakes_are_told_and_leave_nothing(tmp_path):
    with pytest.raises(UserError, match="needs --workdir=RUN, a finished run, and --to=FOLDER"):
        _export(workdir=_finished(tmp_path / "a"))
    (tmp_path / "a" / "results.json").unlink()
    for run in ("a", "nowhere"):
        with pytest.raises(UserError, match=f"{run} is not a finished run"):
            _export(workdir=str(tmp_path / run), to=str(tmp_path / "models"))
    with pytest.raises(UserError, match="--to goes with --mode=export, not with --mode=report"):
        modes.start("report", get_config(), command="", to="models")
    assert not (tmp_path / "models").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file cannot be written"):
        _export(workdir=_finished(tmp_path / "b"), to=str(tmp_path / "file"))
