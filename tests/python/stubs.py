"""Python code for proto/, made on the spot: everything a client or worker in Python needs beside python3-grpcio.

Debian's protoc and its gRPC plugin make it (packages protobuf-compiler, protobuf-compiler-grpc): python3-grpc-tools there is of
2018 and does not know `optional`. With a newer grpcio-tools, `python -m grpc_tools.protoc --grpc_python_out=…` does the same.

    from stubs import task, task_rpc, worker, worker_rpc
"""
import atexit
import importlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

_proto = pathlib.Path(__file__).resolve().parents[2] / "proto"
_made = tempfile.mkdtemp(prefix="taskmaster-stubs-")
atexit.register(shutil.rmtree, _made, ignore_errors=True)
subprocess.run(
    ["protoc", f"-I{_proto}", f"--python_out={_made}", f"--plugin=protoc-gen-grpc={shutil.which('grpc_python_plugin')}",
     f"--grpc_out={_made}", "taskmaster/v1/task.proto", "taskmaster/v1/worker.proto"],
    check=True)
sys.path.insert(0, _made)

task = importlib.import_module("taskmaster.v1.task_pb2")
task_rpc = importlib.import_module("taskmaster.v1.task_pb2_grpc")
worker = importlib.import_module("taskmaster.v1.worker_pb2")
worker_rpc = importlib.import_module("taskmaster.v1.worker_pb2_grpc")
