"""One training step for all methods, and the phases, optimizers and averages around it."""

from reno_tf.training.history import read_history
from reno_tf.training.phases import fit, train
from reno_tf.training.students import build_student, fit_student, fit_students, new_transfer
from reno_tf.training.trainer import Transfer
