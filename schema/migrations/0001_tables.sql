-- The tables. Unfinished work is small and hot (tasks), finished work is appended by day (task_history): completing a task is a
-- DELETE from the one and an INSERT into the other, 341 bytes of WAL where UPDATEs of a state column wrote 718. There are no
-- foreign keys: each would lock a row per insert. The CHECK constraints repeat the limits of schema/task.hpp for those who
-- come through SQL; a test compares the two.

-- Payload and results are JSON text kept as bytea: jsonb refuses "\u0000" and text refuses NUL, and one refused row fails its batch.
CREATE TABLE taskmaster.tasks (
  xid             xid8             NOT NULL DEFAULT pg_current_xact_id(), -- of its last change; what the scan walks
  run_at          timestamptz      NOT NULL,
  created_at      timestamptz      NOT NULL,
  expires_at      timestamptz,
  timeout         interval         NOT NULL DEFAULT '0',                  -- 0: none
  retry_initial   interval         NOT NULL DEFAULT '1 second',
  retry_max       interval         NOT NULL DEFAULT '10 minutes',
  retry_factor    double precision NOT NULL DEFAULT 2,
  retry_jitter    double precision NOT NULL DEFAULT 0.1,
  marked_term     bigint,                                                 -- fence of an at_most_once task's only dispatch
  marked_sequence bigint,
  id              uuid             NOT NULL,
  priority        integer          NOT NULL DEFAULT 0,
  max_attempts    integer          NOT NULL DEFAULT 5,
  attempt         integer          NOT NULL DEFAULT 1,
  failures        integer          NOT NULL DEFAULT 0,
  losses          integer          NOT NULL DEFAULT 0,
  deferrals       integer          NOT NULL DEFAULT 0,
  at_most_once    boolean          NOT NULL DEFAULT false,
  queue           text COLLATE "C" NOT NULL DEFAULT 'default',
  kind            text COLLATE "C" NOT NULL,
  reason          text,
  unique_key      text,
  concurrency_key text,
  labels          jsonb,                                                  -- NULL: none
  payload         bytea            NOT NULL,
  CONSTRAINT tasks_id PRIMARY KEY (id),
  CONSTRAINT queue_is_a_name CHECK (queue ~ '^[a-z0-9_.-]{1,64}$'),
  CONSTRAINT kind_is_a_name CHECK (kind ~ '^[a-z0-9_.-]{1,64}$'),
  CONSTRAINT priority_0_to_9 CHECK (priority BETWEEN 0 AND 9),
  CONSTRAINT max_attempts_1_to_1000 CHECK (max_attempts BETWEEN 1 AND 1000),
  CONSTRAINT at_most_once_has_one_attempt CHECK (NOT at_most_once OR max_attempts = 1),
  CONSTRAINT timeout_0_to_30_days CHECK (timeout BETWEEN '0' AND '30 days'),
  CONSTRAINT retry_makes_sense CHECK (retry_initial >= '0' AND retry_max >= '0' AND retry_factor >= 1
                                      AND retry_jitter BETWEEN 0 AND 1),
  CONSTRAINT unique_key_1_to_256_bytes CHECK (octet_length(unique_key) BETWEEN 1 AND 256),
  CONSTRAINT concurrency_key_1_to_256_bytes CHECK (octet_length(concurrency_key) BETWEEN 1 AND 256),
  CONSTRAINT labels_up_to_32 CHECK (labels IS NULL OR (jsonb_typeof(labels) = 'object'
                                    AND jsonb_array_length(jsonb_path_query_array(labels, '$.keyvalue()')) <= 32)),
  CONSTRAINT payload_up_to_1_mib CHECK (octet_length(payload) <= 1048576)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000, autovacuum_vacuum_insert_scale_factor = 0,
        autovacuum_vacuum_insert_threshold = 100000);
-- Windows of the plan: each bucket in the order of run_at. Its prefix gives the list of buckets by skipping.
CREATE INDEX tasks_window ON taskmaster.tasks (queue, kind, priority, run_at, id);
-- The scan: exact for late commits, and walks no entries of finished tasks.
CREATE INDEX tasks_xid ON taskmaster.tasks (xid, id);

