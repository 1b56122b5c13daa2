"""ONNX's own checker, with the shapes inferred, for each model of a directory:  python3 check.py DIRECTORY"""
import pathlib
import sys

import onnx

models = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
for path in models:
    try:
        onnx.checker.check_model(onnx.load(path), full_check=True)
    except Exception as error:
        sys.exit(f"{path}: {error}")
print(f"{len(models)} models are as ONNX wants them")
sys.exit(0 if models else 1)
