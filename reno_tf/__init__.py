"""Renofeation for TensorFlow: trains, attacks and audits image classifiers made from a public network, the teacher.

    teacher = reno_tf.models.build("resnet18_cifar", weights="glyphs")
    student = reno_tf.models.build("resnet18_cifar", num_classes=10, dropout=0.1)
    model = reno_tf.Transfer(student, teacher, reno_tf.methods.Renofeation())
    found = reno_tf.evaluation.worst_case(student, teacher, test)
    found.worst_case.rate, found.worst_case.interval

Source: Chin, Zhang, Marculescu, "Renofeation: A Simple Transfer Learning Method for Improved
Adversarial Robustness", arXiv 2002.02998.
"""

from reno_tf import compat  # First: it chooses the Keras that TensorFlow loads.
from reno_tf.version import __version__

compat.use_legacy_keras()

with compat.quiet_native_logs():
    from reno_tf import attacks, data, evaluation, methods, models, serving
    from reno_tf.errors import TooExposed, UserError
    from reno_tf.methods import losses
    from reno_tf.training import averaging, optimizers
    from reno_tf.training.trainer import Transfer
