"""The paper's runs: an ImageNet teacher, photos at 224x224, its hyper-parameters (sections 5.1 and 5.7).

    python main.py --mode=import_weights --config.model.backbone=resnet18 --file=resnet18-f37072fd.pth
    python main.py --mode=prepare_data --config.data.name=flowers
    python main.py --config=configs/paper.py:resnet18,flowers --method=renofeation

After the colon stand the teacher (resnet18, resnet50, resnet101, mobilenetv2, or any other backbone
of docs/models.md) and the data set (dogs, birds, actions, indoor, flowers, or folder). Made for a
GPU: the random starts take 90 000 steps of 64 images. The paper has, for ResNet-18, in percent:

                      dogs         birds        actions      indoor       flowers
                      clean/ASR    clean/ASR    clean/ASR    clean/ASR    clean/ASR
    finetune          81.84/89.36  77.67/50.33  77.19/73.75  75.37/54.75  95.71/14.07
    delta             84.39/95.65  78.75/58.83  77.69/93.51  78.36/79.71  95.90/43.65
    retraining        70.77/5.99   69.76/6.14   51.90/5.82   59.93/6.73   87.38/3.00

The paper's fine-tuning was tuned on each data set in a grid and its values are not all published;
DELTA's are, and the other methods that start from the teacher take them here.
"""

from configs import default

_NETWORKS = {"mobilenetv2": "mobilenet_v2"}  # the paper's name -> ours, where they differ
# (learning rate, weight decay, momentum, lambda) of DELTA; lambda of Renofeation
_DATA_SETS = {
    "flowers": ((0.005, 1e-4, 0.9, 0.1), 5.0),
    "indoor": ((0.01, 1e-4, 0.0, 0.5), 5.0),
    "actions": ((0.005, 0.0, 0.0, 1.0), 5.0),
    "birds": ((0.01, 0.0, 0.0, 0.1), 1.0),
    "dogs": ((0.01, 0.0, 0.0, 10.0), 5.0),
    "folder": ((0.005, 1e-4, 0.9, 0.1), 5.0),  # not the paper's: choose on a validation split
}


def get_config(which: str = "resnet18,flowers"):
    network, _, data_set = which.partition(",")
    if data_set not in _DATA_SETS:
        raise ValueError(
            f"configs/paper.py:{which} names no data set of the paper; "
            f"write NETWORK,DATASET, the latter one of: {', '.join(_DATA_SETS)}"
        )
    config = default.get_config()
    config.data.update(name=data_set, shots=0, validation_per_class=0, size=224)
    config.model.update(backbone=_NETWORKS.get(network, network), weights="imagenet")
    config.batch_size = 64
    config.interval = 1000
    config.attack.update(preset="reference", batch_size=32)
    config.recipes.teacher.update(train=30_000, swa=30_000, swa_period=500)
    config.recipes.random.update(train=90_000, swa=30_000, swa_period=500)
    config.update(recipes(data_set))
    return config


def recipes(data_set: str) -> dict:
    """What differs between the data sets, as the config has it."""
    (learning_rate, weight_decay, momentum, delta_weight), renofeation_weight = _DATA_SETS[data_set]
    teacher = {
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "momentum": momentum,
        "feature_weight": delta_weight,
    }
    return {"recipes": {"teacher": teacher, "random": {"feature_weight": renofeation_weight}}}
