"""Checks what a file holds before anything in it is built or run: classes of Keras, and operations that compute."""

import functools
import importlib
import inspect
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py

from reno_tf import archives, kerashub
from reno_tf.errors import UserError, one_line

_ADVICE = "export the model as a SavedModel, whose operations are listed before it runs"
MOST_JSON = 50 * 10**6  # bytes of a config

_MODULES = re.compile(r"(keras|tf_keras|tensorflow\.keras|tensorflow\.python\.keras)(\.\w+)*|builtins")
_PARTS = ("layers", "initializers", "regularizers", "constraints", "models", "mixed_precision", "dtype_policies")
# They run code, or read what a path in the config names.
_UNSAFE = {
    *("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
    *("StringLookup", "IntegerLookup", "TextVectorization"),
}
_RUN_CODE = {f"the class {name!r}" for name in _UNSAFE}
_PLAIN = {
    *("__keras_tensor__", "__tensor__", "__numpy__", "__tuple__", "__ellipsis__", "__slice__"),
    *("TensorShape", "Functional", "Model", "Sequential"),
}
_OPERATIONS = ("numpy", "nn", "image", "math")  # Modules of keras.src.ops; others call their arguments.
_CALLS = {"TFOpLambda", "SlicingOpLambda"}  # They name a function of TensorFlow.
_COMPUTING = re.compile(
    r"__operators__\.\w+|math\.\w+|nn\.\w+|cast|reshape|concat|stack|unstack|split|transpose|identity|squeeze|expand_dims|"
    r"tile|pad|gather|clip_by_value|zeros_like|ones_like|where|strided_slice|slice|shape|convert_to_tensor|"
    r"compat\.v1\.(shape|transpose|pad|gather)|image\.(resize|rgb_to_grayscale|per_image_standardization|central_crop)|"
    r"image\.(adjust_\w+|flip_\w+|convert_image_dtype|resize_with_crop_or_pad)"
)

# Operations with a state that a model's own computation needs; of those without one all but `_OUTSIDE` only compute.
_STATEFUL = {
    *("VarHandleOp", "ReadVariableOp", "AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp", "VariableV2"),
    *("Variable", "VarIsInitializedOp", "VariableShape", "ResourceGather", "ResourceGatherNd", "DisableCopyOnRead"),
    *("StatefulPartitionedCall", "If", "While", "Case", "Assert", "CheckNumerics", "CheckNumericsV2", "GuaranteeConst"),
    *("RandomUniform", "RandomUniformInt", "RandomStandardNormal", "TruncatedNormal", "Multinomial", "RandomShuffle"),
    *("StatefulStandardNormalV2", "StatefulTruncatedNormal", "StatefulUniform", "StatefulUniformFullInt", "Empty"),
    *("StatefulUniformInt", "RngReadAndSkip", "RngSkip", "NonDeterministicInts", "StatelessRandomGetAlg"),
    *("TensorArrayV3", "TensorArrayReadV3", "TensorArrayWriteV3", "TensorArrayGatherV3", "TensorArrayScatterV3"),
    *("TensorArrayConcatV3", "TensorArraySplitV3", "TensorArraySizeV3", "TensorArrayCloseV3", "TensorArrayGradV3"),
    *("HashTableV2", "MutableHashTableV2", "AnonymousHashTable", "InitializeTableV2", "LookupTableFindV2"),
    *("LookupTableSizeV2", "LookupTableImportV2", "LookupTableExportV2", "LookupTableInsertV2", "_Arg", "_Retval"),
}
# Datasets of what is in memory already, with which an export decodes each image on its own.
_IN_MEMORY = {
    *("TensorDataset", "TensorSliceDataset", "MapDataset", "ParallelMapDatasetV2", "IgnoreErrorsDataset"),
    *("ConcatenateDataset", "BatchDatasetV2", "DatasetToSingleElement"),
}
_OUTSIDE = re.compile(
    r"ReadFile|MatchingFiles|GenerateVocabRemapping|EncodeProto|DecodeProtoV2|PyFuncStateless|_.*|Debug.*|Reader.*|"
    r"InitializeTableFromTextFile|Sharded.*|.*Dataset.*|.*Summary.*|Xla.*|TPU.*|Tpu.*|.*Host.*"
)
_CHECKPOINTS = {"SaveV2", "RestoreV2", "ShardedFilename", "MergeV2Checkpoints"}


def check_keras(path: str) -> bool:
    """Raises UserError unless the .keras or .h5 file names nothing but classes of Keras, and holds what it should.

    Returns whether it names classes of KerasHub, which only Keras 3 can build.
    """
    zipped, is_hdf5 = zipfile.is_zipfile(path), h5py.is_hdf5(path)
    if not zipped and not is_hdf5:
        raise UserError(f"{path} is not a .keras or .h5 file: it is cut short, or of another format")
    try:
        configs = [_check_archive(path)] if zipped else []
        configs += [_check_hdf5(path)] if is_hdf5 else []
    except (zipfile.BadZipFile, OSError, KeyError, RuntimeError, EOFError, NotImplementedError) as error:
        raise UserError(f"{path} is damaged: {one_line(error)}") from None
    return any(_is_of_hub(entry) for config in configs for entry in _objects(config))


def check_config(config, origin: str) -> None:
    """Raises UserError unless every object that the config describes is of Keras or KerasHub, and only computes."""
    for entry in _objects(config):
        name, module, registered_name = (entry.get(key) for key in ("class_name", "module", "registered_name"))
        if _is_of_hub(entry):
            kerashub.find_class(module, name, registered_name, origin)
            continue
        if module is not None and not (isinstance(module, str) and _MODULES.fullmatch(module)):
            raise UserError(f"{origin} names the module {module!r}, which is not Keras's; {_ADVICE}")
        inner = entry.get("config")
        if not isinstance(name, str):
            allowed, title = False, f"the class {name!r}"
        elif name == "function":
            allowed, title = isinstance(inner, str) and inner in _functions(), f"the function {inner!r}"
        elif name in _CALLS:
            function = inner.get("function") if isinstance(inner, dict) else None
            allowed = isinstance(function, str) and bool(_COMPUTING.fullmatch(function))
            title = f"the operation {function!r}"
        else:
            allowed, title = name in _classes(), f"the class {name!r}"
        if not allowed:
            why = "runs code of its own" if title in _RUN_CODE else "is not one of Keras's that are loaded"
            raise UserError(f"{origin} names {' '.join(title.split())[:120]}, which {why}; {_ADVICE}")
        if registered_name not in (None, name, inner if name == "function" else None):  # Keras looks it up first.
            raise UserError(f"{origin} gives {title} another registered name, {registered_name!r:.80}; {_ADVICE}")
    for text in _texts(config):
        if text in _registered():  # Keras takes such a text for the object itself.
            raise UserError(f"{origin} names the registered object {text!r:.80} in a value; {_ADVICE}")


def check_json(path: Path):
    """The config in a JSON file, checked. Raises UserError as `check_config` does, and for a file that is not JSON."""
    archives.refuse_stand_in(path)
    if path.stat().st_size > MOST_JSON:
        raise UserError(f"{path} holds a config of more than {MOST_JSON} bytes")
    config = read_json(path.read_bytes(), path)
    check_config(config, str(path))
    return config


def check_weights(path: Path) -> None:
    """Raises UserError unless the HDF5 file is there, and holds arrays alone, of the size that is stored."""
    if not path.is_file():
        raise UserError(f"there is no {path.name} in {path.parent}")
    archives.refuse_stand_in(path)
    try:
        with h5py.File(path, "r") as file:
            archives.check_hdf5(file, str(path), stored=path.stat().st_size)
    except (OSError, KeyError, RuntimeError) as error:
        raise UserError(f"{path} is damaged: {one_line(error)}") from None


def check_saved_model(path: str) -> None:
    """Raises UserError if the SavedModel would run an operation that reaches files, the network or Python."""
    from tensorflow.python.saved_model import loader_impl

    try:
        meta_graphs = loader_impl.parse_saved_model(path).meta_graphs
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not a SavedModel: {one_line(error)}") from None
    for meta_graph in meta_graphs:
        library = {function.signature.name: function for function in meta_graph.graph_def.library.function}
        nodes = {node.name: node for node in meta_graph.graph_def.node}
        run, restored = _reached(meta_graph, nodes)
        called = set(meta_graph.object_graph_def.concrete_functions) | set(_functions_of(run))
        for function in library.values():
            called |= set(_functions_of(function.node_def))
        for name, function in library.items():
            # Every SavedModel has functions that write and read checkpoints, and nothing that is run calls them.
            _check_operations(function.node_def, library.keys() | (set() if name in called else _CHECKPOINTS), path)
        _check_operations(run, library.keys(), path)
        _check_operations(restored, library.keys() | _CHECKPOINTS, path)


def _reached(meta_graph, nodes) -> tuple[list, list]:
    """The nodes of the main graph that signatures and initialisers run, and those that only the restoring runs."""
    roots = [tensor.name for signature in meta_graph.signature_def.values() for tensor in signature.outputs.values()]
    for key, collection in meta_graph.collection_def.items():
        if "op" in key and "init" in key or "main_op" in key:
            roots += collection.node_list.value
    run = _ancestors(roots, nodes)
    restored = _ancestors([meta_graph.saver_def.restore_op_name], nodes)
    return [nodes[name] for name in run], [nodes[name] for name in restored - run]


def _ancestors(roots, nodes) -> set[str]:
    ancestors, waiting = set(), [root.lstrip("^").partition(":")[0] for root in roots]
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in ancestors:
            ancestors.add(name)
            waiting += [source.lstrip("^").partition(":")[0] for source in nodes[name].input]
    return ancestors


def _functions_of(nodes) -> Iterator[str]:
    for node in nodes:
        yield node.op  # An older form of a call.
        for value in node.attr.values():
            yield from [value.func.name] if value.HasField("func") else [func.name for func in value.list.func]


def _check_operations(nodes, allowed, path):
    for node in nodes:
        if node.op not in allowed and not _computes(node.op):
            raise UserError(f"{path} runs {node.op}, which does more than compute; --trust opens it anyway")


@functools.cache
def _computes(operation: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    if operation in _STATEFUL | _IN_MEMORY:
        return True
    definition = op_def_registry.get(operation)
    if definition is None:  # A function's own name, in older graphs; or an unknown operation.
        return False
    return not definition.is_stateful and not _OUTSIDE.fullmatch(operation)


def _is_of_hub(entry) -> bool:
    return str(entry.get("module")).partition(".")[0] == kerashub.PACKAGE


def _values(config) -> Iterable:
    if isinstance(config, dict):
        return config.values()
    return config if isinstance(config, list) else ()


def _objects(config, depth: int = 0) -> Iterator[dict]:
    """Every dictionary of the config that describes an object, by a class's name or a module."""
    if depth > 500:
        raise UserError("the model's config is nested too deeply")
    if isinstance(config, dict) and ("class_name" in config or "module" in config):
        yield config
    for value in _values(config):
        yield from _objects(value, depth + 1)


def _texts(config) -> Iterator[str]:
    """Every text in the config, but for the registered names of the objects that it describes."""
    if isinstance(config, str):
        yield config
    described = isinstance(config, dict) and "class_name" in config
    for value in _values({**config, "registered_name": None} if described else config):
        yield from _texts(value)


def _registered() -> Iterable[str]:
    """The names under which libraries registered objects with Keras."""
    import keras
    import tf_keras

    return keras.saving.get_custom_objects().keys() | tf_keras.saving.get_custom_objects().keys()


@functools.cache
def _classes() -> set[str]:
    """The names of the classes of both Keras libraries that may be built."""
    import keras
    import tf_keras

    modules = [getattr(library, name, None) for library in (keras, tf_keras) for name in _PARTS]
    modules += [importlib.import_module(f"keras.src.ops.{name}") for name in _OPERATIONS]
    names = {name for module in modules if module for name, _ in inspect.getmembers(module, inspect.isclass)}
    return (names | _PLAIN) - _UNSAFE - _CALLS


@functools.cache
def _functions() -> set[str]:
    """The names of both Keras libraries' activations."""
    import keras
    import tf_keras

    modules = (keras.activations, tf_keras.activations)
    names = {name for module in modules for name, member in inspect.getmembers(module, callable)}
    return names - {"get", "serialize", "deserialize"}


def _check_archive(path):
    """Its config, checked."""
    with zipfile.ZipFile(path) as archive:
        archives.check_members(archive, path)
        names = archive.namelist()
        if "config.json" not in names:
            raise UserError(f"{path} is not a model of Keras: it holds no config.json")
        if archive.getinfo("config.json").file_size > MOST_JSON:
            raise UserError(f"{path} holds a config of more than {MOST_JSON} bytes")
        config = read_json(archive.read("config.json"), path)
        if isinstance(config, dict):
            config.pop("compile_config", None)  # The optimizer and the loss, which are not built.
        check_config(config, path)
        for name in names:
            if name.endswith((".h5", ".hdf5")):
                content = archive.read(name)
                with h5py.File(io.BytesIO(content), "r") as file:
                    archives.check_hdf5(file, path, stored=len(content))
    return config


def _check_hdf5(path):
    """Its config, checked."""
    with h5py.File(path, "r") as file:
        archives.check_hdf5(file, path, stored=Path(path).stat().st_size)
        if "model_config" not in file.attrs:
            raise UserError(f"{path} holds weights alone, not a model: save the whole model with model.save")
        config = read_json(file.attrs["model_config"], path)
        check_config(config, path)
        return config


def read_json(text, path):
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        raise UserError(f"{path} holds a config that is not JSON") from None
