"""The answers to one attack as a file, from which an interrupted suite resumes."""

import contextlib
import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from reno_tf import files
from reno_tf.evaluation.answers import AttackAnswers

_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclasses.dataclass(frozen=True)
class StoredAnswers:
    """What is stored of one attack; for the headline also its controls, else these are empty."""

    attack: AttackAnswers
    noise: Mapping[tuple[float, int], np.ndarray]
    convergence: list[float]


def file_name(depends_on: list) -> str:
    """The file's name: a digest of everything the answers depend on."""
    return files.digest(json.dumps(depends_on, sort_keys=True).encode())[:32] + ".npz"


def write_answers(path: Path, stored: StoredAnswers) -> None:
    """Writes the file; warns if it cannot."""
    attack = stored.attack
    arrays: dict[str, Any] = {f"at/{factor}": answers for factor, answers in attack.at.items()}
    arrays |= {f"noise/{factor}/{draw}": answers for (factor, draw), answers in stored.noise.items()}
    arrays |= {"shown": attack.shown} | ({} if attack.rounded is None else {"rounded": attack.rounded})
    rest = {"convergence": stored.convergence, "crafting": attack.crafting, "asking": attack.asking}
    content = io.BytesIO()
    np.savez(content, facts=json.dumps(rest), **arrays)
    try:
        files.write_bytes(path, content.getvalue())
    except OSError as error:
        logging.warning("%s: %s; an interrupted suite would start again", path.parent, error.strerror)


def read_answers(path: Path, member, crafter) -> StoredAnswers | None:
    """The stored answers to this attack; None if there is no file, or it is damaged."""
    with contextlib.suppress(*_DAMAGED), np.load(path, allow_pickle=False) as content:
        rest, arrays = json.loads(str(content["facts"])), {key: content[key] for key in content.files}
        parts = {key: key.split("/")[1:] for key in arrays}
        attack = AttackAnswers(
            reference=member.reference,
            counts=member.counts,
            gradients=crafter.gradients,
            parameters=crafter.parameters,
            at={float(parts[key][0]): arrays[key] for key in arrays if key.startswith("at/")},
            rounded=arrays.get("rounded"),
            shown=arrays["shown"],
            crafting=rest["crafting"],
            asking=rest["asking"],
        )
        noise = {(float(parts[key][0]), int(parts[key][1])): arrays[key] for key in arrays if key.startswith("noise/")}
        return StoredAnswers(attack, noise, rest["convergence"])
    return None
