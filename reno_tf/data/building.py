"""Builds a data set once, and decodes each of its photos once before any is used."""

import concurrent.futures
import contextlib
import io
import socket
import urllib.parse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from absl import logging

from reno_tf import files
from reno_tf.data import leaks, prepared, sources, transforms
from reno_tf.errors import UserError

_FILE_KEYS = ("file", "file_name", "image/filename")  # The builders have different keys for a file's name.
_COLUMNS = ("labels", "files", "readable", "pixels", "hashes", "thumbnails")


def build_once(name: str, source: sources.Source, open_builder: Callable, *, folder: str | None, download: bool):
    """The builder that `open_builder` makes, with its data. If two processes build at once, the second waits.

    Raises UserError that says how to get the data: one of `folder`'s archives is missing, or there is no network.
    """
    if source.origin == "folder" and folder is None:
        raise UserError("config.data.dir must name the folder of images: DIR/train/<class>/* or DIR/<class>/*")
    builder = open_builder()
    if not builder.data_path.exists():
        if source.origin in ("download", "manual") and not (download or folder):
            place = " --config.data.dir=FOLDER_OF_THE_ARCHIVES" if source.origin == "manual" else ""
            command = f"python main.py --mode=prepare_data --config.data.name={name}{place}"
            raise UserError(f"{name} is not prepared; run: {command}")
        parent = Path(builder.data_path).parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"{name} cannot be kept in {parent}: {error.strerror}"
            raise UserError(f"{message}; name another folder by --config.data.tfds_dir=FOLDER") from None
        if source.origin == "download":
            _check_network(name, builder.url_infos or {}, folder)
        config = tfds.download.DownloadConfig(manual_dir=folder)
        tfds.disable_progress_bar()
        with filelock.FileLock(parent / ".lock"), contextlib.redirect_stdout(io.StringIO()):  # tfds prints its steps.
            builder.download_and_prepare(download_config=config)  # Returns at once if another process was first.
            for copy in getattr(builder, "older", list)():
                prepared.remove(copy)
        if source.origin == "folder":
            size = files.size(Path(builder.data_path)) / 1e6
            logging.warning(
                "a copy of %s, %.0f MB, is kept in %s; --mode=clean removes it", folder, size, builder.data_path
            )
    return open_builder()  # If another process built the data, only a new builder knows them.


def records(builder, split: str):
    """The split's examples by number, their images still encoded."""
    options = {"split": split, "decoders": {"image": tfds.decode.SkipDecoding()}}
    try:
        return builder.as_data_source(**options)
    except NotImplementedError:  # A format without random access, such as TFRecord: read into memory.
        in_order = tfds.ReadConfig(interleave_cycle_length=1)
        return list(tfds.as_numpy(builder.as_dataset(**options, read_config=in_order)))


def index(builder, split: str, *, progress: Callable[[Iterable], Iterable] = iter) -> dict[str, np.ndarray]:
    """{"labels" int64, "files" str, "readable" bool}, each [N], and the columns of `leaks.Prints`.

    The first call decodes every photo, in an iterable that `progress` wraps, and stores the result beside the data
    set, unless that is another user's and read-only.
    """
    path = Path(builder.data_path) / f"index-{split}.npz"
    if path.is_file():
        with np.load(path) as stored:
            if set(stored) == set(_COLUMNS):  # Another version has other columns.
                return dict(stored)
    examples = records(builder, split)
    with concurrent.futures.ThreadPoolExecutor() as pool:  # TensorFlow decodes outside Python's lock.
        rows = list(progress(pool.map(lambda number: _row(examples[number], number), range(len(examples)))))
    named = zip(_COLUMNS, zip(*rows, strict=True), strict=True)
    columns: dict[str, Any] = {name: np.array(column) for name, column in named}
    content = io.BytesIO()
    np.savez(content, **columns)
    try:
        files.write_bytes(path, content.getvalue())
    except OSError as error:
        logging.warning("%s: %s; each start decodes all photos anew", path, error.strerror)
    return columns


def _row(example, number):
    name = next((example[key].decode() for key in _FILE_KEYS if key in example), f"number {number}")
    try:
        image = transforms.decode(tf.constant(example["image"])).numpy()
    except tf.errors.InvalidArgumentError:
        return example["label"], name, False, *leaks.NOTHING
    return example["label"], name, True, *leaks.look(image)


def _check_network(name, urls, archives):
    """Fails at once without a network, where tensorflow-datasets tries for minutes."""
    needed = {info.filename: url for url, info in urls.items()}
    for file, url in needed.items():
        if archives and (Path(archives) / file).is_file():
            continue
        address = urllib.parse.urlsplit(url)
        port = address.port or {"http": 80, "https": 443}[address.scheme]
        try:
            socket.create_connection((address.hostname, port), timeout=10).close()  # in seconds
        except OSError as error:
            raise UserError(
                f"{name} cannot be downloaded: {address.hostname} does not answer ({error}). Fetch "
                f"{', '.join(sorted(needed))} elsewhere and name their folder by --config.data.dir"
            ) from None
