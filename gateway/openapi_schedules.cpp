// The shapes of /v1/schedules; schedule_json.cpp writes and reads the same names.
#include "gateway/openapi.hpp"

namespace taskmaster {

const char* const openapi_schedule_schemas = R"__json__({
  "ScheduleSpec": {
    "type": "object", "required": ["task"], "additionalProperties": false,
    "description": "Exactly one of cron, every and rrule",
    "properties": {
      "name": {"$ref": "#/components/schemas/Name"},
      "cron": {"type": ["string", "null"], "examples": ["*/5 * * * *", "30 3 * * mon-fri", "~ * * * *", "@daily"]},
      "every": {"type": ["string", "null"], "description": "A duration of at least 1s", "examples": ["10m"]},
      "anchor": {"$ref": "#/components/schemas/MaybeTime", "description": "Where every is counted from; DTSTART of rrule"},
      "rrule": {"type": ["string", "null"], "description": "RFC 5545", "examples": ["FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=0"]},
      "timezone": {"type": ["string", "null"], "default": "UTC", "examples": ["Europe/Berlin"]},
      "jitter": {"$ref": "#/components/schemas/MaybeText", "description": "Each task runs up to this much later, by a hash of name and instant"},
      "starts_at": {"$ref": "#/components/schemas/MaybeTime"},
      "ends_at": {"$ref": "#/components/schemas/MaybeTime", "description": "Both inclusive"},
      "overlap": {"type": ["string", "null"], "enum": ["allow", "skip", "buffer_one", "cancel_running", null], "default": "allow"},
      "misfire": {"type": ["string", "null"], "enum": ["skip", "one", "all", null], "default": "one"},
      "misfire_window": {"$ref": "#/components/schemas/MaybeText", "description": "Older missed instants do not fire; 1h for all unless given, no limit for one"},
      "dst": {"type": ["object", "null"], "additionalProperties": false, "properties": {
        "gap": {"type": "string", "enum": ["skip", "shift"], "default": "shift"},
        "overlap": {"type": "string", "enum": ["first", "both"], "default": "first"}}},
      "paused": {"type": ["boolean", "null"], "description": "Left out: as it is"},
      "task": {"$ref": "#/components/schemas/TaskSpec", "description": "Without run_at, delay, expires_at, unique_key and idempotency_key"}
    }
  },
  "Schedule": {
    "type": "object", "required": ["name", "version", "timezone", "overlap", "misfire", "paused", "task", "next_at", "warnings"],
    "properties": {
      "name": {"$ref": "#/components/schemas/Name"},
      "version": {"type": "integer", "description": "Of the definition"},
      "cron": {"$ref": "#/components/schemas/MaybeText"}, "every": {"$ref": "#/components/schemas/MaybeText"},
      "anchor": {"$ref": "#/components/schemas/MaybeTime"}, "rrule": {"$ref": "#/components/schemas/MaybeText"},
      "timezone": {"type": "string"}, "jitter": {"$ref": "#/components/schemas/Duration"},
      "starts_at": {"$ref": "#/components/schemas/MaybeTime"}, "ends_at": {"$ref": "#/components/schemas/MaybeTime"},
      "overlap": {"type": "string"}, "misfire": {"type": "string"}, "misfire_window": {"$ref": "#/components/schemas/MaybeText"},
      "dst": {"type": "object", "properties": {"gap": {"type": "string"}, "overlap": {"type": "string"}}},
      "paused": {"type": "boolean"}, "task": {"$ref": "#/components/schemas/TaskSpec"},
      "next_at": {"$ref": "#/components/schemas/MaybeTime", "description": "null: no further instant"},
      "last_at": {"$ref": "#/components/schemas/MaybeTime", "description": "The last instant that fired"},
      "buffered_at": {"$ref": "#/components/schemas/MaybeTime", "description": "An instant that waits for the end of an unfinished task"},
      "created_at": {"$ref": "#/components/schemas/Time"}, "updated_at": {"$ref": "#/components/schemas/Time"},
      "tzdata": {"type": "string", "description": "Release of the time zones in use"},
      "warnings": {"type": "array", "items": {"type": "string"}}
    }
  },
  "ScheduleList": {
    "type": "object", "required": ["schedules", "next_cursor"],
    "properties": {"schedules": {"type": "array", "items": {"$ref": "#/components/schemas/Schedule"}}, "next_cursor": {"$ref": "#/components/schemas/MaybeText"}}
  },
  "ScheduleTrigger": {
    "type": ["object", "null"], "additionalProperties": false,
    "properties": {"overlap": {"type": "string", "enum": ["allow"], "description": "Although a task of it is unfinished and its policy is another one"}}
  },
  "ScheduleBackfill": {
    "type": "object", "required": ["from", "until"], "additionalProperties": false,
    "properties": {"from": {"$ref": "#/components/schemas/Time"}, "until": {"$ref": "#/components/schemas/Time"}, "overlap": {"type": "string", "enum": ["allow"]}}
  },
  "BackfillCounts": {"type": "object", "required": ["matched", "submitted"], "properties": {"matched": {"type": "integer"}, "submitted": {"type": "integer"}}},
  "SchedulePreview": {
    "type": "object", "required": ["instants", "warnings"],
    "properties": {"instants": {"type": "array", "items": {"$ref": "#/components/schemas/Time"}}, "warnings": {"type": "array", "items": {"type": "string"}}}
  },
  "ScheduleLedger": {
    "type": "object", "required": ["ledger", "next_cursor"],
    "properties": {
      "ledger": {"type": "array", "items": {"type": "object", "required": ["instant", "until", "count", "reason", "decided_at"], "properties": {
        "instant": {"$ref": "#/components/schemas/Time"},
        "until": {"$ref": "#/components/schemas/Time", "description": "The last of count, when many were decided on at once"},
        "count": {"type": "integer"}, "reason": {"type": "string", "enum": ["paused", "misfired", "overlapped"]},
        "decided_at": {"$ref": "#/components/schemas/Time"}}}},
      "next_cursor": {"$ref": "#/components/schemas/MaybeText"}
    }
  }
})__json__";

} // namespace taskmaster
