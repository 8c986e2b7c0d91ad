"""Asks a TF Serving server about image files; needs tensorflow and tensorflow-serving-api, and not this project.

python examples/serving_client.py grpc localhost:8500 renofeation-digits photo1.jpg photo2.png
python examples/serving_client.py rest localhost:8501 renofeation-digits photo1.jpg photo2.png
"""

import base64
import json
import sys
import urllib.request
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

_SECONDS = 30.0


def rest_request(server: str, model: str, files: list[bytes]) -> urllib.request.Request:
    """What TF Serving's REST interface takes: JSON, in which bytes are base64."""
    body = {"inputs": {"image_bytes": [{"b64": base64.b64encode(content).decode()} for content in files]}}
    url = f"http://{server}/v1/models/{model}:predict"
    return urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})


def grpc_request(model: str, files: list[bytes]) -> predict_pb2.PredictRequest:
    """What TF Serving's PredictionService takes."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(files, tf.string))
    return request


def ask_rest(server, model, files) -> dict[str, list]:
    with urllib.request.urlopen(rest_request(server, model, files), timeout=_SECONDS) as answer:
        return json.load(answer)["outputs"]


def ask_grpc(server, model, files) -> dict[str, list]:
    with grpc.insecure_channel(server) as channel:
        service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        outputs = service.Predict(grpc_request(model, files), timeout=_SECONDS).outputs
    return as_lists({name: tf.make_ndarray(proto) for name, proto in outputs.items()})


def as_lists(outputs) -> dict[str, list]:
    """Arrays as JSON would have them: text is str."""
    found = {}
    for name, values in outputs.items():
        values = values.tolist()
        found[name] = [value.decode() for value in values] if name in ("classes", "errors") else values
    return found


def lines(names: list[str], outputs: dict[str, list]):
    """What is said of each file; one that could not be decoded is told by its position and name."""
    for position, (name, found, error) in enumerate(zip(names, outputs["classes"], outputs["errors"], strict=True)):
        if error:
            yield f"{name}: image {position} is {error}"
        else:
            yield f"{name}: {found} ({max(outputs['probabilities'][position]):.1%})"


def main(arguments):
    if len(arguments) < 4 or arguments[0] not in ("grpc", "rest"):
        sys.exit(__doc__)
    way, server, model, *names = arguments
    ask = {"grpc": ask_grpc, "rest": ask_rest}[way]
    for line in lines(names, ask(server, model, [Path(name).read_bytes() for name in names])):
        print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
