"""Renofeation in plain Keras: a network of your own, arrays of your own, fit() with Keras's callbacks.

python examples/keras_fit.py          # about a minute
"""

import tempfile
from pathlib import Path

import reno_tf  # Before TensorFlow: it selects Keras 2 (tf_keras).

# isort: split
import tf_keras
from tf_keras import layers


def network(num_classes=None, *, dropout=0.0, name="mine"):
    """A network as this project takes them: named stages, "penultimate", and with a layer "head" the logits."""
    images = tf_keras.Input((32, 32, 3))
    x, outputs = images, {}
    for number, width in enumerate((16, 32, 64), start=1):
        x = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False, name=f"conv{number}")(x)
        # Keras's own momentum, 0.99, averages over more steps than are trained here.
        x = layers.BatchNormalization(momentum=0.9, name=f"norm{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
        outputs[f"stage{number}"] = x
        if dropout:
            x = reno_tf.models.SpatialDropout2D(dropout, name=f"dropout{number}")(x)
    outputs["penultimate"] = layers.GlobalAveragePooling2D(name="pool")(x)
    if num_classes:
        outputs["logits"] = layers.Dense(num_classes, name="head")(outputs["penultimate"])
    return tf_keras.Model(images, outputs, name=name)


def public_teacher():
    """What someone has published: trained on Greek letters, in plain Keras."""
    greek = reno_tf.data.load("greek")
    model = network(len(greek.class_names))
    trained = tf_keras.Model(model.input, model.output["logits"])
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile(tf_keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
    trained.fit(greek.train.floats(), greek.train.labels, epochs=20, batch_size=64, verbose=0)
    accuracy = trained.evaluate(greek.test.floats(), greek.test.labels, verbose=0)[1]
    print(f"the teacher: {accuracy:.1%} of Greek letters right")
    teacher = network()
    reno_tf.models.copy_backbone(model, teacher)
    return teacher


def main():
    tf_keras.utils.set_random_seed(0)
    teacher, digits = public_teacher(), reno_tf.data.load("digits", shots=30, validation_per_class=10)
    images, labels = digits.train.floats(), digits.train.labels
    attack = reno_tf.attacks.penultimate_pgd(teacher, epsilon=0.1)
    with tempfile.TemporaryDirectory() as folder:
        for method in (reno_tf.methods.Finetune(), reno_tf.methods.Renofeation(feature_weight=0.5)):
            model = reno_tf.Transfer(network(10, dropout=method.dropout), teacher, method)
            model.compile(reno_tf.optimizers.SGD(0.03, momentum=0.9))
            best = str(Path(folder) / method.name)
            watched = {"monitor": "val_accuracy", "mode": "max"}
            model.fit(
                images,
                labels,
                epochs=60,
                validation_data=(digits.validation.floats(), digits.validation.labels),
                class_weight=dict.fromkeys(range(10), 1.0),  # or sample_weight=, one for each image
                callbacks=[
                    tf_keras.callbacks.EarlyStopping(patience=20, **watched),
                    tf_keras.callbacks.ModelCheckpoint(best, save_best_only=True, save_weights_only=True, **watched),
                ],
                verbose=0,
            )
            model.load_weights(best)
            rates = reno_tf.evaluation.attack_success(model.student, attack, digits.test)
            clean, success, noise = (
                rates[name] for name in ("clean_accuracy", "attack_success_rate", "noise_success_rate")
            )
            print(f"{method.name}: clean {clean:.1%}, the paper's attack {success:.1%}, noise {noise:.1%}")


if __name__ == "__main__":
    main()
