#!/usr/bin/python3
"""A worker written from proto/taskmaster/v1/worker.proto alone, serving kinds of its own.

    worker.py 127.0.0.1:8080 [NAME]

A handler is a function of (payload, run): its return value is the task's result, an exception is a failure that is tried again.
`run` has what a handler may want: task_id, attempt, fence (to hand on to whatever it writes to), cancelled (a threading.Event), checkpoint
(what the last attempt left, or None) and report(percent, message, checkpoint), which goes with the next heartbeat.
"""
import concurrent.futures
import json
import queue
import signal
import sys
import threading
import time
import uuid

import grpc
from stubs import worker, worker_rpc

PROTOCOL = 1


class Refuse(Exception):
    """Raised by a handler for what no repetition will mend."""


class Run:
    """A task in this worker's hands, from its assignment until its result is acknowledged."""

    def __init__(self, assignment):
        self.assignment = assignment
        self.task_id, self.attempt, self.fence = assignment.task_id, assignment.attempt, assignment.fence.text
        self.cancelled = threading.Event()
        self.checkpoint = json.loads(assignment.checkpoint) if assignment.checkpoint else None
        self.said = {}  # of a Progress, since the last heartbeat
        self.started = False
        self.result = None  # a FinishedTask once it has ended

    def is_of(self, message):
        """Whether a message is about this very run, not another one of the same task."""
        mine, said = self.assignment.fence, message.fence
        return message.task_id == self.task_id and (said.term, said.sequence) == (mine.term, mine.sequence)

    def report(self, percent=None, message=None, checkpoint=None):
        said = dict(self.said)
        if percent is not None or message is not None:
            said["json"] = json.dumps({"percent": percent, "message": message})
        if checkpoint is not None:
            said["checkpoint"] = json.dumps(checkpoint)
        self.said = said

    def progress(self):
        """What is to be said with a heartbeat; None: nothing new."""
        said, self.said = self.said, {}
        return worker.Progress(task_id=self.task_id, fence=self.assignment.fence, **said) if said else None

    def held(self):
        a = self.assignment
        return worker.Held(task_id=a.task_id, attempt=a.attempt, losses=a.losses, fence=a.fence)

    def finished(self, outcome, **more):
        a = self.assignment
        if "checkpoint" in self.said:
            more["checkpoint"] = self.said["checkpoint"]  # no heartbeat has brought it
        return worker.FinishedTask(task_id=a.task_id, attempt=a.attempt, losses=a.losses, fence=a.fence, outcome=outcome, **more)


