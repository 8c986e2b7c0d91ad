"""Photographs of solar cells, as the package elpv-dataset holds them."""

import importlib.util
import itertools
from pathlib import Path

from reno_tf.data.builders import PhotosBuilder
from reno_tf.data.imagefile import ImageError
from reno_tf.errors import UserError

_PACKAGE = "elpv_dataset"
_STATES = {0.0: "functional", 1.0: "defective"}  # By the probability of a defect; what lies between is uncertain.
_BLOCK = 60  # Cells that stand together: most runs of one type are multiples of it, a module's number of cells.
_EVERY, _FIRST = 4, 2  # Of the blocks, these are the test.


class SolarCells(PhotosBuilder, skip_registration=True):
    """2223 electroluminescence photographs (300x300, grey) of mono- and polycrystalline cells of 44 solar modules,
    functional or defective (Buerhop-Lutz et al., 2018; Deitsch et al., 2019; CC BY-NC-SA 4.0).

    The 401 cells about which the experts were unsure (a defect probability of 1/3 or 2/3) are left out. Cells
    of one module look alike and stand together, and which module a cell is of is not published. So the split is by
    blocks of 60 neighbours, of which every fourth is the test: neighbours are on two sides at a block's edge alone.
    """

    HOMEPAGE = "https://github.com/zae-bayern/elpv-dataset"
    class_names = tuple(f"{kind} {state}" for kind in ("mono", "poly") for state in _STATES.values())

    def photos(self, dl_manager):
        self._folder = package_folder()
        lines = (self._folder / "labels.csv").read_text().splitlines()
        cells = [(file, float(probability), kind) for file, probability, kind in map(str.split, lines)]
        splits = {"train": {}, "test": {}}
        for number, block in enumerate(blocks([kind for *_, kind in cells])):
            split = "test" if number % _EVERY == _FIRST else "train"
            for file, probability, kind in cells[block]:
                if probability in _STATES:
                    splits[split][file] = f"{kind} {_STATES[probability]}"
        return splits

    def read(self, file):
        try:
            return (self._folder / file).read_bytes()
        except OSError as error:
            raise ImageError(error.strerror) from None


def package_folder() -> Path:
    """Where the photographs lie. Raises UserError if the package is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None:
        raise UserError("the photographs of solar cells are in a package: pip install 'reno-tf[photos]'")
    return Path(spec.submodule_search_locations[0]) / "data"


def blocks(kinds: list[str]) -> list[slice]:
    """The cells that stand together: blocks of at most 60 neighbours of one kind."""
    slices, first = [], 0
    for _, run in itertools.groupby(kinds):
        last = first + len(list(run))
        slices += [slice(start, min(start + _BLOCK, last)) for start in range(first, last, _BLOCK)]
        first = last
    return slices
