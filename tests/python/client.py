#!/usr/bin/python3
"""Submits a task over gRPC, waits for it and prints its result.

    client.py 127.0.0.1:8080 py.upper '{"text": "hello"}'
"""
import json
import sys

import grpc
from google.protobuf.duration_pb2 import Duration
from stubs import task, task_rpc


def submit_and_wait(address, kind, payload, seconds=30):
    with grpc.insecure_channel(address) as channel:
        service = task_rpc.TaskServiceStub(channel)
        spec = task.TaskSpec(kind=kind, payload=json.dumps(payload))
        submitted = service.Submit(task.SubmitRequest(task=spec), timeout=10).task
        return service.Wait(task.WaitRequest(id=submitted.id, timeout=Duration(seconds=seconds)), timeout=seconds + 10)


if __name__ == "__main__":
    address, kind, payload = sys.argv[1:]
    answer = submit_and_wait(address, kind, json.loads(payload))
    state = task.State.Name(answer.task.state).removeprefix("STATE_").lower()
    print(json.dumps({"id": answer.task.id, "state": state, "worker": answer.task.worker,
                      "result": json.loads(answer.task.result or "null")}))
    sys.exit(0 if state == "succeeded" else 1)
