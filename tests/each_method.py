"""One run of each method, all in one process: python each_method.py FOLDER [--config.KEY=VALUE ...]"""

import sys
from pathlib import Path

from absl import flags

import main
from reno_tf import commands
from reno_tf.methods import METHODS


def run_all(folder, arguments):
    main.parse([sys.argv[0], *arguments])
    for name in METHODS:
        config = flags.FLAGS.config.copy_and_resolve_references()
        with config.unlocked():
            config.recipes.teacher.update(head_steps=2, mask_steps=2)
        commands.start("run", config, command="", method=name, workdir=str(Path(folder) / name))


if __name__ == "__main__":
    run_all(sys.argv[1], sys.argv[2:])
