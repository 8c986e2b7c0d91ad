"""The answers to one attack as a file, so that an interrupted suite resumes."""

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
class Kept:
    """What is left of one attack; of the headline also its controls, else these are empty."""

    attack: AttackAnswers
    noise: Mapping[tuple[float, int], np.ndarray]
    convergence: list[float]
    shown: np.ndarray


def name(parts: list) -> str:
    """A file's name, from all that the answers depend on."""
    return files.digest(json.dumps(parts, sort_keys=True).encode())[:32] + ".npz"


def write(path: Path, kept: Kept) -> None:
    """Where it cannot be written, a warning says so."""
    attack = kept.attack
    arrays: dict[str, Any] = {f"at/{factor}": answers for factor, answers in attack.at.items()}
    arrays |= {f"noise/{factor}/{draw}": answers for (factor, draw), answers in kept.noise.items()}
    arrays |= {"shown": kept.shown} | ({} if attack.rounded is None else {"rounded": attack.rounded})
    facts = {"convergence": kept.convergence, "crafting": attack.crafting, "asking": attack.asking}
    content = io.BytesIO()
    np.savez(content, facts=json.dumps(facts), **arrays)
    try:
        files.write_bytes(path, content.getvalue())
    except OSError as error:
        logging.warning("%s: %s; an interrupted suite would begin anew", path.parent, error.strerror)


def read(path: Path, member, crafter) -> Kept | None:
    """What was written of this attack; None if nothing was, or it is damaged."""
    with contextlib.suppress(*_DAMAGED), np.load(path, allow_pickle=False) as content:
        facts, arrays = json.loads(str(content["facts"])), {key: content[key] for key in content.files}
        parts = {key: key.split("/")[1:] for key in arrays}
        attack = AttackAnswers(
            reference=member.reference,
            counts=member.counts,
            gradients=crafter.gradients,
            parameters=crafter.parameters,
            at={float(parts[key][0]): arrays[key] for key in arrays if key.startswith("at/")},
            rounded=arrays.get("rounded"),
            crafting=facts["crafting"],
            asking=facts["asking"],
        )
        noise = {(float(parts[key][0]), int(parts[key][1])): arrays[key] for key in arrays if key.startswith("noise/")}
        return Kept(attack, noise, facts["convergence"], arrays["shown"])
    return None
