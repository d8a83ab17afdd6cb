// The shapes that go in and come out over HTTP, as JSON Schema. task_json.cpp writes and reads the same names; a test compares them.
#include "gateway/openapi.hpp"

namespace taskmaster {

const char* const openapi_schemas = R"__json__({
  "Duration": {"type": "string", "examples": ["250ms", "1.5s", "1h30m"]},
  "Time": {"type": "string", "format": "date-time"},
  "MaybeTime": {"type": ["string", "null"], "format": "date-time"},
  "MaybeText": {"type": ["string", "null"]},
  "Name": {"type": "string", "pattern": "^[a-z0-9_.-]{1,64}$"},
  "State": {"type": "string", "enum": ["scheduled", "ready", "running", "succeeded", "failed", "cancelled", "expired"]},
  "Labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 256}, "maxProperties": 32},
  "Retry": {
    "type": "object", "additionalProperties": false,
    "description": "The wait before attempt n+1 is initial * factor^(failures-1), at most max, plus up to jitter of itself",
    "properties": {
      "initial": {"$ref": "#/components/schemas/Duration", "default": "1s"},
      "factor": {"type": "number", "minimum": 1, "default": 2},
      "max": {"$ref": "#/components/schemas/Duration", "default": "10m"},
      "jitter": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.1}
    }
  },
  "TaskSpec": {
    "type": "object", "required": ["kind"], "additionalProperties": false,
    "properties": {
      "kind": {"$ref": "#/components/schemas/Name", "description": "shell, http, or any name that a worker serves"},
      "payload": {"description": "Any JSON, at most 1 MiB", "default": null},
      "queue": {"$ref": "#/components/schemas/Name", "default": "default"},
      "run_at": {"$ref": "#/components/schemas/MaybeTime", "description": "Not before; within 10 years"},
      "delay": {"$ref": "#/components/schemas/MaybeText", "description": "A duration from now, instead of run_at"},
      "priority": {"type": ["integer", "null"], "minimum": 0, "maximum": 9, "default": 0, "description": "9 first"},
      "timeout": {"$ref": "#/components/schemas/MaybeText", "description": "A duration; none: as long as it takes"},
      "expires_at": {"$ref": "#/components/schemas/MaybeTime", "description": "Not started by then: expired"},
      "max_attempts": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000, "default": 5},
      "retry": {"$ref": "#/components/schemas/Retry"},
      "delivery": {"type": ["string", "null"], "enum": ["at_least_once", "at_most_once", null], "default": "at_least_once"},
      "unique_key": {"type": ["string", "null"], "maxLength": 256, "description": "Holds until the task is finished"},
      "idempotency_key": {"type": ["string", "null"], "maxLength": 256, "description": "As the header Idempotency-Key; for rows of a batch"},
      "concurrency_key": {"type": ["string", "null"], "maxLength": 256},
      "labels": {"$ref": "#/components/schemas/Labels"},
      "unique": {"$ref": "#/components/schemas/Unique"},
      "heartbeat_timeout": {"$ref": "#/components/schemas/MaybeText", "description": "A duration from 1s; a run without progress for so long is stopped"},
      "webhook": {"type": ["string", "null"], "maxLength": 2048, "description": "A URL that is told of its outcome by a signed POST (Standard Webhooks)"},
      "after": {
        "type": ["array", "null"], "maxItems": 10000, "description": "It starts when these have ended as they should; a graph (rows of a batch that wait for each other) is taken or refused whole",
        "items": {"oneOf": [{"type": "string", "description": "An id, or the ref of a row of the same batch"}, {"$ref": "#/components/schemas/After"}]}
      },
      "ref": {"type": ["string", "null"], "maxLength": 64, "description": "Its name in its batch"},
      "group": {"type": ["string", "null"], "maxLength": 64, "description": "What others may wait for together"}
    }
  },
  "Unique": {
    "type": ["object", "null"], "required": ["key"], "additionalProperties": false,
    "properties": {
      "key": {"type": "string", "maxLength": 256},
      "scope": {"type": ["string", "null"], "enum": ["until_finished", "while_waiting", "for_period", null], "default": "until_finished", "description": "How long the key is held; while_waiting: until the task is first handed out"},
      "period": {"$ref": "#/components/schemas/MaybeText", "description": "A duration from the submit on, with for_period"},
      "policy": {"type": ["string", "null"], "enum": ["return_first", "replace", "refuse", null], "default": "return_first", "description": "What a task that finds the key held does; replace: the holder, if it waits, becomes this task"}
    }
  },
  "TaskChange": {
    "type": "object", "minProperties": 1, "additionalProperties": false,
    "properties": {
      "payload": {},
      "queue": {"$ref": "#/components/schemas/Name"},
      "run_at": {"$ref": "#/components/schemas/Time"},
      "delay": {"$ref": "#/components/schemas/Duration"},
      "priority": {"type": ["integer", "null"], "minimum": 0, "maximum": 9},
      "timeout": {"$ref": "#/components/schemas/MaybeText"},
      "heartbeat_timeout": {"$ref": "#/components/schemas/MaybeText"},
      "expires_at": {"$ref": "#/components/schemas/MaybeTime"},
      "max_attempts": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000},
      "retry": {"$ref": "#/components/schemas/Retry"},
      "concurrency_key": {"type": ["string", "null"], "maxLength": 256},
      "labels": {"$ref": "#/components/schemas/Labels", "description": "All of them anew"}
    }
  },
  "After": {
    "type": "object", "additionalProperties": false, "description": "One of ref and group",
    "properties": {
      "ref": {"type": ["string", "null"], "description": "An id, or the ref of a row of the same batch"},
      "group": {"type": ["string", "null"], "description": "Every task of it that has not ended"},
      "on": {"type": ["string", "null"], "enum": ["succeeded", "finished", null], "default": "succeeded"},
      "else": {"type": ["string", "null"], "enum": ["cancel", "fail", "run", null], "default": "cancel", "description": "When it ends otherwise"}
    }
  },
  "TaskError": {
    "type": "object", "required": ["code", "message"],
    "properties": {"code": {"type": "string", "description": "exit, signal, timeout, http_status, connect, lost, ..."}, "message": {"type": "string"}}
  },
  "Task": {
    "type": "object",
    "required": ["id", "kind", "queue", "state", "payload", "run_at", "created_at", "attempt"],
    "properties": {
      "id": {"type": "string", "format": "uuid"},
      "kind": {"$ref": "#/components/schemas/Name"},
      "queue": {"$ref": "#/components/schemas/Name"},
      "state": {"$ref": "#/components/schemas/State"},
      "reason": {"$ref": "#/components/schemas/MaybeText"},
      "payload": {},
      "priority": {"type": "integer"},
      "run_at": {"$ref": "#/components/schemas/MaybeTime", "description": "null of a task that waits for others and has no time of its own"},
      "created_at": {"$ref": "#/components/schemas/Time"},
      "next_attempt_at": {"$ref": "#/components/schemas/MaybeTime"},
      "picked_at": {"$ref": "#/components/schemas/MaybeTime"},
      "started_at": {"$ref": "#/components/schemas/MaybeTime"},
      "finished_at": {"$ref": "#/components/schemas/MaybeTime"},
      "expires_at": {"$ref": "#/components/schemas/MaybeTime"},
      "timeout": {"$ref": "#/components/schemas/MaybeText"},
      "attempt": {"type": "integer"},
      "max_attempts": {"type": "integer"},
      "retry": {"$ref": "#/components/schemas/Retry"},
      "delivery": {"type": "string", "enum": ["at_least_once", "at_most_once"]},
      "unique_key": {"$ref": "#/components/schemas/MaybeText"},
      "concurrency_key": {"$ref": "#/components/schemas/MaybeText"},
      "labels": {"$ref": "#/components/schemas/Labels"},
      "worker": {"$ref": "#/components/schemas/MaybeText"},
      "fence": {"$ref": "#/components/schemas/MaybeText", "description": "Grows for ever; let what a task writes to refuse a smaller one"},
      "progress": {"type": ["object", "null"], "properties": {"percent": {"type": ["number", "null"]}, "message": {"$ref": "#/components/schemas/MaybeText"}}},
      "checkpoint": {"description": "What its last run left for the next, while it waits"},
      "deferrals": {"type": "integer", "description": "In a row; 100 end the task"},
      "heartbeat_timeout": {"$ref": "#/components/schemas/MaybeText"},
      "unique": {"$ref": "#/components/schemas/Unique"},
      "result": {},
      "error": {"oneOf": [{"$ref": "#/components/schemas/TaskError"}, {"type": "null"}]},
      "group": {"$ref": "#/components/schemas/MaybeText"}, "ref": {"$ref": "#/components/schemas/MaybeText"},
      "waits_for": {"type": "integer", "description": "How many tasks it waits for still"},
      "after": {"type": ["array", "null"], "items": {"$ref": "#/components/schemas/After"}, "description": "Which, up to 1,000; null in lists"},
      "schedule": {"$ref": "#/components/schemas/MaybeText", "description": "The schedule that submitted it"},
      "scheduled_for": {"$ref": "#/components/schemas/MaybeTime", "description": "The instant of the schedule that it stands for"},
      "webhook": {"$ref": "#/components/schemas/MaybeText"}
    }
  },
  "Event": {
    "type": "object", "required": ["id", "state", "queue", "kind", "attempt", "at"],
    "properties": {
      "id": {"type": "string", "format": "uuid", "description": "Of the task"},
      "state": {"$ref": "#/components/schemas/State", "description": "It came into this state"},
      "queue": {"$ref": "#/components/schemas/Name"},
      "kind": {"$ref": "#/components/schemas/Name"},
      "attempt": {"type": "integer"},
      "at": {"$ref": "#/components/schemas/Time"}
    }
  },
  "CancelledTask": {
    "allOf": [
      {"$ref": "#/components/schemas/Task"},
      {"type": "object", "required": ["cancel"], "properties": {"cancel": {"type": "string", "enum": ["cancelled", "cancel_requested"]}}}
    ]
  },
  "TaskList": {
    "type": "object", "required": ["tasks", "next_cursor"],
    "properties": {"tasks": {"type": "array", "items": {"$ref": "#/components/schemas/Task"}}, "next_cursor": {"$ref": "#/components/schemas/MaybeText"}}
  },
  "Batch": {
    "type": "object", "required": ["tasks"], "additionalProperties": false,
    "properties": {"tasks": {"type": "array", "maxItems": 10000, "items": {"$ref": "#/components/schemas/TaskSpec"}}}
  },
  "BatchResults": {
    "type": "object", "required": ["results"],
    "properties": {
      "results": {
        "type": "array",
        "items": {
          "oneOf": [
            {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "format": "uuid"}}},
            {"type": "object", "required": ["error"], "properties": {"error": {"$ref": "#/components/schemas/Problem"}}}
          ]
        }
      }
    }
  },
  "Attempt": {
    "type": "object", "required": ["attempt", "outcome"],
    "properties": {
      "attempt": {"type": "integer"},
      "losses": {"type": "integer", "description": "Workers lost with this task before this run"},
      "outcome": {"type": "string", "description": "succeeded, failed, lost, deferred, cancelled"},
      "reason": {"$ref": "#/components/schemas/MaybeText"},
      "worker": {"$ref": "#/components/schemas/MaybeText"},
      "fence": {"$ref": "#/components/schemas/MaybeText"},
      "picked_at": {"$ref": "#/components/schemas/MaybeTime"},
      "started_at": {"$ref": "#/components/schemas/MaybeTime"},
      "finished_at": {"$ref": "#/components/schemas/MaybeTime"},
      "error": {"oneOf": [{"$ref": "#/components/schemas/TaskError"}, {"type": "null"}]}
    }
  },
  "AttemptList": {
    "type": "object", "required": ["attempts", "next_cursor"],
    "properties": {"attempts": {"type": "array", "items": {"$ref": "#/components/schemas/Attempt"}}, "next_cursor": {"type": "null"}}
  },
  "Rate": {
    "type": ["object", "null"], "required": ["limit"], "additionalProperties": false,
    "description": "A token bucket: `limit` come in a period, at most `burst` wait; starting one task takes one",
    "properties": {
      "limit": {"type": "integer", "minimum": 1, "maximum": 1000000},
      "period": {"$ref": "#/components/schemas/Duration", "default": "1s", "description": "1ms to 1d"},
      "burst": {"type": "integer", "minimum": 1, "maximum": 1000000, "description": "As many as `limit` unless given"}
    }
  },
  "QueueSettings": {
    "type": "object", "additionalProperties": false,
    "properties": {
      "paused": {"type": ["boolean", "null"], "default": false},
      "concurrency": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000000, "description": "How many run at once; null: no limit"},
      "rate": {"$ref": "#/components/schemas/Rate"},
      "key_concurrency": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000000, "default": 1, "description": "Of each concurrency_key"},
      "key_rate": {"$ref": "#/components/schemas/Rate"},
      "weight": {"type": ["number", "null"], "minimum": 0.001, "maximum": 1000, "default": 1, "description": "Share beside other queues of the same priority"},
      "paused_kinds": {"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 1000},
      "paused_keys": {"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 1000}
    }
  },
  "QueuePart": {
    "type": "object", "additionalProperties": false, "description": "Neither: the whole queue",
    "properties": {"kind": {"type": ["string", "null"]}, "key": {"type": ["string", "null"]}}
  },
  "Explanation": {
    "type": "object", "required": ["state", "reasons"],
    "properties": {
      "state": {"$ref": "#/components/schemas/State"},
      "reasons": {"type": "array", "items": {
        "type": "object", "required": ["code", "detail", "until", "waits_for"],
        "properties": {
          "code": {"type": "string", "enum": ["not_due", "after", "queue_paused", "limit", "rate", "no_worker", "no_credit", "behind", "no_leader", "grace", "quarantined", "running", "finished"]},
          "detail": {"type": "string"},
          "until": {"$ref": "#/components/schemas/MaybeTime"},
          "waits_for": {"type": "array", "items": {"type": "string", "format": "uuid"}, "description": "Tasks that hold the limit or have to end first, up to 20"}
        }
      }}
    }
  },
  "BulkRequest": {
    "type": "object", "required": ["filter"], "additionalProperties": false,
    "properties": {
      "filter": {
        "type": "object", "minProperties": 1, "additionalProperties": false,
        "properties": {
          "queue": {"$ref": "#/components/schemas/Name"}, "kind": {"$ref": "#/components/schemas/Name"}, "group": {"type": "string"},
          "state": {"type": "string"}, "reason": {"type": "string"},
          "label": {"description": "key=value, or a list of them; all have to match",
                    "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
        }
      },
      "dry_run": {"type": "boolean", "default": false, "description": "Only count"},
      "rate": {
        "type": ["object", "null"], "required": ["limit"], "additionalProperties": false, "description": "Of a retry: so many become due in a period; none: all at once",
        "properties": {"limit": {"type": "integer", "minimum": 1, "maximum": 1000000}, "period": {"$ref": "#/components/schemas/Duration", "default": "1s"}}
      }
    }
  },
  "BulkCounts": {
    "type": "object", "required": ["matched", "changed", "dry_run"],
    "properties": {"matched": {"type": "integer"}, "changed": {"type": "integer"}, "dry_run": {"type": "boolean"}}
  },
  "Queue": {
    "type": "object", "required": ["name", "paused", "concurrency", "rate", "key_concurrency", "key_rate", "weight", "paused_kinds", "paused_keys", "scheduled", "ready", "running", "capped"],
    "properties": {
      "name": {"$ref": "#/components/schemas/Name"},
      "paused": {"type": "boolean"}, "concurrency": {"type": ["integer", "null"]}, "rate": {"$ref": "#/components/schemas/Rate"},
      "key_concurrency": {"type": "integer"}, "key_rate": {"$ref": "#/components/schemas/Rate"}, "weight": {"type": "number"},
      "paused_kinds": {"type": "array", "items": {"type": "string"}}, "paused_keys": {"type": "array", "items": {"type": "string"}},
      "scheduled": {"type": "integer"}, "ready": {"type": "integer"}, "running": {"type": "integer"},
      "capped": {"type": "boolean", "description": "scheduled and ready are counted up to 10,000"}
    }
  },
  "QueueList": {
    "type": "object", "required": ["queues", "next_cursor"],
    "properties": {"queues": {"type": "array", "items": {"$ref": "#/components/schemas/Queue"}}, "next_cursor": {"type": "null"}}
  },
  "Worker": {
    "type": "object", "required": ["id", "name", "state", "slots", "tasks"],
    "properties": {
      "id": {"type": "string"}, "name": {"type": "string"}, "incarnation": {"type": "string"}, "peer": {"type": "string"},
      "state": {"type": "string", "enum": ["connected", "draining", "lost"]},
      "queues": {"type": "array", "items": {"type": "string"}, "description": "Empty: all"},
      "kinds": {"type": "array", "items": {"type": "string"}},
      "slots": {"type": "integer"}, "credit": {"type": "integer"},
      "tasks": {"type": "array", "items": {"type": "string", "format": "uuid"}},
      "connected_at": {"$ref": "#/components/schemas/Time"}
    }
  },
  "WorkerList": {
    "type": "object", "required": ["workers", "next_cursor"],
    "properties": {"workers": {"type": "array", "items": {"$ref": "#/components/schemas/Worker"}}, "next_cursor": {"type": "null"}}
  },
  "Draining": {"type": "object", "required": ["id", "state"], "properties": {"id": {"type": "string"}, "state": {"const": "draining"}}},
  "ScheduleRequest": {
    "type": "object", "required": ["command", "scheduled_at"], "additionalProperties": false,
    "properties": {"command": {"type": "string", "minLength": 1}, "scheduled_at": {"$ref": "#/components/schemas/Time"}}
  },
  "ScheduleResponse": {
    "type": "object", "required": ["command", "scheduled_at", "task_id"],
    "properties": {
      "command": {"type": "string"}, "scheduled_at": {"type": "integer", "description": "Seconds since 1970"},
      "task_id": {"type": "string", "format": "uuid"}
    }
  },
  "StatusResponse": {
    "type": "object", "required": ["task_id", "command"],
    "properties": {
      "task_id": {"type": "string", "format": "uuid"}, "command": {"type": "string"},
      "scheduled_at": {"$ref": "#/components/schemas/Time"}, "picked_at": {"$ref": "#/components/schemas/Time"},
      "started_at": {"$ref": "#/components/schemas/Time"}, "completed_at": {"$ref": "#/components/schemas/Time"},
      "failed_at": {"$ref": "#/components/schemas/Time", "description": "Of every end but success"}
    }
  },
  "Alive": {"type": "object", "required": ["status"], "properties": {"status": {"const": "ok"}}},
  "Readiness": {
    "type": "object", "required": ["status", "database", "coordinator"],
    "properties": {
      "status": {"type": "string", "enum": ["ready", "unavailable"]},
      "database": {"type": "boolean"}, "coordinator": {"type": "boolean"}, "detail": {"type": "string"}
    }
  },
  "OpenApi": {"type": "object"},
  "Problem": {
    "type": "object", "required": ["type", "title", "status", "detail", "errors"],
    "properties": {
      "type": {"type": "string", "format": "uri-reference"}, "title": {"type": "string"}, "status": {"type": "integer"},
      "detail": {"type": "string"},
      "errors": {
        "type": "array",
        "items": {
          "type": "object", "required": ["field", "detail"],
          "properties": {"field": {"type": "string", "format": "json-pointer"}, "detail": {"type": "string"}}
        }
      }
    }
  }
})__json__";

} // namespace taskmaster
