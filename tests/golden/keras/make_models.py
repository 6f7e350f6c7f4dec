#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes the models keras3-*, of models/ and bad/: layers and layouts beyond those of the fixtures.

make_models.py DIRECTORY     with keras 3, h5py and numpy (no TensorFlow: KERAS_BACKEND=numpy)

Each becomes DIRECTORY/models/NAME/ with the model and, as Keras itself computes
them, the outputs for 64 rows in expected.json, or DIRECTORY/bad/NAME/.  Those
that Keras never writes (filters, links, shards in an archive) are its own files,
changed; the expected outputs are those of the model that was changed.
"""
import json
import os
import pathlib
import shutil
import sys
import zipfile

os.environ["KERAS_BACKEND"] = "numpy"
import h5py
import keras
import numpy as np
from keras import layers

OUT = pathlib.Path(sys.argv[1])
INPUTS = 10


def chain(*inner, width=INPUTS):
    return keras.Sequential([keras.Input((width,)), *inner])


def functional():
    inputs = keras.Input((INPUTS,), name="features")
    x = layers.Dense(8, name="hidden")(inputs)
    layers.Dense(3, name="aside")(x)
    x = layers.Activation("tanh")(layers.Dropout(0.2)(x))
    return keras.Model(inputs, layers.Dense(1, "sigmoid", name="migrate")(x))


def nested():
    inside = chain(layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dense(6, "relu"))
    inputs = keras.Input((INPUTS,))
    x = inside(layers.Normalization()(inputs))
    return keras.Model(inputs, layers.Dense(1, "sigmoid")(x))


def shared():
    same = layers.Dense(INPUTS, "tanh")
    inputs = keras.Input((INPUTS,))
    return keras.Model(inputs, layers.Dense(1, "sigmoid")(same(same(inputs))))


def residual():
    inputs = keras.Input((INPUTS,))
    return keras.Model(inputs, layers.Dense(1)(layers.Add()([layers.Dense(INPUTS)(inputs), inputs])))


def two_inputs():
    a, b = keras.Input((INPUTS,)), keras.Input((INPUTS,))
    return keras.Model([a, b], layers.Dense(1)(layers.Add()([a, b])))


GOOD = {
    "batchnorm": lambda: chain(
        layers.BatchNormalization(), layers.Dense(8, "relu"), layers.BatchNormalization(scale=False),
        layers.Dense(8, use_bias=False), layers.BatchNormalization(center=False, epsilon=0.01),
        layers.Activation("relu"), layers.Dropout(0.3), layers.Dense(1)),
    "activations": lambda: chain(
        layers.Dense(8), layers.LeakyReLU(0.05), layers.Dense(8, "elu"), layers.Dense(8), layers.ELU(0.5),
        layers.Dense(8), layers.ReLU(max_value=6.0), layers.Dense(8, layers.LeakyReLU()),
        layers.Dense(8, "relu6"), layers.Dense(8, "leaky_relu"), layers.Dense(1, "sigmoid")),
    "softmax": lambda: chain(layers.Dense(8, "relu"), layers.Dense(2), layers.Softmax()),
    "rescale": lambda: chain(
        layers.Rescaling(1 / 127.5, offset=-1), layers.Dense(8, "relu"), layers.GaussianNoise(0.1),
        layers.Rescaling([1, 2, 3, 4, 5, 6, 7, 8]), layers.Dense(1, "sigmoid")),
    "flatten": lambda: keras.Sequential([
        keras.Input((2, 5)), layers.Flatten(), layers.Dense(8, "relu"), layers.Reshape((8,)),
        layers.Identity(), layers.Dense(1, "sigmoid")]),
    "twelve": lambda: chain(*[layers.Dropout(0.1) for _ in range(12)],
                            *[layers.Dense(4 + i, "tanh") for i in range(7)], layers.Dense(1, "sigmoid")),
    "inverted": lambda: chain(
        layers.Normalization(mean=0.5, variance=4.0), layers.Normalization(invert=True, mean=1.0, variance=2.0),
        layers.Dense(8, "relu"), layers.Dense(1, "sigmoid")),
    "double": lambda: chain(layers.Dense(8, "relu", dtype="float64"), layers.Dense(1, "sigmoid", dtype="float64")),
    "half": lambda: chain(layers.Dense(8, "relu", dtype="float16"), layers.Dense(1, "sigmoid", dtype="float32")),
    "functional": functional,
    "nested": nested,
    "shared": shared,
}
BAD = {
    "residual": residual,
    "two-inputs": two_inputs,
    "selu": lambda: chain(layers.Dense(8, "selu"), layers.Dense(1)),
    "prelu": lambda: chain(layers.Dense(8), layers.PReLU(), layers.Dense(1)),
    "rows": lambda: keras.Sequential([keras.Input((2, 5)), layers.Dense(8), layers.Flatten(), layers.Dense(1)]),
    "nine": lambda: chain(*[layers.Dense(4, "tanh") for _ in range(8)], layers.Dense(1)),
    "wide": lambda: chain(layers.Dense(257, "relu"), layers.Dense(1)),
}
# Where Keras computes with fewer digits than we do.
TOLERANCE = {"half": 2e-3}


def make(kind, build):
    keras.utils.clear_session()
    random = np.random.default_rng(len(kind) * 1000 + sum(map(ord, kind)))
    model = build()
    for weight in model.weights:
        if "count" in weight.path or "seed" in weight.path:
            continue
        values = random.normal(0, 0.5, weight.shape)
        weight.assign((np.abs(values) + 0.1 if "variance" in weight.path else values).astype(np.float32))
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    return model, random


def write_expected(kind, model, random, directory):
    rows = random.uniform(-3, 3, (64, INPUTS)).astype(np.float32)
    outputs = np.asarray(model(rows.reshape(64, *model.input_shape[1:]), training=False)).astype(np.float32)
    text = {
        "producer": f"keras {keras.__version__}",
        "tolerance": TOLERANCE.get(kind, 2e-6),
        "inputs": rows.tolist(),
        "outputs": outputs[:, 0].tolist() if outputs.shape[1] == 1 else outputs.tolist(),
    }
    (directory / "expected.json").write_text(json.dumps(text) + "\n")


def directory(*names):
    path = OUT.joinpath(*names)
    path.mkdir(parents=True, exist_ok=True)
    return path


def variant(kind, change, bad=False):
    """A copy of a model that Keras wrote, as change(from, to directory) makes it."""
    source = directory("models", "keras3-batchnorm")
    target = directory("bad" if bad else "models", f"keras3-{kind}")
    change(source, target)
    if not bad:
        shutil.copy(source / "expected.json", target)


def rewrite(put, **options):
    """Copies model.h5 with each tensor written by put(group, name, values)."""
    def change(source, target):
        with h5py.File(source / "model.h5") as old, h5py.File(target / "model.h5", "w", **options) as new:
            new.attrs.update(old.attrs)
            def copy(name, item):
                if isinstance(item, h5py.Group):
                    new.require_group(name).attrs.update(item.attrs)
                else:
                    put(new.require_group(item.parent.name), name.split("/")[-1], item[()])
            old.visititems(copy)
    return change


def compressed(group, name, values):
    chunks = tuple(max(1, n * 2 // 3) for n in values.shape)
    group.create_dataset(name, data=values, chunks=chunks, compression="gzip", shuffle=True)


def lzf(group, name, values):
    group.create_dataset(name, data=values, chunks=values.shape, compression="lzf")


def external_data(group, name, values):
    group.create_dataset(name, values.shape, "f4", external=[("weights.raw", 0, h5py.h5f.UNLIMITED)])


def external_link(group, name, values):
    group[name] = h5py.ExternalLink("other.h5", "/" + name)


def soft_link(group, name, values):
    group[name] = h5py.SoftLink("/elsewhere")


def virtual(group, name, values):
    layout = h5py.VirtualLayout(values.shape, "f4")
    layout[...] = h5py.VirtualSource("other.h5", "x", values.shape)
    group.create_virtual_dataset(name, layout)


def nan(group, name, values):
    values = np.array(values)
    if name == "kernel":
        values[1, 0] = np.nan
    group[name] = values


def huge(group, name, values):
    group.create_dataset(name, (1 << 20, 1 << 20) if values.ndim == 2 else values.shape, "f4")


def integers(group, name, values):
    group[name] = values.astype(np.int8)


def archive(change):
    """Copies model.keras; change(name, data) gives the members that take a member's place."""
    def copy(source, target):
        with zipfile.ZipFile(source / "model.keras") as old, zipfile.ZipFile(target / "model.keras", "w") as new:
            for member in old.namelist():
                for name, data, method in change(member, old.read(member)):
                    new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, method)
    return copy


