"""Images x iterations / s of the attack on a teacher's penultimate features, beside its peers.

    pip install -c constraints.txt -e '.[bench]' && python benchmarks/attack.py

Every contender does the same: `--steps` signed-gradient steps that lower ||f - 1000 e_0||^2 on the
same images and weights, from the images themselves, in an L-infinity ball; the column "objective"
is what each reached. FLOPs are those of the forward pass, twice (the gradient for the input costs as many),
a multiplication and an addition counted apart; what else a contender computes, such as gradients
for the weights, is not counted. The matmul rates are TensorFlow's on square matrices, in the same rounds.
One network of the paper after the other; the peers of other projects run on the first of them only.
"""

import argparse
import itertools
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(_ROOT), str(_ROOT / "tools")]

import interleave  # noqa: E402

_EPSILON, _STEP, _SCALE = 0.1, 0.01, 1000.0
_BATCHES = {"resnet18": 32, "resnet34": 32, "resnet50": 16, "resnet101": 16, "mobilenet_v2": 16}
_PAPER = ("resnet18", "resnet50", "resnet101", "mobilenet_v2")
_OWN = ("ours bfloat16", "ours float32", "ours bfloat16, XLA", "ours float32, XLA", "PyTorch loop")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", nargs="+", default=_PAPER, choices=_BATCHES)
    parser.add_argument("--size", type=int, default=224, help="side of the images in pixels")
    parser.add_argument(
        "--batch", type=int, help="images; by default 32, and 16 for the networks that need more memory"
    )
    parser.add_argument("--steps", type=int, default=5, help="iterations of one run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=CONTENDERS)
    parser.add_argument("--output", default="results/benchmarks/attack.json")
    options = parser.parse_args()
    from reno_tf import files

    networks = {}
    for number, backbone in enumerate(options.backbones):
        work = {"backbone": backbone, "size": options.size, "steps": options.steps}
        work["batch"] = options.batch or _BATCHES[backbone]
        contenders = options.only or (_OWN if number else CONTENDERS)
        measured = interleave.measure(build, [*interleave.MATMULS, *contenders], rounds=options.rounds, **work)
        networks[backbone] = report(*measured, work)
        content = {"machine": interleave.machine(), "networks": networks}
        files.write_json(Path(options.output), content)  # After each: they take minutes.


def build(name, *, backbone, size, batch, steps):
    """The contender as a callable that attacks once; its first call, which is not timed, returns the objective."""
    interleave.use_threads()
    if name in interleave.MATMULS:
        return interleave.matmul(name)
    from benchmarks.peers import own, states

    teacher, images = own.build(backbone), states.random_images(batch, size, size)
    attack, calls = CONTENDERS[name](teacher, images, steps), itertools.count()

    def run():
        import numpy as np

        adversarial = np.asarray(attack())
        if next(calls):
            return None
        return float(_objective(teacher(adversarial, training=False)["penultimate"]))

    return run


def _objective(features):
    """Summed over images: each image's gradient is its own."""
    import tensorflow as tf

    target = _SCALE * tf.one_hot(0, features.shape[-1])
    return tf.reduce_sum(tf.math.squared_difference(features, target))


def ours(precision):
    """XLA off, also where "auto" would have it."""
    return _ours(precision, False)


def _ours(precision, jit_compile):
    def attack(teacher, images, steps):
        from reno_tf import attacks

        options = {"steps": steps, "step_size": _STEP, "epsilon": _EPSILON, "start": "zero"}
        crafted = attacks.penultimate_pgd(teacher, precision=precision, jit_compile=jit_compile, **options)
        return lambda: crafted(images)

    return attack


def xla(precision):
    """XLA on: where a GPU is visible, for on CPUs it is many times slower."""

    def attack(teacher, images, steps):
        interleave.require_gpu()
        return _ours(precision, True)(teacher, images, steps)

    return attack


def cleverhans(teacher, images, steps):
    """Its TensorFlow 2 attack, with the features in the logits' place."""
    import numpy as np
    import tensorflow as tf
    from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent

    def model(x):
        return teacher(x, training=False)["penultimate"]

    def loss(labels, logits):  # Untargeted cleverhans raises it.
        return -_objective(logits)

    images, labels = tf.constant(images), tf.zeros([len(images)], tf.int64)
    ball = {"eps": _EPSILON, "eps_iter": _STEP, "nb_iter": steps, "norm": np.inf, "clip_min": 0.0, "clip_max": 1.0}
    return lambda: projected_gradient_descent(model, images, **ball, y=labels, rand_init=None, loss_fn=loss)


def art(teacher, images, steps):
    """The Adversarial Robustness Toolbox's attack for TensorFlow 2, each feature a class."""
    import numpy as np
    import tensorflow as tf
    from art.attacks.evasion import ProjectedGradientDescent
    from art.estimators.classification import TensorFlowV2Classifier

    @tf.function  # As its documentation has it for Keras models' training; eager would be slower still.
    def model(x, training=False):
        return teacher(x, training=False)["penultimate"]

    width = teacher.output["penultimate"].shape[-1]
    classifier = TensorFlowV2Classifier(
        model,
        nb_classes=width,
        input_shape=images.shape[1:],
        loss_object=lambda labels, features: tf.reduce_sum(tf.math.squared_difference(features, _SCALE * labels)),
        clip_values=(0.0, 1.0),
    )
    ball = {"eps": _EPSILON, "eps_step": _STEP, "max_iter": steps, "batch_size": len(images), "verbose": False}
    attack = ProjectedGradientDescent(classifier, targeted=True, **ball)
    first = np.eye(1, width, dtype=np.float32).repeat(len(images), 0)
    return lambda: attack.generate(images, first)


def foolbox(teacher, images, steps):
    """Its attack on a TensorFlow model, with the objective in the cross-entropy's place."""
    import eagerpy
    import foolbox
    import tensorflow as tf

    model = tf.function(lambda x: teacher(x, training=False)["penultimate"])

    class Penultimate(foolbox.attacks.LinfProjectedGradientDescentAttack):
        def get_loss_fn(self, model, labels):
            return lambda x: eagerpy.astensor(-_objective(model(x.raw)))

    attack = Penultimate(abs_stepsize=_STEP, steps=steps, random_start=False)
    wrapped = foolbox.TensorFlowModel(model, bounds=(0, 1))
    images, labels = tf.constant(images), tf.zeros([len(images)], tf.int64)
    return lambda: attack.run(wrapped, images, labels, epsilon=_EPSILON)


def pytorch(teacher, images, steps):
    """The published code's loop: `loss.backward()` through the network, gradients of all its weights too."""
    import torch

    from benchmarks.peers import pytorch as peer

    device = interleave.torch_device()
    net = peer.build(teacher.name).to(device)
    clean = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(device)
    mean, std = peer.MEAN.to(device), peer.STD.to(device)

    def attack():
        x = clean.clone()
        for _ in range(steps):
            x.requires_grad_()
            features = net((x - mean) / std)["penultimate"]
            target = _SCALE * torch.nn.functional.one_hot(torch.tensor(0, device=device), features.shape[1])
            net.zero_grad()
            (features - target).square().sum().backward()
            x = x.detach() - _STEP * x.grad.sign()
            x = (clean + (x - clean).clamp(-_EPSILON, _EPSILON)).clamp(0, 1)
        return x.permute(0, 2, 3, 1).cpu().numpy()

    return attack


CONTENDERS = {
    "ours bfloat16": ours("bfloat16"),
    "ours float32": ours("float32"),
    "ours bfloat16, XLA": xla("bfloat16"),
    "ours float32, XLA": xla("float32"),
    "cleverhans": cleverhans,
    "ART": art,
    "Foolbox": foolbox,
    "PyTorch loop": pytorch,
}


def report(measured, skipped, work):
    """Prints the table of one network, and returns it for the JSON."""
    from models_table import flops

    from reno_tf import models

    per_image = 2 * flops(models.build(work["backbone"], image_size=work["size"]), work["size"])
    matmul, amount = interleave.matmul_rates(measured), work["batch"] * work["steps"]
    base = measured.get("PyTorch loop")
    rows = {}
    for name, entry in measured.items():
        rate = interleave.rates(entry, amount)
        dtype = "bfloat16" if "bfloat16" in name else "float32"
        rows[name] = {
            **rate,
            "times_pytorch": base and interleave.ratio(entry, base),
            "gflops": rate["median"] * per_image / 1e9,
            "share_of_matmul": rate["median"] * per_image / 1e9 / matmul[dtype]["median"],
            "objective": entry["result"],
            **{key: entry[key] for key in ("first_seconds", "seconds", "cpu_seconds")},
        }
    print(f"\n{work}, {interleave.machine()}, {per_image / 1e9:.2f} GFLOP for each image and iteration")
    columns = ("", "images x iterations / s", "x PyTorch loop", "GFLOP/s", "share of matmul", "objective")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for name, row in rows.items():
        times = "" if row["times_pytorch"] is None else f"{row['times_pytorch']:.2f}"
        print(
            f"| {name} | {row['median']:.1f} ({row['low']:.1f} to {row['high']:.1f}) | {times} | {row['gflops']:.0f} "
            f"| {100 * row['share_of_matmul']:.0f} % | {row['objective']:.6g} |"
        )
    for dtype, rate in matmul.items():
        print(f"| matmul {dtype} | | | {rate['median']:.0f} ({rate['low']:.0f} to {rate['high']:.0f}) | 100 % | |")
    for name, reason in skipped.items():
        print(f"\n{name} is left out: {reason}")
    return {"work": work, "contenders": rows, "matmul": matmul, "skipped": skipped}


if __name__ == "__main__":
    main()
