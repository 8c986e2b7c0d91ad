"""Every attack through a network of every way to normalise images: Keras's families, and this package's own."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from families import FAMILIES, SIZE, network
from toys import itself

from reno_tf import attacks, models
from reno_tf.attacks import ATTACKS, Budget
from reno_tf.errors import UserError
from reno_tf.models import keras_applications, layers

pytestmark = pytest.mark.long

# Those whose own mean and std the attack in normalised space takes.
_OWN = ("torch", "small", "-1..1")


def _images():
    images = np.random.default_rng(5).uniform(size=(5, SIZE, SIZE, 3)).astype(np.float32)
    images[0], images[1, :4] = 1.0, 0.0  # White is out of the valid range of normalised space.
    return images


# Caffe's numbers are the largest, so bfloat16 loses most there.
@pytest.mark.parametrize(("family", "precision"), [*((f, "float32") for f in FAMILIES), ("caffe", "bfloat16")])
@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_is_right_on_every_family(name, family, precision):
    images, entry = _images(), ATTACKS[name]
    options = {"precision": precision, "others": 1 - images if entry.others else None}
    for label, attack in list(entry.attacks(network(family), neurons=(0,)).items())[:1]:  # The others differ in a name.
        attack = attack.on(network(family), Budget(epsilon=0.1, step_size=0.05, steps=3), **options)
        epsilon = attack._limits(tf.constant(images)).epsilon.numpy()
        for changed in (attack(images).numpy(), attack.noise(images).numpy()):
            change = changed - images
            flat = change.reshape(len(images), -1)
            size = np.abs(change) if attack.attack.ball == "linf" else np.linalg.norm(flat, axis=1)
            assert (size <= epsilon + 1e-6).all(), label
        none = attack.within(Budget(epsilon=0.0, step_size=0.05, steps=3))
        np.testing.assert_array_equal(none(images), images)
        np.testing.assert_array_equal(none.noise(images), images)
        if precision == "bfloat16":  # The harder of the two; a trace is compiled by itself, which takes as long again.
            values = attack.trace(images)
            assert values[-1] < values[0], label


def test_the_families_are_all_that_keras_has():
    ours = {_read(network(family)) for family in FAMILIES}
    for name, backbone in keras_applications.KERAS_APPLICATIONS.items():
        images = tf_keras.Input([SIZE, SIZE, 3])
        build = getattr(tf_keras.applications, *backbone.layers.args)
        assert _read(tf_keras.Model(images, keras_applications._preprocess(images, build))) in ours, name


def _read(model):
    return tuple(np.round(models.normalization(model), 5).ravel())


@pytest.mark.parametrize("family", FAMILIES)
def test_normalised_space_is_the_networks_own_or_imagenets(family):
    attack = ATTACKS["reference"].attack.on(network(family), precision="float32")
    limits = attack._limits(tf.constant(_images()))
    mean, std = np.array(models.normalization(network(family)) if family in _OWN else [*layers.IMAGENET.values()])
    np.testing.assert_allclose(limits.epsilon, 0.1 * std, rtol=1e-5)
    np.testing.assert_allclose([limits.low, limits.high], [mean - 2.2 * std, mean + 2.2 * std], atol=1e-5)


@pytest.mark.parametrize("application", ["keras_mobilenetv3small", "keras_vgg16"])  # 0..255, Caffe
def test_the_reference_attack_through_a_network_of_keras(application):
    images = np.random.default_rng(6).uniform(size=(2, 32, 32, 3)).astype(np.float32)
    teacher = models.build(application, seed=1, image_size=32)
    adversarial = ATTACKS["reference"].attack.on(teacher, Budget(steps=3), precision="float32")(images).numpy()
    change = np.abs(adversarial - images)
    assert (change <= 0.1 * np.array(layers.IMAGENET["std"]) + 1e-6).all() and change.mean() > 0.005
    # The objective itself is 1000^2 to float32's precision: random weights give small features.
    driven = [teacher(x, training=False)["penultimate"][:, 0].numpy() for x in (images, adversarial)]
    assert (driven[1] > driven[0]).all()


def test_a_network_without_a_normalisation_is_refused():
    for unknown in (itself, tf_keras.Sequential([tf_keras.layers.ReLU()])):
        with pytest.raises(UserError, match='^the network has no layer "normalize": its mean and std are not known$'):
            attacks.PGD(unit="normalized").on(unknown)