def shards(layers_each):
    """Weights in shards, each with so many layers."""
    def change(name, data):
        if name != "model.weights.h5":
            return [(name, data, zipfile.ZIP_STORED)]
        members, places = [], {}
        pathlib.Path("/tmp/shard-source.h5").write_bytes(data)
        with h5py.File("/tmp/shard-source.h5") as old:
            groups = list(old["layers"])
            for number, first in enumerate(range(0, len(groups), layers_each)):
                shard = f"model_{number:05}.weights.h5"
                with h5py.File("/tmp/shard.h5", "w") as new:
                    for group in groups[first:first + layers_each]:
                        old.copy(f"layers/{group}", new.require_group("layers"))
                        places[f"/layers/{group}/vars"] = shard
                members.append((shard, pathlib.Path("/tmp/shard.h5").read_bytes(), zipfile.ZIP_STORED))
        index = json.dumps({"metadata": {"total_size": 1}, "weight_map": places}).encode()
        return [("model.weights.json", index, zipfile.ZIP_STORED), *members]
    return archive(change)


def regroup(move):
    """Copies model.keras with the groups of its layers under other names."""
    def change(name, data):
        if name == "model.weights.h5":
            pathlib.Path("/tmp/regroup.h5").write_bytes(data)
            with h5py.File("/tmp/regroup.h5", "a") as file:
                for group in list(file["layers"]):
                    move(file, group)
                del file["layers"]
            data = pathlib.Path("/tmp/regroup.h5").read_bytes()
        return [(name, data, zipfile.ZIP_STORED)]
    return archive(change)


