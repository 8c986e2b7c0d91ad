"""One training step for all methods, and the phases, optimizers and averages around it."""

from reno_tf.training.history import read_history, seconds
from reno_tf.training.phases import Course, RunningPhase, train
from reno_tf.training.students import Job
from reno_tf.training.trainer import Transfer
