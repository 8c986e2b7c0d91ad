"""--mode=export: a finished run's student for TF Serving, or for devices."""

import dataclasses
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from reno_tf import attacks, audit, conversion, files, records, reporting, settings
from reno_tf.commands import common
from reno_tf.errors import UserError, choose
from reno_tf.evaluation import Network, evaluate

FORMATS = ("saved_model", "tflite", "onnx")
_ENDINGS = {"onnx": (".onnx",), "tflite": tuple(f"-{form}.tflite" for form in conversion.FORMS)}
_LEFT_OUT = dict.fromkeys(attacks.NETWORKS.keys() - {"teacher"}, "a file for devices is attacked through the teacher")


def export(config, *, workdir: str | None = None, to: str | None = None, format: str | None = None) -> None:
    """Copies the SavedModel of the finished run in `workdir` to `to`/<the next number>, or writes files for devices.

    A server that watches `to`, its model base path, takes up the new version once it is complete. `format` "tflite"
    makes three files, "onnx" one, with the names of the classes and a model card that says what the run's attacks do
    to each. Raises UserError for a run that is not finished, for a folder that cannot be written, and where it would
    write over a file.
    """
    if workdir is None or to is None:
        needs = "--workdir=RUN, a finished run, and --to=FOLDER, the server's model base path"
        raise UserError(f"--mode=export needs {needs}")
    kind = choose("format", format or "saved_model", FORMATS)
    models = [file.parent for file in Path(workdir).glob("export/*/*/saved_model.pb")]
    if not (Path(workdir) / "results.json").is_file() or len(models) != 1:
        raise UserError(f"{workdir} is not a finished run: it has no results.json beside one SavedModel in export/")
    try:
        if kind == "saved_model":
            _copy_version(models[0], Path(to))
        else:
            _write_files(kind, Path(workdir), models[0], Path(to))
    except OSError as error:
        raise UserError(f"{to} cannot be written: {error.strerror or error}") from None


def _copy_version(model, folder):
    folder.mkdir(parents=True, exist_ok=True)
    # Beside it: a rename must stay on one disk.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
        whole = shutil.copytree(model, Path(scratch) / "model")
        version = 1 + max((int(path.name) for path in folder.iterdir() if path.name.isdecimal()), default=0)
        os.rename(whole, folder / str(version))
    print(f"{model} is version {version} in {folder}")


def _write_files(kind, workdir, model, folder):
    name, rows = model.parent.name, []
    _check_absent(folder, [*(f"{name}{ending}" for ending in _ENDINGS[kind]), f"{name}-labels.txt", "model_card.md"])
    run_settings = settings.restore(files.read_json(workdir / "config.json"))
    common.seed_everything(run_settings.seed)
    dataset = common.load_data(run_settings.data, seed=run_settings.seed)
    teacher = common.build_teacher(run_settings.networks)
    if kind == "onnx":
        contents = {".onnx": conversion.to_onnx(model)}
    else:
        made = conversion.to_tflite(model, dataset.train.floats())
        contents = {f"-{form}.tflite": content for form, content in made.items()}
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:  # None appears before all are measured.
        for ending, content in contents.items():
            path = Path(scratch) / f"{name}{ending}"
            path.write_bytes(content)
            rows.append({"file": path.name, "bytes": len(content), **_measured(path, run_settings, dataset, teacher)})
            print(f"{reporting.headline(rows[-1])}; in {folder}", flush=True)
        names = (model / "assets.extra" / "class_names.txt").read_text(encoding="utf-8")
        (Path(scratch) / f"{name}-labels.txt").write_text(names, encoding="utf-8")
        card = reporting.device_card(files.read_json(workdir / "results.json"), rows)
        (Path(scratch) / "model_card.md").write_text(card, encoding="utf-8")
        for path in Path(scratch).iterdir():
            os.replace(path, folder / path.name)


def _check_absent(folder, names):
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} cannot be written: it is a file, not a folder")
    if there := [name for name in names if os.path.lexists(folder / name)]:
        raise UserError(f"{folder} holds {', '.join(there)} already; move that, or choose another folder for --to")


def _measured(path, run_settings, dataset, teacher) -> dict:
    """What the run's attacks do to the file."""
    opened = audit.open_model(str(path))
    convention = audit.Convention(
        geometry="",
        input_range="0..1",
        outputs="probabilities",
        order=np.arange(opened.num_classes),
        renamed=False,
        unmatched=(),
        draws=1,
        tried=(),
    )
    student = audit.Student(opened, convention)
    attacker = common.attacker_with(teacher.network, run_settings, dataset).without(**_LEFT_OUT)
    suite = dataclasses.replace(run_settings.suite(), curve=())
    network = Network(student, audit.digest_model(str(path)))
    attacked = dataset.tested_on(run_settings.report.split)
    measured = evaluate(network, attacker, attacked, suite, crafting=run_settings.attack.crafting)
    return {"method": path.name, **records.to_json(measured.evaluation)}
