"""Fine-tunes the shipped ImageNet network on photographs, in plain Keras 2 or 3: a model to audit.

    pip install -c constraints.txt '.[photos]'
    python examples/fine_tune_photos.py --keras=3 --to=cells.keras      # about ten minutes on one core
    python main.py --mode=audit --config=configs/photos.py --student=cells.keras --teacher=imagenet

docs/audit.md says what the audit does.
"""

import argparse
import json
import tempfile
from pathlib import Path

import reno_tf  # Before TensorFlow. Here for the network, its weights and the photographs alone.

# isort: split
import h5py
import keras as keras_3
import tf_keras as keras_2

SIZE = 128


def backbone(keras):
    """images [B, H, W, 3] in [0, 1] -> features [B, 1280], as a model of that Keras."""
    public = reno_tf.models.build("efficientnet_lite0", weights="imagenet")
    public = keras_2.Model(public.input, public.output["penultimate"])
    if keras is keras_2:
        return public
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "public.h5")
        public.save(path)
        with h5py.File(path, "r+") as file:  # Keras 3 reads files of Keras 2, but for one key.
            config = json.loads(file.attrs["model_config"])
            for layer in config["config"]["layers"]:
                if layer["class_name"] == "DepthwiseConv2D":
                    del layer["config"]["groups"]
            file.attrs["model_config"] = json.dumps(config)
        read = keras_3.models.load_model(path, compile=False)
        return keras_3.Model(read.inputs[0], read.outputs[0])


def fine_tuned(keras, photos, *, epochs):
    """Takes photographs as numbers from 0 to 255, and gives the classes' probabilities."""
    keras.utils.set_random_seed(0)
    images = keras.Input((SIZE, SIZE, 3))
    features = backbone(keras)(keras.layers.Rescaling(1 / 255)(images))
    answers = keras.layers.Dense(len(photos.class_names), activation="softmax")(features)
    model = keras.Model(images, answers)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    train, test = (255 * split.floats()[: len(split)] for split in (photos.train, photos.test))
    model.fit(train, photos.train.labels, epochs=epochs, batch_size=32, verbose=2)
    print(f"{model.evaluate(test, photos.test.labels, verbose=0)[1]:.1%} of the test photographs right")
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras", choices=("2", "3"), default="3")
    parser.add_argument("--to", default="cells.keras", help="where the model is saved")
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    if Path(options.to).exists():
        parser.error(f"{options.to} is there already; move it, or choose another name for --to")
    photos = reno_tf.data.load("solar", size=SIZE)
    keras = {"2": keras_2, "3": keras_3}[options.keras]
    fine_tuned(keras, photos, epochs=options.epochs).save(options.to)


if __name__ == "__main__":
    main()
