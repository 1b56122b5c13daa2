"""Makes tests/data/pytorch: weights of PyTorch's modules as safetensors files, each with an example of what goes in and
comes out. tests/io/pytorch_test.cpp loads them into heed's layers.

    python3 tests/parity/make_pytorch_files.py            writes them
    python3 tests/parity/make_pytorch_files.py --check    makes them anew and compares, writes nothing

Weights are rounded to float32 and outputs computed in float64, so that heed can be held against them in both.
"""
import json
import math
import pathlib
import random
import struct
import sys

import torch
from torch import nn

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data" / "pytorch"
TIME, SOURCE = [3, 1, 5], [2, 4, 3]  # the lengths of the sequences, as in tests/io/pytorch_test.cpp
DTYPES = {"F32": torch.float32, "F64": torch.float64}


# The format, in a few lines: PyTorch's users have the package safetensors for it.


def write(path, tensors, dtype):
    header, body = {}, b""
    for name, tensor in tensors.items():
        values = tensor.detach().to(DTYPES[dtype]).contiguous().flatten().tolist()
        data = struct.pack(f"<{len(values)}{'f' if dtype == 'F32' else 'd'}", *values)
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header, separators=(",", ":")).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def read(path):
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, info in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + at for at in info["data_offsets"])
        code, size = ("f", 4) if info["dtype"] == "F32" else ("d", 8)
        values = struct.unpack(f"<{(end - begin) // size}{code}", data[begin:end])
        tensors[name] = torch.tensor(values, dtype=DTYPES[info["dtype"]]).reshape(info["shape"])
    return tensors


# The modules. Each is called for one sequence at a time: x [tokens, features], source [tokens, features].


def causal(n):
    return torch.triu(torch.full((n, n), -math.inf, dtype=torch.float64), 1)


def attention(module, x, key, value):
    return module(x, key, value, need_weights=False)[0]


