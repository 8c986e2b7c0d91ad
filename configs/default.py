"""The embedded task: printed glyphs -> handwritten digits. Every key, once.

    python main.py --method=renofeation

A few minutes on two cores; with seed 0 clean accuracy 89.7 %, attack success 11.5 %, worst case 65.7 %.

A key that is None leaves a value to what declares it: the method (reno_tf/methods) or the attack
(reno_tf/attacks/registry.py). Change any key on the command line: --config.optimizer.learning_rate=0.005
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0  # of the draw of training images, their order and augmentation, random weights, dropout

    config.data = ConfigDict()
    config.data.name = "digits"  # a key of reno_tf.data.DATASETS, or tfds:NAME, any that tensorflow-datasets knows
    config.data.dir = placeholder(str)  # data.name=folder: the images; else archives that were fetched by hand
    config.data.shots = 4  # training images per class; 0 takes all
    config.data.fraction = 1.0  # part of those that is taken (paper, table 5)
    config.data.validation_per_class = 40  # held out for every choice of a number, as far as shots leave any; without
    # shots (0) it is a fifth of a class at most
    config.data.size = 32  # side of photos in pixels, after the crop; the embedded sets have their own
    config.data.max_pixels = 89_478_485  # width times height; a larger image is refused before it is decoded (Pillow's)
    config.data.skip_unreadable = False  # drop images that cannot be decoded, rather than fail
    config.data.cache = False  # keep the encoded photos in memory once they are read
    config.data.tfds_dir = placeholder(str)  # where tensorflow-datasets keeps what it built; None: its default

    config.model = ConfigDict()
    config.model.backbone = "resnet18_cifar"  # the teacher's; a key of reno_tf.models.BACKBONES (docs/models.md)
    config.model.weights = "glyphs"  # the teacher's: a name in pretrained/manifest.json, or FILE.safetensors; in an
    # audit also "student": those that the audited model has, as far as they are public
    config.model.student = placeholder(str)  # the student's backbone; None: the teacher's
    config.model.taps = ()  # layers that end the stages, for keras_*; (): found by rule (--mode=taps prints them)
    config.model.image_size = 0  # side of the input in pixels, for networks that take one size alone; 0: any size
    config.model.batch_norm_momentum = 0.9  # of the moving statistics kept at each step
    config.model.tap = "before_dropout"  # where a stage's features are read; or "after_dropout" (ablation)

    # The method's coefficients, which are its dataclass's fields; what is absent stays as declared there.
    config.method = ConfigDict()
    # None: as the method declares it.
    config.dropout = placeholder(float)  # rate of SpatialDropout2D after each stage (paper: 0.1 for Renofeation)
    config.swa = placeholder(bool)  # whether an averaging phase follows (paper: for Renofeation)
    config.optimizer = ConfigDict()
    config.optimizer.learning_rate = placeholder(float)  # cosine decay to 0
    config.optimizer.momentum = placeholder(float)  # torch's form
    config.optimizer.swa_learning_rate = placeholder(float)  # constant
    config.steps = ConfigDict()
    config.steps.train = placeholder(int)
    config.steps.passes = placeholder(float)  # over the training images: more steps, if they need it
    config.steps.swa = placeholder(int)
    config.steps.swa_period = placeholder(int)  # a snapshot after this many steps, twice as many, ...

    # What a task changes for all methods that start there: keys of optimizer, steps and method, by their last name.
    config.recipes = ConfigDict({"teacher": {}, "random": {}})

    config.precision = (
        "float32"  # of training; "mixed_bfloat16": weights, losses and statistics stay float32; or "auto"
    )
    config.distribution = "none"  # of training: "mirrored" over this machine's devices, "multi_worker" by TF_CONFIG
    config.batch_size = 32  # images, of all devices together (paper: 64; the embedded training set has 40)
    config.interval = 50  # steps between validations, checkpoints and rows of the history; divides the steps

    config.split = "test"  # what is attacked and counted; "validation" while a number is being chosen

    config.attack = ConfigDict()  # through the teacher alone
    # The headline's: a key of reno_tf.attacks.ATTACKS ("pixel" if None), tried on all images, and beside it `core`; or
    # "suite" (--mode=audit): all of `suite`, whose first is the headline's; or "quick": "pixel" and the three
    # disruptions that a first look finds best, by nine gradients of each of the first `images`, without the curve; or
    # "adaptive": the core, and what someone can do who copies the defence. NAME is all that the attack stands for,
    # "disruption stage2" one of it. The worst case, image by image, is over all of them.
    config.attack.preset = placeholder(str)
    config.attack.core = placeholder(tuple)  # None: reno_tf.evaluation.suite.CORE, ("disruption",)
    config.attack.suite = placeholder(tuple)  # None: reno_tf.evaluation.suite.WHOLE, every attack
    config.attack.images = 400  # the first of the split, on which all but the headline's are tried; 0: all
    config.attack.eight_bit = False  # adversarial images are 8-bit too: rounded inside of the ball, and kept as uint8
    # None: as the registry has it (reno_tf/attacks/registry.py).
    config.attack.epsilon = placeholder(float)  # L-infinity budget in [0, 1] pixels (reference: after mean/std)
    config.attack.step_size = placeholder(float)  # likewise; it follows epsilon unless it is given
    config.attack.steps = placeholder(int)  # gradients of each image
    config.attack.target_scale = placeholder(float)  # m (paper, section 5.1: 1000)
    config.attack.neuron = placeholder(int)  # which penultimate feature is driven to m (paper: the first)
    config.attack.restarts = placeholder(int)  # random starts; each image keeps the one with the best objective
    config.attack.neurons = (0, 1, 2, 3)  # for "neurons": the worst case for each image over these; (): all
    config.attack.own_images = 200  # that the attacker has, for "universal"; of the validation split if there is one
    config.attack.surrogate = "renofeation"  # method of the attacker's own student; for "ensemble" it also averages
    config.attack.seed = 0  # of the random start: not the run's, so one crafted set serves every run
    config.attack.precision = "auto"  # "float32", "bfloat16", or bfloat16 where the hardware has it
    config.attack.batch_size = 100  # images
    config.attack.cache = "runs/adversarial"  # crafted sets and surrogates, kept for every later run; "": no sets
    config.attack.cache_limit = 10.0  # GB of its own sets; above, those used longest ago are deleted

    config.curve = ConfigDict()  # attack success against epsilon
    # Times the attack's epsilon: the headline's, beside 1 and 0; below 1 also the core's. () leaves the curve out.
    config.curve.factors = (0.25, 0.5, 2.0, 5.0)
    config.curve.images = 200  # of the test split, the first

    config.watch = ConfigDict()  # in TensorBoard, while the student trains; costs time and changes no result
    config.watch.images = 0  # of the validation split, attacked and looked at after each interval
    config.watch.profile = False  # of ten steps, the tenth and those after it

    config.audit = ConfigDict()  # --mode=audit; "auto" is found by asking the model
    config.audit.student = placeholder(str)  # the model's file or folder, unless --student names it
    config.audit.input_range = "auto"  # what the model wants: "0..1", "-1..1", "caffe", ... (docs/audit.md)
    config.audit.geometry = "auto"  # how a photo becomes its input: "zoom", "crop", "squash" or "pad" (docs/audit.md)
    config.audit.outputs = (
        "auto"  # "logits", "probabilities", "log-probabilities", "sigmoids", "one sigmoid", "one logit"
    )
    config.audit.scores = placeholder(str)  # which of several outputs has the scores; None: "logits", or the only one
    config.audit.label_order = "auto"  # which output is which label; "given": in theirs; or "2,0,1": of each label, of
    # which several may have the same (docs/audit.md)

    config.pretrain = ConfigDict()  # --mode=pretrain
    config.pretrain.data = "glyphs"
    config.pretrain.validation_per_class = 10
    config.pretrain.steps = 3000
    config.pretrain.batch_size = 64
    config.pretrain.interval = 500
    config.pretrain.learning_rate = 0.05
    config.pretrain.weight_decay = 5e-5
    return config
