"""Puts the weights that heed saved into PyTorch's modules, all and by their own names, and compares the answers.

    HEED_FILES_FOR_PYTORCH=directory build/tests/heed_tests "pytorch: what heed saves*"
    python3 tests/parity/read_heed_file.py directory
"""
import pathlib
import sys

import torch

sys.dont_write_bytecode = True
from make_pytorch_files import MODULES, build, call, read


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    folder, worst = pathlib.Path(sys.argv[1]), 0.0
    for name in MODULES:
        module = build(name, read(folder / f"{name}.safetensors"))
        example = {key: value.double() for key, value in read(folder / f"{name}_example.safetensors").items()}
        y = call(name, module, example["x"], example.get("source"))
        error = (y - example["y"]).abs().max().item()
        worst = max(worst, error)
        if y.shape != example["y"].shape or not error <= 1e-5:
            sys.exit(f"{name}: heed and PyTorch differ by {error:g}")
    print(f"{len(MODULES)} modules: what heed saved gives PyTorch {torch.__version__} the same answers to {worst:.1g}")


if __name__ == "__main__":
    main()
