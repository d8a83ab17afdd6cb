-- Schedules. The leader alone writes them (R4); R17: the task of an instant, its key, and the move of next_at are one call.

-- `definition` is when and how (schema/schedule.hpp); the task to submit stands beside it in the columns that tasks has, so that a firing
-- copies it within the database. `step` grows with every change and guards the next one.
CREATE TABLE taskmaster.schedules (
  created_at      timestamptz      NOT NULL DEFAULT clock_timestamp(),
  updated_at      timestamptz      NOT NULL DEFAULT clock_timestamp(), -- of this version
  next_at         timestamptz,                                         -- the first instant not decided on; NULL: no further one
  last_at         timestamptz,                                         -- the last instant that fired
  buffered_at     timestamptz,                                         -- waits for the end of an unfinished task
  step            bigint           NOT NULL DEFAULT 1,
  version         integer          NOT NULL,
  paused          boolean          NOT NULL DEFAULT false,
  name            text COLLATE "C" NOT NULL,
  tzdata          text             NOT NULL,                           -- release of the time zones that next_at was computed with
  definition      jsonb            NOT NULL,
  timeout         interval         NOT NULL,
  retry_initial   interval         NOT NULL,
  retry_max       interval         NOT NULL,
  retry_factor    double precision NOT NULL,
  retry_jitter    double precision NOT NULL,
  priority        integer          NOT NULL,
  max_attempts    integer          NOT NULL,
  at_most_once    boolean          NOT NULL,
  queue           text COLLATE "C" NOT NULL,
  kind            text COLLATE "C" NOT NULL,
  concurrency_key text,
  labels          jsonb,
  options         jsonb,
  payload         bytea            NOT NULL,
  CONSTRAINT schedules_name PRIMARY KEY (name),
  CONSTRAINT name_is_a_name CHECK (name ~ '^[a-z0-9_.-]{1,64}$')
) WITH (fillfactor = 50); -- each firing updates its row in place: no index covers what changes

-- Each definition that a schedule has had.
CREATE TABLE taskmaster.schedule_versions (
  schedule   text COLLATE "C" NOT NULL,
  version    integer          NOT NULL,
  created_at timestamptz      NOT NULL DEFAULT clock_timestamp(),
  definition jsonb            NOT NULL,
  kind       text             NOT NULL,
  queue      text             NOT NULL,
  payload    bytea            NOT NULL,
  CONSTRAINT schedule_versions_version PRIMARY KEY (schedule, version)
);

-- One task an instant, whoever leads and however often it is asked for. Kept as long as the history, so that a backfill knows what ran.
CREATE TABLE taskmaster.schedule_firings (
  schedule text COLLATE "C" NOT NULL,
  instant  timestamptz      NOT NULL,
  task_id  uuid             NOT NULL,
  fired_at timestamptz      NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT schedule_firings_instant PRIMARY KEY (schedule, instant)
);
CREATE INDEX schedule_firings_fired_at ON taskmaster.schedule_firings (fired_at);

-- Instants that did not fire. One row each; when many were decided on at once, one for a run of them: `count` from `instant` to `until`.
CREATE TABLE taskmaster.schedule_ledger (
  schedule   text COLLATE "C" NOT NULL,
  instant    timestamptz      NOT NULL,
  until      timestamptz      NOT NULL,
  decided_at timestamptz      NOT NULL DEFAULT clock_timestamp(),
  count      bigint           NOT NULL DEFAULT 1,
  reason     text             NOT NULL,
  CONSTRAINT schedule_ledger_instant PRIMARY KEY (schedule, instant)
);
CREATE INDEX schedule_ledger_decided_at ON taskmaster.schedule_ledger (decided_at);

-- Which tasks of a schedule are unfinished.
CREATE INDEX tasks_schedule ON taskmaster.tasks ((options ->> 'schedule')) WHERE options ? 'schedule';