-- A partition a day, by the UTC day of finishing. No default partition: one row in it would make ATTACH scan and lock it.
-- A unique id is impossible here (the partition key would have to be in it): "once" rests on inserting only what the DELETE returned.
CREATE TABLE taskmaster.task_history (
  run_at          timestamptz      NOT NULL,
  created_at      timestamptz      NOT NULL,
  expires_at      timestamptz,
  finished_at     timestamptz      NOT NULL,
  picked_at       timestamptz,
  started_at      timestamptz,
  timeout         interval         NOT NULL,
  retry_initial   interval         NOT NULL,
  retry_max       interval         NOT NULL,
  retry_factor    double precision NOT NULL,
  retry_jitter    double precision NOT NULL,
  marked_term     bigint,
  marked_sequence bigint,
  fence_term      bigint           NOT NULL, -- 0: it ended without a run
  fence_sequence  bigint           NOT NULL,
  id              uuid             NOT NULL,
  priority        integer          NOT NULL,
  max_attempts    integer          NOT NULL,
  attempt         integer          NOT NULL,
  failures        integer          NOT NULL,
  losses          integer          NOT NULL,
  deferrals       integer          NOT NULL,
  at_most_once    boolean          NOT NULL,
  queue           text COLLATE "C" NOT NULL,
  kind            text COLLATE "C" NOT NULL,
  state           text COLLATE "C" NOT NULL,
  reason          text,
  unique_key      text,
  concurrency_key text,
  worker          text,
  error_code      text,
  error_message   text,
  labels          jsonb,
  payload         bytea            NOT NULL,
  result          bytea,
  CONSTRAINT state_is_final CHECK (state IN ('succeeded', 'failed', 'cancelled', 'expired'))
) PARTITION BY RANGE (finished_at);
CREATE INDEX task_history_id ON taskmaster.task_history (id);
-- "What failed?" must not walk a day of successes.
CREATE INDEX task_history_unsuccessful ON taskmaster.task_history (state, id) WHERE state <> 'succeeded';

-- One row for each run that did not simply succeed; a success is in task_history.
CREATE TABLE taskmaster.attempts (
  task_id        uuid        NOT NULL,
  attempt        integer     NOT NULL,
  losses         integer     NOT NULL,
  fence_term     bigint      NOT NULL,
  fence_sequence bigint      NOT NULL,
  picked_at      timestamptz,
  started_at     timestamptz,
  finished_at    timestamptz NOT NULL,
  worker         text,
  outcome        text        NOT NULL,
  reason         text,
  error_code     text,
  error_message  text,
  CONSTRAINT attempts_run PRIMARY KEY (task_id, attempt, losses),
  CONSTRAINT outcome_is_known CHECK (outcome IN ('succeeded', 'failed', 'lost', 'deferred', 'cancelled', 'expired'))
);
CREATE INDEX attempts_finished_at ON taskmaster.attempts (finished_at);

-- 'unique' holds until its task is finished, 'idempotency' until expires_at.
CREATE TABLE taskmaster.keys (
  scope       text COLLATE "C" NOT NULL,
  key         text COLLATE "C" NOT NULL,
  task_id     uuid             NOT NULL,
  fingerprint bytea,
  expires_at  timestamptz,
  CONSTRAINT keys_key PRIMARY KEY (scope, key),
  CONSTRAINT scope_is_known CHECK (scope IN ('unique', 'idempotency')),
  CONSTRAINT key_1_to_256_bytes CHECK (octet_length(key) BETWEEN 1 AND 256)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX keys_expires_at ON taskmaster.keys (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE taskmaster.queues (
  name       text COLLATE "C" NOT NULL,
  created_at timestamptz      NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT queues_name PRIMARY KEY (name),
  CONSTRAINT name_is_a_name CHECK (name ~ '^[a-z0-9_.-]{1,64}$')
);

-- Exactly one row. The term must be the key: then a change of term takes the row lock that conflicts with the FOR KEY SHARE of every
-- leader's write, and a renewal, which touches no key column, waits for none of them.
CREATE TABLE taskmaster.leader (
  term          bigint      NOT NULL,
  previous_term bigint      NOT NULL,
  holder        text        NOT NULL,
  address       text        NOT NULL,
  asked_at      timestamptz,
  expires_at    timestamptz NOT NULL,
  backend_pids  integer[]   NOT NULL DEFAULT '{}', -- sessions that write for this term
  CONSTRAINT leader_term PRIMARY KEY (term)
) WITH (fillfactor = 10);
INSERT INTO taskmaster.leader (term, previous_term, holder, address, expires_at) VALUES (0, 0, '', '', '-infinity');

CREATE TABLE taskmaster.sessions (
  worker      text        NOT NULL,
  incarnation text        NOT NULL,
  term        bigint      NOT NULL,
  opened_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT sessions_session PRIMARY KEY (worker, incarnation)
);

-- One row: what is the same for the life of the cluster. gen_random_uuid() draws from the system's strong random numbers.
CREATE TABLE taskmaster.cluster (
  secret     bytea       NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO taskmaster.cluster (secret)
VALUES (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));
