"""One run of each kind of method, of a small network: python each_method.py FOLDER [--config.KEY=VALUE ...]"""

import sys
from pathlib import Path

import small_network
from absl import flags

import main
import modes

# Those that train the head or all, average, prune the teacher, learn masks, or train on attacked images.
METHODS = ("linear", "finetune", "renofeation", "remos", "seam", "inoculation")


def run_all(folder, arguments):
    main.parse([sys.argv[0], *arguments])
    small_network.register()
    weights = small_network.weights(Path(folder))
    for name in METHODS:
        config = flags.FLAGS.config.copy_and_resolve_references()
        with config.unlocked():
            config.recipes.teacher.update(head_steps=2, mask_steps=2)
            config.model.update(backbone="small", weights=str(weights))
        modes.start("run", config, command="", method=name, workdir=str(Path(folder) / name))


if __name__ == "__main__":
    run_all(sys.argv[1], sys.argv[2:])