-- Makes a schedule, or replaces its definition and state. A version that is new is kept.
CREATE FUNCTION taskmaster.put_schedule_v1(
  p_term bigint, p_name text, p_version integer, p_step bigint, p_paused boolean, p_next_at timestamptz, p_last_at timestamptz,
  p_buffered_at timestamptz, p_tzdata text, p_definition jsonb, p_queue text, p_kind text, p_priority integer, p_payload bytea,
  p_timeout interval, p_max_attempts integer, p_retry_initial interval, p_retry_factor double precision, p_retry_max interval,
  p_retry_jitter double precision, p_at_most_once boolean, p_concurrency_key text, p_labels jsonb, p_options jsonb,
  OUT created_at timestamptz, OUT updated_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  INSERT INTO taskmaster.queues (name) VALUES (p_queue) ON CONFLICT DO NOTHING;
  INSERT INTO taskmaster.schedule_versions (schedule, version, definition, kind, queue, payload)
  VALUES (p_name, p_version, p_definition, p_kind, p_queue, p_payload) ON CONFLICT DO NOTHING;
  INSERT INTO taskmaster.schedules AS s (
    name, version, step, paused, next_at, last_at, buffered_at, tzdata, definition, queue, kind, priority, payload, timeout, max_attempts,
    retry_initial, retry_factor, retry_max, retry_jitter, at_most_once, concurrency_key, labels, options)
  VALUES (
    p_name, p_version, p_step, p_paused, p_next_at, p_last_at, p_buffered_at, p_tzdata, p_definition, p_queue, p_kind, p_priority,
    p_payload, p_timeout, p_max_attempts, p_retry_initial, p_retry_factor, p_retry_max, p_retry_jitter, p_at_most_once,
    p_concurrency_key, p_labels, p_options)
  ON CONFLICT (name) DO UPDATE
     SET updated_at = CASE WHEN s.version = excluded.version THEN s.updated_at ELSE clock_timestamp() END,
         version = excluded.version, step = excluded.step, paused = excluded.paused, next_at = excluded.next_at,
         last_at = excluded.last_at, buffered_at = excluded.buffered_at, tzdata = excluded.tzdata, definition = excluded.definition,
         queue = excluded.queue, kind = excluded.kind, priority = excluded.priority, payload = excluded.payload,
         timeout = excluded.timeout, max_attempts = excluded.max_attempts, retry_initial = excluded.retry_initial,
         retry_factor = excluded.retry_factor, retry_max = excluded.retry_max, retry_jitter = excluded.retry_jitter,
         at_most_once = excluded.at_most_once, concurrency_key = excluded.concurrency_key, labels = excluded.labels,
         options = excluded.options
  RETURNING s.created_at, s.updated_at INTO put_schedule_v1.created_at, put_schedule_v1.updated_at;
END $$;

-- Its tasks stay, and so do the keys of what it fired: one of the same name that is made later fires no instant twice.
CREATE FUNCTION taskmaster.delete_schedule_v1(p_term bigint, p_name text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  DELETE FROM taskmaster.schedule_versions v WHERE v.schedule = p_name;
  DELETE FROM taskmaster.schedule_ledger l WHERE l.schedule = p_name;
  DELETE FROM taskmaster.schedules s WHERE s.name = p_name;
  RETURN FOUND;
END $$;

-- R17, for many schedules at once. A schedule whose step is another one is left alone, with its tasks and ledger rows. Answers a row for
-- each schedule that moved (place) and one for each task that was made (id); an instant with a key already makes none.
CREATE FUNCTION taskmaster.fire_schedules_v1(
  p_term bigint, p_names text[], p_steps bigint[], p_next_ats timestamptz[], p_last_ats timestamptz[], p_buffered_ats timestamptz[],
  p_paused boolean[], p_tzdata text,
  p_task_places integer[], p_ids uuid[], p_instants timestamptz[], p_run_ats timestamptz[], p_options jsonb[],
  p_ledger_places integer[], p_ledger_instants timestamptz[], p_ledger_untils timestamptz[], p_ledger_counts bigint[], p_ledger_reasons text[])
RETURNS TABLE (place integer, id uuid, run_at timestamptz, created_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz;
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  v_now := clock_timestamp();
  RETURN QUERY
  WITH moved AS (
    UPDATE taskmaster.schedules s
       SET step = s.step + 1, next_at = u.next_at, last_at = u.last_at, buffered_at = u.buffered_at, paused = u.paused, tzdata = p_tzdata
      FROM unnest(p_names, p_steps, p_next_ats, p_last_ats, p_buffered_ats, p_paused) WITH ORDINALITY
           AS u (name, step, next_at, last_at, buffered_at, paused, place)
     WHERE s.name = u.name AND s.step = u.step
    RETURNING u.place::integer AS place, s.*
  ), keyed AS (
    INSERT INTO taskmaster.schedule_firings AS f (schedule, instant, task_id)
    SELECT m.name, t.instant, t.id
      FROM unnest(p_task_places, p_ids, p_instants) AS t (place, id, instant)
      JOIN moved m ON m.place = t.place
    ON CONFLICT DO NOTHING
    RETURNING f.schedule, f.instant, f.task_id
  ), made AS (
    INSERT INTO taskmaster.tasks AS k (
      id, queue, kind, priority, run_at, created_at, payload, timeout, max_attempts, retry_initial, retry_factor, retry_max, retry_jitter,
      at_most_once, concurrency_key, labels, options)
    SELECT t.id, m.queue, m.kind, m.priority, t.run_at, v_now, m.payload, m.timeout, m.max_attempts, m.retry_initial, m.retry_factor,
           m.retry_max, m.retry_jitter, m.at_most_once, m.concurrency_key, m.labels, t.options
      FROM unnest(p_task_places, p_ids, p_run_ats, p_options) AS t (place, id, run_at, options)
      JOIN keyed y ON y.task_id = t.id
      JOIN moved m ON m.place = t.place
    RETURNING k.id, k.run_at, k.created_at
  ), made_up_for AS (
    DELETE FROM taskmaster.schedule_ledger l USING keyed y WHERE l.schedule = y.schedule AND l.instant = y.instant AND l.count = 1
  ), noted AS (
    INSERT INTO taskmaster.schedule_ledger (schedule, instant, until, count, reason)
    SELECT m.name, l.instant, l.until, l.count, l.reason
      FROM unnest(p_ledger_places, p_ledger_instants, p_ledger_untils, p_ledger_counts, p_ledger_reasons)
           AS l (place, instant, until, count, reason)
      JOIN moved m ON m.place = l.place
    ON CONFLICT DO NOTHING
  )
  SELECT m.place, NULL::uuid, NULL::timestamptz, NULL::timestamptz FROM moved m
  UNION ALL
  SELECT NULL::integer, n.id, n.run_at, n.created_at FROM made n;
END $$;

CREATE VIEW taskmaster.all_schedules AS
SELECT name, version, paused, definition ->> 'cron' AS cron, definition ->> 'every' AS every, definition ->> 'rrule' AS rrule,
       definition ->> 'timezone' AS timezone, next_at, last_at, buffered_at, kind, queue, convert_from(payload, 'UTF8') AS payload, definition,
       created_at, updated_at, tzdata
  FROM taskmaster.schedules;
