"""Files that are whole or absent, and folders that hold one run."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reno_tf import files
from reno_tf.errors import UserError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    files.write_json(path, {"a": 1})

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(OSError, match="No space"):
        files.write_json(path, {"a": 2})
    assert files.read_json(path) == {"a": 1} and [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_not_a_number_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "x.json", float("nan"))
    assert not (tmp_path / "x.json").exists()


def _claim(workdir, content, *, overwrite):
    """All but the format makes the run."""
    identity = {key: value for key, value in content.items() if key != "format"}
    files.claim(workdir, content, identity=identity, overwrite=overwrite)


def test_claim_knows_its_run_and_names_another(tmp_path):
    run = tmp_path / "run"
    config = {"seed": 0, "attack": {"steps": 40}, "factors": (1, 2)}
    _claim(run, config, overwrite=False)
    _claim(run, config, overwrite=False)
    with pytest.raises(UserError, match="another run .attack.steps is 40, not 20, seed is 0, not 1.; .*--overwrite"):
        _claim(run, {**config, "seed": 1, "attack": {"steps": 20}}, overwrite=False)
    (run / "results.json").write_text("{}")
    _claim(run, {"seed": 1}, overwrite=True)
    assert not (run / "results.json").exists() and files.read_json(run / "config.json")["seed"] == 1


def test_what_does_not_identify_a_run_may_change(tmp_path):
    run, identity = tmp_path / "run", {"seed": 0}
    files.claim(run, {"seed": 0, "cache": "here"}, identity=identity, overwrite=False)
    (run / "checkpoints").mkdir()
    files.claim(run, {"seed": 0, "cache": "there"}, identity=identity, overwrite=False)
    assert (run / "checkpoints").is_dir() and files.read_json(run / "config.json")["cache"] == "there"


@pytest.mark.parametrize("finished", [False, True])
def test_claim_refuses_a_run_of_another_format_and_says_why(tmp_path, finished):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text('{"seed": 0, "model": {}}')
    if finished:
        (run / "results.json").write_text("{}")
    before = {path.name: (path.read_text(), path.stat().st_mtime_ns) for path in run.iterdir()}
    message = r"holds a run of another version, .* \(format 1, not 2\); choose another --workdir$"
    with pytest.raises(UserError, match=message):
        _claim(run, {"seed": 0, "format": 2}, overwrite=False)
    with pytest.raises(UserError, match=r"\(format 1, not 3\)"):
        _claim(run, {"format": 3}, overwrite=False)
    with pytest.raises(UserError, match="nothing is deleted: choose another --workdir"):  # Anyone's config.json.
        _claim(run, {"seed": 0, "format": 2}, overwrite=True)
    assert {path.name: (path.read_text(), path.stat().st_mtime_ns) for path in run.iterdir()} == before


_LEFT = (  # by a run, an audit with its comparison, and processes that were killed
    "results.json",
    "reno_tf_error.log",
    "checkpoints/train/ckpt-2.index",
    "checkpoints/train/ckpt-3_temp/part-00000-of-00001.data-00000-of-00001",
    "tensorboard/plugins/profile/2026_01_02/host.xplane.pb",
    "export/delta-digits/1/variables/variables.index",
    "images/disruption-stage1/00000.png",
    "renofeation/checkpoints/swa/checkpoint",
    "surrogate-0123456789abcdef/history.jsonl",
    ".results.json.k3j2h1d0.part",
)


@pytest.fixture
def run(tmp_path):
    _claim(tmp_path / "run", {"format": 1}, overwrite=False)
    for name in _LEFT:
        files.write_text(tmp_path / "run" / name, "")
    return tmp_path / "run"


def test_overwriting_deletes_what_a_run_left(run):
    with pytest.raises(UserError, match=r"\(format 1, not 2\); choose another --workdir, or --overwrite it"):
        _claim(run, {"format": 2}, overwrite=False)
    _claim(run, {"format": 2}, overwrite=True)
    assert {path.name for path in run.iterdir()} == {".lock", ".reno_tf", "config.json"}


def test_overwriting_keeps_what_lies_beside_a_run_and_names_it(run, tmp_path, caplog):
    names = ("notes.txt", "mine/thesis.txt", "results.json.bak", ".config.json.swp", f"cache/{'0' * 64}.npy")
    for name in names:
        files.write_text(run / name, "years of work")
    (run / "photos").symlink_to(tmp_path)
    _claim(run, {"format": 2}, overwrite=True)
    assert all((run / name).read_text() == "years of work" for name in names) and (run / "photos").is_symlink()
    assert not (run / "results.json").exists() and files.read_json(run / "config.json")["format"] == 2
    assert "keeps what no run wrote" in caplog.text and "notes.txt" in caplog.text and "photos" in caplog.text


@pytest.mark.parametrize(
    "name",
    [
        "checkpoints/train/notes.txt",
        "checkpoints/train/ckpt-best.index",
        "figures/mine.png",
        "export/delta-digits/1/labels.txt",
        "export/delta-digits/2/saved_model.pb",
        "images/pixel/best.png",
        "renofeation/notes.txt",
        "surrogate-0123456789abcdef/thesis.txt",
        "tensorboard/mine/events.txt",
    ],
)
def test_overwriting_is_refused_where_others_files_lie_among_a_runs(run, name):
    files.write_text(run / name, "years of work")
    before = sorted(run.rglob("*"))
    with pytest.raises(UserError, match="is not what a run writes, so nothing in .* is deleted"):
        _claim(run, {"format": 2}, overwrite=True)
    assert sorted({*run.rglob("*"), run / ".lock"}) == sorted({*before, run / ".lock"})
    assert (run / name).read_text() == "years of work" and files.read_json(run / "config.json")["format"] == 1


@pytest.mark.parametrize("name", ["figures", "suite", "history.jsonl", "checkpoints/swa"])
def test_no_link_is_followed_by_overwriting(run, tmp_path, name):
    files.write_text(tmp_path / "mine" / "epsilon.png", "years of work")
    (run / name).symlink_to(tmp_path / "mine")
    with pytest.raises(UserError, match=f"{name} is not what a run writes"):
        _claim(run, {"format": 2}, overwrite=True)
    assert (tmp_path / "mine" / "epsilon.png").exists() and (run / "results.json").exists()


@pytest.mark.long
def test_one_process_writes_a_folder(tmp_path):
    _claim(tmp_path / "run", {}, overwrite=False)
    code = "import sys; from pathlib import Path; from reno_tf import files\nwith files.lock(Path(sys.argv[1])): pass"
    other = [sys.executable, "-c", code, str(tmp_path / "run")]
    with files.lock(tmp_path / "run"):
        refused = subprocess.run(other, capture_output=True, text=True)
        with pytest.raises(UserError, match="another process is writing .*; wait for it"):
            _claim(tmp_path / "run", {"seed": 1}, overwrite=True)
    assert refused.returncode == 1 and "another process is writing" in refused.stderr
    assert subprocess.run(other).returncode == 0  # Also after the owner has died: the lock is the process's.


def test_make_clean_leaves_an_environment_that_was_not_made_here(tmp_path):
    (tmp_path / "bin").mkdir()
    clean = ["make", "-C", str(Path(__file__).parents[1]), "clean", f"VENV={tmp_path}"]
    subprocess.run(clean, check=True, capture_output=True)
    assert (tmp_path / "bin").is_dir()
    (tmp_path / "installed").touch()
    subprocess.run(clean, check=True, capture_output=True)
    assert not tmp_path.exists()


def test_what_is_no_number_is_none():
    assert files.finite({"a": [1.0, float("nan"), (float("inf"), 2)], "b": "nan"}) == {
        "a": [1.0, None, [None, 2]],
        "b": "nan",
    }


def test_claim_never_takes_a_folder_that_is_no_run(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(UserError, match="holds other files"):
            _claim(tmp_path, {"seed": 0}, overwrite=overwrite)
    with pytest.raises(UserError, match="is a file"):
        _claim(tmp_path / "thesis.tex", {"seed": 0}, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_unwritable_and_damaged_are_named(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_bytes", refuse)
        with pytest.raises(UserError, match="cannot be written: Permission denied"):
            _claim(tmp_path / "run", {"seed": 0}, overwrite=False)
    _claim(tmp_path / "done", {"seed": 0}, overwrite=False)
    (tmp_path / "done" / "results.json").write_text("{}")
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_bytes", refuse)
        _claim(tmp_path / "done", {"seed": 0}, overwrite=False)  # A finished run needs no writing.
    (tmp_path / "config.json").write_text("{half")
    with pytest.raises(UserError, match="config.json is damaged"):
        _claim(tmp_path, {"seed": 0}, overwrite=False)


def test_digest_tells_parts_apart():
    assert files.digest(b"ab", b"c") != files.digest(b"a", b"bc")


def test_a_files_digest_is_that_of_its_content_however_large_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_BLOCK", 3)
    (tmp_path / "x").write_bytes(b"0123456789")
    monkeypatch.delattr(files.Path, "read_bytes")  # Never read as a whole.
    assert files.digest_path(tmp_path / "x") == hashlib.sha256(b"0123456789").hexdigest()


def test_a_folders_digest_is_of_all_names_and_contents_links_included(tmp_path):
    for name in ("m/a.txt", "m/a/x", "elsewhere/y"):
        files.write_text(tmp_path / name, name)
    assert files.digest_path(tmp_path / "m") == files.digest(b"a/x", b"m/a/x", b"a.txt", b"m/a.txt")
    seen = {files.digest_path(tmp_path / "m")}
    (tmp_path / "m" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "m" / "a" / "circle").symlink_to(tmp_path / "m")
    (tmp_path / "m" / "broken").symlink_to(tmp_path / "nothing")
    for content in ("y", "z"):
        (tmp_path / "elsewhere" / "y").write_text(content)
        seen.add(files.digest_path(tmp_path / "m"))
    (tmp_path / "elsewhere" / "y").rename(tmp_path / "elsewhere" / "renamed")
    assert len(seen | {files.digest_path(tmp_path / "m")}) == 4


@pytest.mark.parametrize("finished", [False, True])
def test_a_run_whose_inputs_have_changed_is_another(tmp_path, finished):
    run, inputs = tmp_path / "run", {"the images": "a", "the teacher": "b"}
    files.claim(run, {"format": 1}, identity={}, overwrite=False, inputs=inputs)
    if finished:
        (run / "results.json").write_text("{}")
    files.claim(run, {"format": 1}, identity={}, overwrite=False, inputs=inputs)
    files.claim(run, {"format": 1}, identity={}, overwrite=False)
    with pytest.raises(
        UserError, match=r"holds another run \(.*the images\); choose another --workdir, or --overwrite"
    ):
        files.claim(run, {"format": 1}, identity={}, overwrite=False, inputs=inputs | {"the images": "c"})
    files.claim(run, {"format": 1}, identity={}, overwrite=True, inputs=inputs | {"the images": "c"})
    files.claim(run, {"format": 1}, identity={}, overwrite=False, inputs=inputs | {"the images": "c"})


def test_a_run_that_knows_no_inputs_goes_on(tmp_path):
    files.claim(tmp_path / "run", {"format": 1}, identity={}, overwrite=False)
    files.claim(tmp_path / "run", {"format": 1}, identity={}, overwrite=False, inputs={"the images": "a"})
    with pytest.raises(UserError, match="holds another run"):
        files.claim(tmp_path / "run", {"format": 1}, identity={}, overwrite=False, inputs={"the images": "b"})


@pytest.mark.parametrize("content", ["5", "[]", '{"inputs": 5}', '{"inputs": []}'])
def test_a_marker_or_an_identity_that_was_changed_by_hand_ends_no_program(tmp_path, content):
    run, identity = tmp_path / "run", {"seed": 0}
    files.claim(run, {"format": 1}, identity=identity, overwrite=False, inputs={"the images": "a"})
    (run / ".reno_tf").write_text(content)
    files.claim(run, {"format": 1}, identity=identity, overwrite=False, inputs={"the images": "a"})
    (run / "config.json").write_text('{"format": 1, "identity": 5}')
    with pytest.raises(UserError, match="holds another run .seed is None, not 0"):
        files.claim(run, {"format": 1}, identity=identity, overwrite=False)
