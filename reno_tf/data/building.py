"""Builds a data set once, and looks at every photo of it before any is used."""

import concurrent.futures
import contextlib
import functools
import io
import socket
import urllib.parse
from collections.abc import Callable, Iterable
from pathlib import Path

import filelock
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from reno_tf import files
from reno_tf.data import transforms
from reno_tf.data.sources import Source
from reno_tf.errors import UserError

_FILE_KEYS = ("file", "file_name", "image/filename")  # builders name the file's name differently
_TIMEOUT = 10  # seconds to find that there is no network


def build(name: str, source: Source, builder, *, archives: str | None) -> None:
    """Builds what is not built yet. Two processes may do so at once: the second waits.

    Args:
      archives: folder of archives that were fetched by hand.

    Raises:
      UserError: an archive is missing, or the network.
    """
    if builder.data_path.exists():
        return
    folder = Path(builder.data_path).parent
    folder.mkdir(parents=True, exist_ok=True)
    if source.origin == "download":
        _check_network(name, builder.url_infos, archives)
    config = tfds.download.DownloadConfig(manual_dir=archives)
    tfds.disable_progress_bar()
    with filelock.FileLock(folder / ".lock"), contextlib.redirect_stdout(io.StringIO()):  # It talks of downloads.
        builder.download_and_prepare(download_config=config)  # Returns at once if another process was first.


def records(builder, split: str):
    """The split's examples by number, their images still encoded."""
    return builder.as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})


def index(builder, split: str, *, progress: Callable[[Iterable], Iterable] = iter) -> dict[str, np.ndarray]:
    """{"labels" int64, "files" str, "readable" bool}, each [N]: every photo is decoded once, ever.

    The outcome is kept beside what was built. `progress` wraps the iterable of photos.
    """
    path = Path(builder.data_path) / f"index-{split}.npz"
    if not path.is_file():
        examples = records(builder, split)
        with concurrent.futures.ThreadPoolExecutor() as pool:  # TensorFlow decodes outside Python's lock.
            rows = list(progress(pool.map(functools.partial(_row, examples), range(len(examples)))))
        labels, names, readable = zip(*rows, strict=True)
        content = io.BytesIO()
        np.savez(content, labels=np.int64(labels), files=np.array(names), readable=np.array(readable))
        files.write_bytes(path, content.getvalue())
    with np.load(path) as kept:
        return dict(kept)


def _row(examples, number):
    example = examples[number]
    name = next(example[key] for key in _FILE_KEYS if key in example)
    return example["label"], name.decode(), _is_readable(example["image"])


def _is_readable(encoded):
    try:
        transforms.decode(tf.constant(encoded))
    except tf.errors.InvalidArgumentError:
        return False
    return True


def _check_network(name, urls, archives):
    """tensorflow-datasets tries for minutes where there is no network: ask first."""
    wanted = {info.filename: url for url, info in urls.items()}
    for file, url in wanted.items():
        if archives and (Path(archives) / file).is_file():
            continue
        address = urllib.parse.urlsplit(url)
        port = address.port or {"http": 80, "https": 443}[address.scheme]
        try:
            socket.create_connection((address.hostname, port), timeout=_TIMEOUT).close()
        except OSError as error:
            raise UserError(
                f"{name} cannot be downloaded: {address.hostname} does not answer ({error}). Fetch "
                f"{', '.join(sorted(wanted))} elsewhere and name their folder by --config.data.dir"
            ) from None
