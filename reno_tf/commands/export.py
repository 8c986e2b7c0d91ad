"""--mode=export: a finished run's student as the next version that TF Serving serves."""

import os
import shutil
import tempfile
from pathlib import Path

from reno_tf.errors import UserError


def export(config, *, workdir: str | None = None, to: str | None = None) -> None:
    """Copies the SavedModel of the finished run in `workdir` to `to`/<the next number>.

    A server that watches `to`, its model base path, takes the new version up once it is whole.
    Raises UserError for a run that is not finished, and for a folder that cannot be written.
    """
    if workdir is None or to is None:
        needs = "--workdir=RUN, a finished run, and --to=FOLDER, the server's model base path"
        raise UserError(f"--mode=export needs {needs}")
    models = [file.parent for file in Path(workdir).glob("export/*/*/saved_model.pb")]
    if not (Path(workdir) / "results.json").is_file() or len(models) != 1:
        raise UserError(f"{workdir} is no finished run: it has no results.json beside one SavedModel in export/")
    folder = Path(to)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Beside it: a rename must stay on one disk.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
            whole = shutil.copytree(models[0], Path(scratch) / "model")
            version = 1 + max((int(path.name) for path in folder.iterdir() if path.name.isdecimal()), default=0)
            os.rename(whole, folder / str(version))
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}") from None
    print(f"{models[0]} is version {version} in {folder}")
