"""Audits a model from Python: any function from images to scores, made from a public network.

    PYTHONPATH=. python examples/audit_your_model.py [--quick]

A network is fine-tuned in plain Keras from the embedded teacher, and then only asked, as a service would be.
"""

import sys

import reno_tf  # Before TensorFlow: it selects Keras 2 (tf_keras).

# isort: split
import tf_keras

from configs.default import get_config
from reno_tf import audit, commands


def fine_tuned(epochs):
    """Digits from the glyphs' network; takes numbers from 0 to 255 and gives probabilities."""
    tf_keras.utils.set_random_seed(0)
    backbone = reno_tf.models.build("resnet18_cifar", weights="glyphs")
    images = tf_keras.Input((32, 32, 3))
    features = backbone(tf_keras.layers.Rescaling(1 / 255)(images))["penultimate"]
    model = tf_keras.Model(images, tf_keras.layers.Dense(10, activation="softmax")(features))
    model.compile("adam", "sparse_categorical_crossentropy")
    digits = reno_tf.data.load("digits")
    model.fit(255 * digits.train.floats(), digits.train.labels, epochs=epochs, verbose=0)
    return model


def main(quick: bool):
    model = fine_tuned(epochs=3 if quick else 8)
    service = audit.from_function(
        lambda images: model.predict(images, verbose=0), name="my service", size=(32, 32), num_outputs=10
    )
    config = get_config()
    config.attack.suite = ("pixel", "disruption stage4", "disruption penultimate")
    if quick:
        config.attack.update(suite=("pixel", "disruption stage4"), steps=1, images=20, batch_size=20)
        config.curve.factors = ()
    results = commands.audit(config, student=service, command="examples/audit_your_model.py", workdir="runs/audit-mine")
    print(f"worst case: {results['worst_case_success_rate']:.1%} of the images that it gets right")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv[1:])
