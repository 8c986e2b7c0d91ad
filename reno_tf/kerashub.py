"""KerasHub, an extra: which of its classes a file may name. Nothing here imports it before a file names it."""

import functools
import importlib.util
import inspect
import re
import sys

from reno_tf.errors import UserError, one_line

PACKAGE = "keras_hub"
_MODULES = re.compile(r"keras_hub\.src\.(models|layers)(\.\w+)+")
_REGISTERED = ("keras_hub", "keras_nlp")  # Packages that it registers each class under; its own name, and its former.


def require(origin: str) -> None:
    """Imports KerasHub. Raises UserError, which says what to install, where it is absent."""
    if importlib.util.find_spec(PACKAGE) is None:
        raise UserError(f"{origin} needs KerasHub: pip install 'reno-tf[hub]'")
    try:
        importlib.import_module(PACKAGE)
    except ImportError as error:  # One of its own needs is of another version.
        raise UserError(f"KerasHub, which {origin} needs, cannot be imported: {one_line(error)}") from None


def find_class(module, name, registered_name, origin: str) -> type:
    """The class of KerasHub that a file describes by these names, whatever stands there.

    Raises UserError where KerasHub is absent, or the names are not all of one class that computes with images.
    """
    require(origin)
    found = _classes().get((str(module), str(name)))
    aliases = (None, name, *(f"{package}>{name}" for package in _REGISTERED))
    if found is None or registered_name not in aliases or not _resolves_to(found, registered_name):
        title = " ".join(f"{module}.{name}".split())[:120]
        raise UserError(f"{origin} names {title!r}, which is not a layer, backbone or image classifier of KerasHub")
    return found


def _resolves_to(found, registered_name) -> bool:
    """Whether Keras takes that class for the registered name, which it looks up first."""
    import keras

    return keras.saving.get_registered_object(registered_name) in (None, found)


@functools.cache
def _classes() -> dict[tuple[str, str], type]:
    """{(module, name): class} of what computes with images: layers, backbones, image classifiers and their converters.

    No tokenizers, nothing else that prepares data, no other tasks.
    """
    import keras
    from keras_hub.src.layers.preprocessing.preprocessing_layer import PreprocessingLayer
    from keras_hub.src.tokenizers.tokenizer import Tokenizer

    hub = sys.modules[PACKAGE]
    of_images = (hub.layers.ImageConverter, hub.models.ImageClassifierPreprocessor, hub.models.ImageClassifier)
    of_others = (PreprocessingLayer, Tokenizer, hub.models.Preprocessor, hub.models.Task)
    modules = {name: module for name, module in sys.modules.items() if _MODULES.fullmatch(name)}
    return {
        (module_name, name): member
        for module_name, module in modules.items()
        for name, member in inspect.getmembers(module, inspect.isclass)
        if (member.__module__, member.__name__) == (module_name, name)
        and issubclass(member, keras.layers.Layer)
        and (issubclass(member, of_images) or not issubclass(member, of_others))
    }
