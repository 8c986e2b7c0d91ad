"""The ImageNet weights that this project ships, on real photographs."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from reno_tf import models
from reno_tf.models import weights

_PALACE, _DAISY = 698, 985  # of ImageNet's 1000 classes


@pytest.fixture(scope="module")
def photos():
    """scikit-learn's two sample photos, the middle square at 224x224."""
    found = []
    for pixels in load_sample_images().images:
        photo = Image.fromarray(pixels)
        side = min(photo.size)
        left, top = (photo.width - side) // 2, (photo.height - side) // 2
        middle = photo.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
        found.append(np.float32(middle) / 255)
    return np.stack(found)


def test_efficientnet_lite0_names_what_they_show(photos):
    model = models.build("efficientnet_lite0", num_classes=1000)
    path, _ = models.locate("efficientnet_lite0", "imagenet")
    weights.load(model, path, head=True)
    logits = model(photos, training=False)["logits"].numpy()
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert list(logits.argmax(axis=1)) == [_PALACE, _DAISY]
    # What the published file gives in float32.
    np.testing.assert_allclose(probabilities.max(axis=1), [0.3011, 0.2275], atol=0.002)