class Worker:
    def __init__(self, address, name, handlers, slots=4, queues=()):
        self.address, self.name, self.handlers, self.slots, self.queues = address, name, handlers, slots, queues
        self.incarnation = uuid.uuid4().hex
        self.runs = {}  # task id -> Run
        self.lock = threading.Lock()
        self.outbox = None  # of the current stream; None: not welcomed
        self.highest_term = 0
        self.lease_until = 0.0
        self.draining = False
        self.call = None
        self.sessions = 0
        self.pool = concurrent.futures.ThreadPoolExecutor(slots)

    # -- the life of the worker ------------------------------------------------------------------------------------------------

    def serve(self):
        """Runs sessions, one after the other, until drained; what is held is named when the next one begins."""
        while not (self.draining and not self.runs):
            try:
                self.session()
            except grpc.RpcError as error:
                print(f"no session: {error.code().name} {error.details()}", file=sys.stderr)
            with self.lock:
                self.outbox = None
            time.sleep(0.2)
        self.pool.shutdown()

    def drain(self):
        """No new tasks; what has not started goes back, what runs is finished. serve() returns when all is delivered."""
        with self.lock:
            self.draining = True
            self.say(worker.FromWorker(draining=worker.Draining()))
            for run in self.runs.values():
                if not run.started:
                    self.end(run, run.finished(worker.OUTCOME_RETURNED))
        self.leave_if_done()

    def session(self):
        outbox = queue.Queue()
        with self.lock:
            held = [run.held() for run in self.runs.values()]
            free = 0 if self.draining else self.slots - len(held)
        outbox.put(worker.FromWorker(hello=worker.Hello(
            protocol=PROTOCOL, name=self.name, incarnation=self.incarnation, queues=self.queues, kinds=sorted(self.handlers),
            slots=self.slots, credit=free, held=held, highest_term=self.highest_term)))
        with grpc.insecure_channel(self.address) as channel:
            self.call = worker_rpc.WorkerServiceStub(channel).Session(iter(outbox.get, None))
            beats = {}  # sequence of a heartbeat -> when it was sent
            over = threading.Event()
            try:
                for message in self.call:
                    what = message.WhichOneof("message")
                    if what == "welcome":
                        self.welcomed(message.welcome, outbox)
                        threading.Thread(target=self.beat, args=(message.welcome, outbox, beats, over), daemon=True).start()
                    elif what == "refused":
                        print(f"refused: {message.refused.message}", file=sys.stderr)
                        if message.refused.leader:
                            self.address = message.refused.leader
                        return
                    elif what == "heartbeat":
                        for fault in message.heartbeat.faults:
                            print(f"task {fault.task_id}: {fault.message}", file=sys.stderr)
                        # The lease counts from when we asked, not from when the answer came.
                        asked, lease = beats.pop(message.heartbeat.sequence, (0.0, 0.0))
                        self.lease_until = max(self.lease_until, asked + lease)
                        self.start_what_waits()
                    elif what == "assign":
                        self.assigned(message.assign.tasks)
                    elif what == "cancel":
                        self.cancelled(message.cancel)
                    elif what == "acknowledged":
                        self.acknowledged(message.acknowledged.tasks)
                    elif what == "drain":
                        self.drain()
            finally:
                over.set()
                outbox.put(None)

    def beat(self, welcome, outbox, beats, over):
        interval, lease = (x.ToTimedelta().total_seconds() for x in (welcome.heartbeat_interval, welcome.lease))
        sequence = 0
        while not over.is_set():
            sequence += 1
            beats[sequence] = (time.monotonic(), lease)
            with self.lock:
                said = [p for p in (run.progress() for run in self.runs.values() if not run.result) if p]
            outbox.put(worker.FromWorker(heartbeat=worker.Heartbeat(sequence=sequence, progress=said)))
            over.wait(interval)

    # -- what the coordinator says ---------------------------------------------------------------------------------------------

    def welcomed(self, welcome, outbox):
        with self.lock:
            self.sessions += 1
            self.highest_term = max(self.highest_term, welcome.term)
            for task_id, run in list(self.runs.items()):
                if not any(run.is_of(kept) for kept in welcome.keep):
                    run.cancelled.set()  # it runs elsewhere by now, or is finished
                    del self.runs[task_id]
            self.outbox = outbox
            if self.draining:
                self.say(worker.FromWorker(draining=worker.Draining()))
            for run in self.runs.values():
                if run.result:
                    self.say(worker.FromWorker(finished=worker.Finished(tasks=[run.result])))
        self.leave_if_done()

    def assigned(self, assignments):
        with self.lock:
            for assignment in assignments:
                run = self.runs[assignment.task_id] = Run(assignment)
                if self.draining:
                    self.end(run, run.finished(worker.OUTCOME_RETURNED))
        self.start_what_waits()

    def cancelled(self, cancel):
        with self.lock:
            run = self.runs.get(cancel.task_id)
            if run and run.is_of(cancel) and not run.result:
                run.cancelled.set()
                if not run.started:
                    self.end(run, run.finished(worker.OUTCOME_CANCELLED))

    def acknowledged(self, tasks):
        """Forgets results that are recorded, and runs that count no more; each frees a slot."""
        freed = 0
        with self.lock:
            for told in tasks:
                run = self.runs.get(told.task_id)
                if not run or not run.is_of(told) or (told.stale and told.term < self.highest_term):
                    continue
                run.cancelled.set()
                del self.runs[told.task_id]
                freed += 1
            if freed and not self.draining:
                self.say(worker.FromWorker(credit=worker.Credit(more=freed)))
        self.leave_if_done()

    # -- running ---------------------------------------------------------------------------------------------------------------

    def start_what_waits(self):
        with self.lock:
            if time.monotonic() >= self.lease_until:
                return  # not sure that these are still ours: the next answered heartbeat says so
            for run in self.runs.values():
                if not run.started and not run.result:
                    run.started = True
                    a = run.assignment
                    self.say(worker.FromWorker(started=worker.Started(
                        tasks=[worker.StartedTask(task_id=a.task_id, fence=a.fence)])))
                    self.pool.submit(self.perform, run)

    def perform(self, run):
        try:
            value = self.handlers[run.assignment.kind](json.loads(run.assignment.payload), run)
            if run.cancelled.is_set():
                finished = run.finished(worker.OUTCOME_CANCELLED)
            else:
                finished = run.finished(worker.OUTCOME_SUCCEEDED, result=json.dumps(value))
        except Refuse as error:
            finished = run.finished(worker.OUTCOME_REFUSED, error={"code": "refused", "message": str(error)})
        except TimeoutError as error:
            finished = run.finished(worker.OUTCOME_TIMEOUT, error={"code": "timeout", "message": str(error)})
        except Exception as error:  # whatever user code throws is its task's failure, not ours
            finished = run.finished(worker.OUTCOME_FAILED, error={"code": type(error).__name__, "message": str(error)})
        with self.lock:
            self.end(run, finished)

    def end(self, run, finished):
        """Keeps the result until it is acknowledged and sends it where there is a session. With the lock held."""
        run.result = finished
        if self.runs.get(run.task_id) is run:  # else it was dropped meanwhile: nobody wants the result
            self.say(worker.FromWorker(finished=worker.Finished(tasks=[finished])))

    def say(self, message):
        if self.outbox:
            self.outbox.put(message)

    def leave_if_done(self):
        with self.lock:
            if self.draining and not self.runs and self.outbox:
                self.outbox.put(None)  # closes our half; the session ends


def upper(payload, run):
    return {"text": payload["text"].upper(), "attempt": run.attempt}


def count(payload, run):
    """Counts to `to` in steps of 50 ms, and goes on where the last attempt was; fails once on the way at `fail_at`."""
    begin = run.checkpoint or 0
    for n in range(begin + 1, payload["to"] + 1):
        if run.cancelled.wait(0.05):
            raise TimeoutError("told to stop")
        run.report(percent=100 * n / payload["to"], message=f"{n} of {payload['to']}", checkpoint=n)
        if n == payload.get("fail_at") and run.attempt == 1:
            raise RuntimeError("half way")
    return {"began_at": begin}


if __name__ == "__main__":
    me = Worker(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "python-worker", {"py.upper": upper, "py.count": count})
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=me.drain).start())
    me.serve()