class Policy(nn.Module):
    """One of one's own: pytorch_test.cpp has it as a struct with the same names."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(5, 8)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, 0.0), 2, nn.LayerNorm(8))
        self.memory = nn.GRU(8, 6)
        self.actor = nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, 3))
        self.critic = nn.Linear(6, 1)

    def forward(self, x):
        h = self.encoder(torch.tanh(self.embed(x)).unsqueeze(1), causal(len(x)))
        h = self.memory(h)[0].squeeze(1)
        return torch.cat([self.actor(h), self.critic(h)], 1)


class HeedsTransformerPolicy(nn.TransformerEncoder):
    """heed::TransformerPolicy, by its names."""

    def __init__(self):
        layer = nn.TransformerEncoderLayer(8, 2, 32, 0.0, norm_first=True)
        super().__init__(layer, 2, nn.LayerNorm(8))
        for each in self.layers:
            each.activation = lambda x: nn.functional.gelu(x, approximate="tanh")
        self.embedding = nn.Linear(5, 8)
        self.policy = nn.Linear(8, 3)
        self.value = nn.Linear(8, 1)

    def forward(self, x):
        t = torch.arange(len(x), dtype=torch.float64).unsqueeze(1)
        w = 10000.0 ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)
        positions = torch.stack([torch.sin(t * w), torch.cos(t * w)], 2).flatten(1)
        h = super().forward((self.embedding(x) + positions).unsqueeze(1), causal(len(x))).squeeze(1)
        return torch.cat([self.policy(h), self.value(h)], 1)


def encoder_layer(norm_first, activation):
    return nn.TransformerEncoderLayer(6, 3, 10, 0.0, activation, norm_first=norm_first)


def decoder_layer(norm_first, activation):
    return nn.TransformerDecoderLayer(6, 2, 10, 0.0, activation, norm_first=norm_first)


def alone(module, x):
    return module(x)


def as_batch(module, x):
    return module(x.unsqueeze(1)).squeeze(1)


def recurrent(module, x):
    return module(x.unsqueeze(1))[0].squeeze(1)


def decoded(module, x, source):
    return module(x.unsqueeze(1), source.unsqueeze(1), tgt_mask=causal(len(x))).squeeze(1)


# name: (the module, how it is called, features of x, of the source or None)
MODULES = {
    "linear": (lambda: nn.Linear(5, 4), alone, 5, None),
    "linear_no_bias": (lambda: nn.Linear(5, 4, bias=False), alone, 5, None),
    "layer_norm": (lambda: nn.LayerNorm(5), alone, 5, None),
    "embedding": (lambda: nn.Embedding(7, 4), lambda m, x: m(x[:, 0].long()), 1, None),
    "attention": (lambda: nn.MultiheadAttention(6, 3), lambda m, x: attention(m, x, x, x), 6, None),
    "attention_no_bias": (
        lambda: nn.MultiheadAttention(6, 3, bias=False),
        lambda m, x: attention(m, x, x, x),
        6,
        None,
    ),
    "attention_widths": (
        lambda: nn.MultiheadAttention(6, 3, kdim=5, vdim=4),
        lambda m, x, source: attention(m, x, source, source[:, :4]),
        6,
        5,
    ),
    "attention_widths_no_bias": (
        lambda: nn.MultiheadAttention(6, 3, kdim=5, vdim=4, bias=False),
        lambda m, x, source: attention(m, x, source, source[:, :4]),
        6,
        5,
    ),
    "encoder_layer_post_relu": (lambda: encoder_layer(False, "relu"), as_batch, 6, None),
    "encoder_layer_post_gelu": (lambda: encoder_layer(False, "gelu"), as_batch, 6, None),
    "encoder_layer_pre_relu": (lambda: encoder_layer(True, "relu"), as_batch, 6, None),
    "encoder_layer_pre_gelu": (lambda: encoder_layer(True, "gelu"), as_batch, 6, None),
    "encoder_post": (lambda: nn.TransformerEncoder(encoder_layer(False, "relu"), 2), as_batch, 6, None),
    "encoder_pre": (lambda: nn.TransformerEncoder(encoder_layer(True, "gelu"), 2, nn.LayerNorm(6)), as_batch, 6, None),
    "decoder_layer_post": (lambda: decoder_layer(False, "relu"), decoded, 6, 6),
    "decoder_layer_pre": (lambda: decoder_layer(True, "gelu"), decoded, 6, 6),
    "decoder": (lambda: nn.TransformerDecoder(decoder_layer(True, "relu"), 2, nn.LayerNorm(6)), decoded, 6, 6),
    "transformer": (
        lambda: nn.Transformer(6, 2, 1, 1, 8, 0.0),
        lambda m, x, source: m(source.unsqueeze(1), x.unsqueeze(1), tgt_mask=causal(len(x))).squeeze(1),
        6,
        6,
    ),
    "gru": (lambda: nn.GRU(5, 4, 2, bidirectional=True), recurrent, 5, None),
    "lstm": (lambda: nn.LSTM(5, 4, 2, bidirectional=True), recurrent, 5, None),
    "policy": (Policy, alone, 5, None),
    "heeds_transformer_policy": (HeedsTransformerPolicy, alone, 5, None),
}


def call(name, module, x, source):
    """The answers to a ragged batch, one sequence after the other."""
    xs, sources = x.split(TIME), [] if source is None else source.split(SOURCE)
    run = MODULES[name][1]
    with torch.no_grad():
        return torch.cat([run(module, *of) for of in (zip(xs, sources) if sources else zip(xs))])


def build(name, weights):
    """The module with these weights, each of which must be one of its own."""
    module = MODULES[name][0]()
    module.load_state_dict({key: value.float() for key, value in weights.items()}, strict=True)
    return module.double().train()  # nothing is dropped; evaluating would take other ways through the same


def make(name):
    """The weights and the example, of numbers that are the same everywhere."""
    draw = random.Random(name)
    _, _, width, source_width = MODULES[name]

    def numbers(*shape):
        return torch.tensor([draw.uniform(-1, 1) for _ in range(math.prod(shape))], dtype=torch.float64).reshape(shape)

    weights = {key: numbers(*value.shape).float() for key, value in MODULES[name][0]().state_dict().items()}
    x, source = numbers(sum(TIME), width), None if source_width is None else numbers(sum(SOURCE), source_width)
    if name == "embedding":
        x = (x + 1).mul(3.5).floor()
    example = {"x": x, "y": call(name, build(name, weights), x, source)}
    if source is not None:
        example["source"] = source
    return weights, example


def check():
    names = {f"{name}{part}.safetensors" for name in MODULES for part in ("", "_example")}
    there = {path.name for path in FOLDER.iterdir()}
    wrong = [f"{name} is there or in MODULES, but not both" for name in sorted(names ^ there)]
    for name in MODULES if not wrong else []:
        weights, example = make(name)
        for made, path in ((weights, f"{name}.safetensors"), (example, f"{name}_example.safetensors")):
            kept = read(FOLDER / path)
            if kept.keys() != made.keys():
                wrong.append(f"{path} has {sorted(kept)}, expected {sorted(made)}")
                continue
            for key, value in made.items():
                if value.shape != kept[key].shape or not torch.allclose(value, kept[key], rtol=1e-12, atol=1e-12):
                    wrong.append(f"{path}: {key} is not what PyTorch {torch.__version__} gives")
    return wrong


def main():
    torch.set_num_threads(1)
    if sys.argv[1:] == ["--check"]:
        wrong = check()
        print("\n".join(wrong) or f"{len(MODULES)} modules: the files are as PyTorch {torch.__version__} gives them")
        sys.exit(bool(wrong))
    if sys.argv[1:]:
        sys.exit(__doc__)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in MODULES:
        weights, example = make(name)
        write(FOLDER / f"{name}.safetensors", weights, "F32")
        write(FOLDER / f"{name}_example.safetensors", example, "F64")


if __name__ == "__main__":
    main()
