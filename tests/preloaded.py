"""What a process that scripts are forked from has done already."""

import reno_tf.commands  # noqa: F401
from reno_tf import hardware

hardware.settle()