def windows(file, group):
    file.move(f"layers/{group}", f"layers\\{group}")


def gaps(file, group):
    stem, _, number = group.rpartition("_")
    if not number.isdigit():
        stem, number = group, "0"
    old = file.require_group("_layer_checkpoint_dependencies")
    file.move(f"layers/{group}", f"{old.name}/{stem}_{int(number) * 2}" if int(number) else f"{old.name}/{stem}")


def bomb(name, data):
    yield (name, data + b" " * (900 << 10) if name == "config.json" else data, zipfile.ZIP_DEFLATED)


def deep(name, data):
    yield (name, b"[" * 100000 if name == "config.json" else data, zipfile.ZIP_STORED)


def objects(name, data):
    yield (name, b"[" + b"{}," * 40000 + b"{}]" if name == "config.json" else data, zipfile.ZIP_STORED)


def escape(name, data):
    yield (name, data, zipfile.ZIP_STORED)
    if name == "config.json":
        yield ("../../etc/cron.d/x", b"x", zipfile.ZIP_STORED)


def twice(name, data):
    yield (name, data, zipfile.ZIP_STORED)
    if name == "config.json":
        yield (name, data, zipfile.ZIP_STORED)


def npz(name, data):
    yield ("model.weights.npz" if name == "model.weights.h5" else name, data, zipfile.ZIP_STORED)


METADATA = json.dumps({"mlsched": 1, "schema": "seed10", "threshold": 0.25, "provenance": {"seed": 7}})


def metadata(name, data):
    yield (name, data, zipfile.ZIP_STORED)
    if name == "config.json":
        yield ("assets/mlsched.json", METADATA.encode(), zipfile.ZIP_STORED)


def attribute(source, target):
    shutil.copy(source / "model.h5", target)
    with h5py.File(target / "model.h5", "a") as file:
        file.attrs["mlsched"] = METADATA


def cycle(source, target):
    shutil.copy(source / "model.h5", target)
    with h5py.File(target / "model.h5", "a") as file:
        dense = file["model_weights/dense"]
        for name in ("a", "b", "c", "d"):
            dense[name] = dense


def legacy_weights(bad):
    def change(source, target):
        model, random = make("plain", lambda: chain(layers.Dropout(0.1), layers.Dense(6, "relu"),
                                                    layers.Dense(2 if bad else 1, "sigmoid")))
        model.save(target / "whole.h5")
        with h5py.File(target / "whole.h5") as old, h5py.File(target / "model.weights.h5", "w") as new:
            for group in old["model_weights"]:
                old.copy(f"model_weights/{group}", new)
            new.attrs.update(old["model_weights"].attrs)
        (target / "whole.h5").unlink()
        if not bad:
            write_expected("plain", model, random, target)
    return change


def activation_weights(source, target):
    model, _ = make("plain", lambda: chain(layers.Dense(6), layers.ReLU(), layers.Dense(1, "sigmoid")))
    model.save_weights(target / "model.weights.h5")


def main():
    for kind, build in GOOD.items():
        model, random = make(kind, build)
        target = directory("models", f"keras3-{kind}")
        # float16 and float64 layers: the numpy backend has no mixed arithmetic to save in .h5.
        model.save(target / "model.h5")
        model.save(target / "model.keras")
        write_expected(kind, model, random, target)
    for kind, build in BAD.items():
        model, _ = make(kind, build)
        model.save(directory("bad", f"keras3-{kind}") / "model.keras")
    for kind, change in {
        "gzip": rewrite(compressed), "latest": rewrite(lambda g, n, v: g.create_dataset(n, data=v), libver="latest"),
        "shards": shards(1), "two-shards": shards(4), "windows": regroup(windows), "gaps": regroup(gaps),
        "deflated": archive(lambda n, d: [(n, d, zipfile.ZIP_DEFLATED)]),
        "metadata-attribute": attribute, "metadata-member": archive(metadata),
    }.items():
        variant(kind, change)
    target = directory("models", "keras3-legacy-weights")
    legacy_weights(False)(None, target)
    for kind, change in {
        "lzf": rewrite(lzf), "external-data": rewrite(external_data), "external-link": rewrite(external_link),
        "soft-link": rewrite(soft_link), "virtual": rewrite(virtual), "nan": rewrite(nan), "huge": rewrite(huge),
        "integers": rewrite(integers), "bomb": archive(bomb), "deep": archive(deep), "objects": archive(objects),
        "escape": archive(escape), "twice": archive(twice), "npz": archive(npz), "cycle": cycle,
        "weights-two-outputs": legacy_weights(True), "weights-activation": activation_weights,
    }.items():
        variant(kind, change, bad=True)


if __name__ == "__main__":
    main()
