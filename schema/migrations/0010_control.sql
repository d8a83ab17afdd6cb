-- Control of tasks: keys with a scope and a policy, changes of waiting tasks, checkpoints, retries spread over time.

-- As v2, with scope and policy of a unique_key (options: schema/task_options.hpp). The column of a key for a period stays NULL: the
-- end of the task frees what the column names, and such a key outlives it. 'held' and 'refused' answer the holder's id.
CREATE FUNCTION taskmaster.insert_keyed_v3(
  p_ids uuid[], p_queues text[], p_kinds text[], p_priorities integer[], p_run_ats timestamptz[], p_delays interval[],
  p_payloads bytea[], p_timeouts interval[], p_expires_ats timestamptz[], p_max_attempts integer[], p_retry_initials interval[],
  p_retry_factors double precision[], p_retry_maxs interval[], p_retry_jitters double precision[], p_at_most_onces boolean[],
  p_unique_keys text[], p_concurrency_keys text[], p_labels jsonb[], p_idempotency_keys text[], p_fingerprints bytea[], p_options jsonb[])
RETURNS TABLE (place integer, verdict text, id uuid, run_at timestamptz, created_at timestamptz)
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
#variable_conflict use_column
DECLARE
  r record;
  v_owner taskmaster.keys;
  v_now timestamptz;
BEGIN
  FOR r IN
    SELECT * FROM unnest(p_ids, p_queues, p_kinds, p_priorities, p_run_ats, p_delays, p_payloads, p_timeouts, p_expires_ats,
                         p_max_attempts, p_retry_initials, p_retry_factors, p_retry_maxs, p_retry_jitters, p_at_most_onces,
                         p_unique_keys, p_concurrency_keys, p_labels, p_idempotency_keys, p_fingerprints, p_options)
             WITH ORDINALITY AS u (id, queue, kind, priority, run_at, delay, payload, timeout, expires_at, max_attempts, retry_initial,
                                   retry_factor, retry_max, retry_jitter, at_most_once, unique_key, concurrency_key, labels,
                                   idempotency_key, fingerprint, options, place)
     ORDER BY u.idempotency_key COLLATE "C", u.unique_key COLLATE "C"
  LOOP
    v_now := clock_timestamp();
    place := r.place;
    id := r.id;
    verdict := 'stored';
    IF r.idempotency_key IS NOT NULL THEN
      DELETE FROM taskmaster.keys k WHERE k.scope = 'idempotency' AND k.key = r.idempotency_key AND k.expires_at <= v_now;
      INSERT INTO taskmaster.keys (scope, key, task_id, fingerprint, expires_at)
      VALUES ('idempotency', r.idempotency_key, r.id, r.fingerprint, v_now + interval '24 hours') ON CONFLICT DO NOTHING;
      IF NOT FOUND THEN
        SELECT * INTO v_owner FROM taskmaster.keys k WHERE k.scope = 'idempotency' AND k.key = r.idempotency_key;
        IF NOT FOUND THEN -- it was removed in between: the caller asks again
          RAISE EXCEPTION 'a key changed hands' USING ERRCODE = 'lock_not_available';
        END IF;
        verdict := CASE WHEN v_owner.fingerprint IS DISTINCT FROM r.fingerprint THEN 'other_body' ELSE 'repeated' END;
        id := v_owner.task_id;
      END IF;
    END IF;
    IF verdict = 'stored' AND r.unique_key IS NOT NULL THEN
      DELETE FROM taskmaster.keys k WHERE k.scope = 'unique' AND k.key = r.unique_key AND k.expires_at <= v_now;
      INSERT INTO taskmaster.keys (scope, key, task_id, expires_at)
      VALUES ('unique', r.unique_key, r.id, CASE WHEN r.options ->> 'unique_scope' = 'for_period' THEN v_now + (r.options ->> 'unique_period')::interval END)
      ON CONFLICT DO NOTHING;
      IF NOT FOUND THEN
        SELECT * INTO v_owner FROM taskmaster.keys k WHERE k.scope = 'unique' AND k.key = r.unique_key;
        IF NOT FOUND THEN
          RAISE EXCEPTION 'a key changed hands' USING ERRCODE = 'lock_not_available';
        END IF;
        verdict := CASE WHEN r.options ->> 'unique_policy' = 'refuse' THEN 'refused' ELSE 'held' END;
        id := v_owner.task_id;
        DELETE FROM taskmaster.keys k WHERE k.scope = 'idempotency' AND k.key = r.idempotency_key AND k.task_id = r.id;
      END IF;
    END IF;
    IF verdict = 'stored' THEN
      created_at := v_now;
      run_at := coalesce(r.run_at, v_now + r.delay);
      INSERT INTO taskmaster.tasks (id, queue, kind, priority, run_at, created_at, payload, timeout, expires_at, max_attempts,
                                    retry_initial, retry_factor, retry_max, retry_jitter, at_most_once, unique_key, concurrency_key,
                                    labels, options)
      VALUES (r.id, r.queue, r.kind, r.priority, insert_keyed_v3.run_at, v_now, r.payload, r.timeout, r.expires_at, r.max_attempts,
              r.retry_initial, r.retry_factor, r.retry_max, r.retry_jitter, r.at_most_once, CASE WHEN r.options ->> 'unique_scope' IS DISTINCT FROM 'for_period' THEN r.unique_key END, r.concurrency_key, r.labels, r.options);
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION taskmaster.insert_keyed_in_use(
  p_ids uuid[], p_queues text[], p_kinds text[], p_priorities integer[], p_run_ats timestamptz[], p_delays interval[],
  p_payloads bytea[], p_timeouts interval[], p_expires_ats timestamptz[], p_max_attempts integer[], p_retry_initials interval[],
  p_retry_factors double precision[], p_retry_maxs interval[], p_retry_jitters double precision[], p_at_most_onces boolean[],
  p_unique_keys text[], p_concurrency_keys text[], p_labels jsonb[], p_idempotency_keys text[], p_fingerprints bytea[], p_options jsonb[])
RETURNS TABLE (place integer, verdict text, id uuid, run_at timestamptz, created_at timestamptz) LANGUAGE sql AS $$
  SELECT * FROM taskmaster.insert_keyed_v3(
    p_ids, p_queues, p_kinds, p_priorities, p_run_ats, p_delays, p_payloads, p_timeouts, p_expires_ats, p_max_attempts, p_retry_initials,
    p_retry_factors, p_retry_maxs, p_retry_jitters, p_at_most_onces, p_unique_keys, p_concurrency_keys, p_labels, p_idempotency_keys,
    p_fingerprints, p_options)
$$;

-- A key held while its task waits is free before the task is handed out, as a mark is set before (R16): else a task submitted in between
-- would be answered with one that runs already. Doing it twice is harmless.
CREATE FUNCTION taskmaster.free_keys_v1(p_term bigint, p_ids uuid[], p_attempts integer[], p_losses integer[])
RETURNS TABLE (id uuid)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  DELETE FROM taskmaster.keys k
   USING unnest(p_ids, p_attempts, p_losses) AS u (id, attempt, losses), taskmaster.tasks t
   WHERE t.id = u.id AND t.attempt = u.attempt AND t.losses = u.losses AND k.scope = 'unique' AND k.key = t.unique_key AND k.task_id = t.id;
  RETURN QUERY
  SELECT t.id FROM unnest(p_ids, p_attempts, p_losses) AS u (id, attempt, losses)
    JOIN taskmaster.tasks t ON t.id = u.id AND t.attempt = u.attempt AND t.losses = u.losses;
END $$;

-- A waiting task changed by hand. The next attempt number makes it another version, so that no window, announce or claim of the task as it
-- was counts any more. Asked again after an answer that was lost, it finds its own work: nobody else changes the row meanwhile.
CREATE FUNCTION taskmaster.edit_task_v1(
  p_term bigint, p_id uuid, p_attempt integer, p_losses integer, p_queue text, p_kind text, p_priority integer, p_run_at timestamptz,
  p_wait interval, p_payload bytea, p_timeout interval, p_expires_at timestamptz, p_max_attempts integer, p_retry_initial interval,
  p_retry_factor double precision, p_retry_max interval, p_retry_jitter double precision, p_at_most_once boolean, p_concurrency_key text,
  p_set_labels boolean, p_labels jsonb, p_options jsonb)
RETURNS SETOF taskmaster.tasks
LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  RETURN QUERY
  UPDATE taskmaster.tasks t
     SET attempt = t.attempt + 1, xid = pg_current_xact_id(), queue = p_queue, kind = p_kind, priority = p_priority,
         run_at = coalesce(clock_timestamp() + p_wait, p_run_at), payload = p_payload, timeout = p_timeout, expires_at = p_expires_at,
         max_attempts = p_max_attempts, retry_initial = p_retry_initial, retry_factor = p_retry_factor, retry_max = p_retry_max,
         retry_jitter = p_retry_jitter, at_most_once = p_at_most_once, concurrency_key = p_concurrency_key,
         labels = CASE WHEN p_set_labels THEN p_labels ELSE t.labels END, options = p_options
   WHERE t.id = p_id AND t.attempt = p_attempt AND t.losses = p_losses
  RETURNING t.*;
  IF FOUND THEN
    INSERT INTO taskmaster.queues (name) VALUES (p_queue) ON CONFLICT DO NOTHING;
    RETURN;
  END IF;
  RETURN QUERY SELECT * FROM taskmaster.tasks t WHERE t.id = p_id AND t.attempt = p_attempt + 1 AND t.losses = p_losses;
END $$;

-- What runs left for the next attempt. A table of its own: rewriting a hot row with every report would make a dead tuple of payload and
-- index entries each time. No foreign key, as everywhere.
CREATE TABLE taskmaster.checkpoints (
  task_id  uuid        NOT NULL,
  saved_at timestamptz NOT NULL,
  data     bytea       NOT NULL,
  CONSTRAINT checkpoints_task PRIMARY KEY (task_id),
  CONSTRAINT data_up_to_64_kib CHECK (octet_length(data) <= 65536)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- NULL forgets: the task has succeeded.
CREATE FUNCTION taskmaster.keep_checkpoints_v1(p_term bigint, p_ids uuid[], p_attempts integer[], p_losses integer[], p_data bytea[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  DELETE FROM taskmaster.checkpoints c USING unnest(p_ids, p_data) AS u (id, data) WHERE c.task_id = u.id AND u.data IS NULL;
  INSERT INTO taskmaster.checkpoints (task_id, saved_at, data)
  SELECT u.id, clock_timestamp(), u.data
    FROM unnest(p_ids, p_attempts, p_losses, p_data) AS u (id, attempt, losses, data)
    JOIN taskmaster.tasks t ON t.id = u.id AND t.attempt = u.attempt AND t.losses = u.losses
   WHERE u.data IS NOT NULL
  ON CONFLICT (task_id) DO UPDATE SET saved_at = excluded.saved_at, data = excluded.data;
END $$;

-- As v2, due after a wait: dead letters are run again at a rate.
CREATE FUNCTION taskmaster.reopen_task_v3(p_term bigint, p_id uuid, p_finished_after timestamptz, p_wait interval)
RETURNS SETOF taskmaster.tasks
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
  v_old taskmaster.task_history;
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  PERFORM 1 FROM taskmaster.tasks t WHERE t.id = p_id;
  IF FOUND THEN
    RAISE EXCEPTION 'task % is not finished; only a finished task can be run again', p_id USING ERRCODE = 'TM003';
  END IF;
  DELETE FROM taskmaster.task_history h WHERE h.id = p_id AND h.finished_at >= p_finished_after RETURNING * INTO v_old;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no task %', p_id USING ERRCODE = 'TM002';
  END IF;
  IF v_old.unique_key IS NOT NULL THEN
    DELETE FROM taskmaster.keys k WHERE k.scope = 'unique' AND k.key = v_old.unique_key AND k.expires_at <= clock_timestamp();
    INSERT INTO taskmaster.keys (scope, key, task_id) VALUES ('unique', v_old.unique_key, p_id) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'another unfinished task holds the unique_key of %; cancel it or wait for its end', p_id USING ERRCODE = 'TM003';
    END IF;
  END IF;
  IF v_old.fence_term > 0 OR v_old.started_at IS NOT NULL THEN
    INSERT INTO taskmaster.attempts (task_id, attempt, losses, fence_term, fence_sequence, picked_at, started_at, finished_at, worker,
                                     outcome, reason, error_code, error_message)
    VALUES (p_id, v_old.attempt, v_old.losses, v_old.fence_term, v_old.fence_sequence, v_old.picked_at, v_old.started_at,
            v_old.finished_at, v_old.worker,
            CASE WHEN v_old.state = 'failed' AND v_old.reason IN ('lost', 'quarantined') THEN 'lost' ELSE v_old.state END,
            v_old.reason, v_old.error_code, v_old.error_message)
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN QUERY
  INSERT INTO taskmaster.tasks (
    run_at, created_at, expires_at, timeout, retry_initial, retry_max, retry_factor, retry_jitter, id, priority, max_attempts, attempt,
    at_most_once, queue, kind, unique_key, concurrency_key, labels, payload, options)
  VALUES (
    clock_timestamp() + p_wait, v_old.created_at, CASE WHEN v_old.expires_at > clock_timestamp() + p_wait THEN v_old.expires_at END, v_old.timeout,
    v_old.retry_initial, v_old.retry_max, v_old.retry_factor, v_old.retry_jitter, p_id, v_old.priority, v_old.max_attempts,
    v_old.attempt + 1, v_old.at_most_once, v_old.queue, v_old.kind, v_old.unique_key, v_old.concurrency_key, v_old.labels,
    v_old.payload, v_old.options)
  RETURNING *;
END $$;

-- submit() with every option. In the place of the one before, since a second function of that name would make calls ambiguous; new
-- parameters come last, before nothing that callers give by position.
DROP FUNCTION taskmaster.submit(text, jsonb, text, timestamptz, interval, integer, interval, timestamptz, integer, jsonb, text, text, text, text,
                                jsonb, boolean);
CREATE FUNCTION taskmaster.submit(
  kind text, payload jsonb DEFAULT NULL, queue text DEFAULT 'default', run_at timestamptz DEFAULT NULL, delay interval DEFAULT NULL,
  priority integer DEFAULT 0, timeout interval DEFAULT NULL, expires_at timestamptz DEFAULT NULL, max_attempts integer DEFAULT NULL,
  retry jsonb DEFAULT NULL, delivery text DEFAULT 'at_least_once', unique_key text DEFAULT NULL, idempotency_key text DEFAULT NULL,
  concurrency_key text DEFAULT NULL, labels jsonb DEFAULT NULL, notify boolean DEFAULT false, heartbeat_timeout interval DEFAULT NULL,
  unique_scope text DEFAULT NULL, unique_period interval DEFAULT NULL, unique_policy text DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  v_now       timestamptz := clock_timestamp();
  v_id        uuid := taskmaster.make_id();
  v_payload   text := coalesce(payload::text, 'null');
  v_due       timestamptz := coalesce(run_at, v_now + coalesce(delay, '0'));
  v_attempts  integer := coalesce(max_attempts, CASE WHEN delivery = 'at_most_once' THEN 1 ELSE 5 END);
  v_initial   interval;
  v_max       interval;
  v_factor    double precision;
  v_jitter    double precision;
  v_print     bytea;
  v_owner     taskmaster.keys;
  v_fault     text;
  v_key       text;
  v_options   jsonb;
BEGIN
  v_fault := CASE
    WHEN kind IS NULL OR kind !~ '^[a-z0-9_.-]{1,64}$' THEN
      format('kind is %s; it has to be 1 to 64 characters out of a-z, 0-9, "_", "." and "-"', coalesce(quote_literal(left(kind, 80)), 'missing'))
    WHEN queue IS NULL OR queue !~ '^[a-z0-9_.-]{1,64}$' THEN
      format('queue is %s; it has to be 1 to 64 characters out of a-z, 0-9, "_", "." and "-"', coalesce(quote_literal(left(queue, 80)), 'missing'))
    WHEN octet_length(v_payload) > 1048576 THEN
      format('payload is %s bytes long; the limit is 1048576 (1 MiB)', octet_length(v_payload))
    WHEN run_at IS NOT NULL AND delay IS NOT NULL THEN 'delay cannot stand beside run_at; give one of the two'
    WHEN delay < '0' THEN 'delay is negative'
    WHEN NOT isfinite(v_due) OR v_due < '0001-01-01 00:00:00+00' THEN format('run_at is %s, which is no time to wait for', v_due)
    WHEN v_due > v_now + interval '3653 days' THEN format('run_at is %s; the limit is 10 years from now', v_due)
    WHEN priority IS NULL OR priority NOT BETWEEN 0 AND 9 THEN format('priority is %s; it has to be 0 to 9', priority)
    WHEN timeout NOT BETWEEN '0' AND '30 days' THEN format('timeout is %s; it has to be 0 (none) to 30 days', timeout)
    WHEN expires_at <= v_due THEN format('expires_at is %s, not after the task is due, %s', expires_at, v_due)
    WHEN expires_at > '9999-12-31 23:59:59+00' THEN 'expires_at lies after the year 9999'
    WHEN delivery IS NULL OR delivery NOT IN ('at_least_once', 'at_most_once') THEN
      format('delivery is %s; it has to be at_least_once or at_most_once', quote_nullable(delivery))
    WHEN v_attempts NOT BETWEEN 1 AND 1000 THEN format('max_attempts is %s; it has to be 1 to 1000', v_attempts)
    WHEN delivery = 'at_most_once' AND v_attempts NOT IN (1, 5) THEN
      format('max_attempts is %s, but delivery at_most_once means one attempt; leave it out', v_attempts)
    WHEN octet_length(unique_key) > 256 THEN format('unique_key is %s bytes long; the limit is 256', octet_length(unique_key))
    WHEN octet_length(idempotency_key) > 256 THEN format('idempotency_key is %s bytes long; the limit is 256', octet_length(idempotency_key))
    WHEN octet_length(concurrency_key) > 256 THEN format('concurrency_key is %s bytes long; the limit is 256', octet_length(concurrency_key))
    WHEN heartbeat_timeout <> '0' AND heartbeat_timeout NOT BETWEEN '1 second' AND '30 days' THEN
      format('heartbeat_timeout is %s; it has to be 0 (none), or 1 second to 30 days', heartbeat_timeout)
    WHEN unique_scope NOT IN ('until_finished', 'while_waiting', 'for_period') THEN
      format('unique_scope is %s; it has to be until_finished, while_waiting or for_period', quote_literal(left(unique_scope, 80)))
    WHEN unique_policy NOT IN ('return_first', 'refuse', 'replace') THEN
      format('unique_policy is %s; it has to be return_first or refuse', quote_literal(left(unique_policy, 80)))
    WHEN unique_policy = 'replace' THEN
      'unique_policy is replace, which is for HTTP and gRPC: only the leading coordinator changes a waiting task, and not within your transaction'
    WHEN coalesce(unique_key, '') = '' AND num_nonnulls(nullif(unique_scope, 'until_finished'), unique_period, nullif(unique_policy, 'return_first')) > 0 THEN
      'unique_key is missing; it is what tasks are unique by'
    WHEN unique_scope = 'for_period' AND coalesce(unique_period, '0') = '0' THEN 'unique_period is missing; scope for_period holds the key for so long'
    WHEN unique_scope IS DISTINCT FROM 'for_period' AND unique_period IS NOT NULL THEN 'unique_period goes only with unique_scope for_period'
    WHEN unique_period NOT BETWEEN '0' AND '3653 days' THEN format('unique_period is %s; it has to be 0 to 10 years', unique_period)
    WHEN jsonb_typeof(labels) NOT IN ('object', 'null') THEN 'labels has to be an object of texts'
    WHEN jsonb_typeof(retry) NOT IN ('object', 'null') THEN 'retry has to be an object of initial, factor, max and jitter'
  END;
  IF v_fault IS NOT NULL THEN
    RAISE EXCEPTION '%', v_fault USING ERRCODE = 'invalid_parameter_value';
  END IF;

  IF jsonb_typeof(labels) = 'object' THEN
    SELECT CASE
        WHEN count(*) > 32 THEN format('labels has %s entries; the limit is 32', count(*))
        WHEN bool_or(jsonb_typeof(l.value) <> 'string') THEN 'labels has to be an object of texts'
        WHEN bool_or(octet_length(l.key) NOT BETWEEN 1 AND 64) THEN 'a key of labels has to be 1 to 64 bytes long'
        WHEN bool_or(octet_length(l.value #>> '{}') > 256) THEN 'a value of labels is longer than the limit of 256 bytes'
      END INTO v_fault FROM jsonb_each(labels) AS l;
  END IF;
  IF jsonb_typeof(retry) = 'object' THEN
    FOR v_key IN SELECT * FROM jsonb_object_keys(retry) LOOP
      IF v_key NOT IN ('initial', 'factor', 'max', 'jitter') THEN
        v_fault := format('retry knows no %s; it has initial, factor, max and jitter', quote_literal(v_key));
      END IF;
    END LOOP;
    IF coalesce(jsonb_typeof(retry -> 'factor'), 'number') NOT IN ('number', 'null')
       OR coalesce(jsonb_typeof(retry -> 'jitter'), 'number') NOT IN ('number', 'null') THEN
      v_fault := 'retry.factor and retry.jitter have to be numbers';
    ELSE
      v_factor := (retry ->> 'factor')::double precision;
      v_jitter := (retry ->> 'jitter')::double precision;
    END IF;
  END IF;
  v_factor := coalesce(v_factor, 2);
  v_jitter := coalesce(v_jitter, 0.1);
  v_initial := taskmaster.read_duration('retry.initial', retry -> 'initial', '1 second');
  v_max := taskmaster.read_duration('retry.max', retry -> 'max', '10 minutes');
  IF v_factor < 1 THEN
    v_fault := format('retry.factor is %s; it has to be 1 or more', v_factor);
  ELSIF v_jitter NOT BETWEEN 0 AND 1 THEN
    v_fault := format('retry.jitter is %s; it is a part of the wait and has to be 0 to 1', v_jitter);
  END IF;
  IF v_fault IS NOT NULL THEN
    RAISE EXCEPTION '%', v_fault USING ERRCODE = 'invalid_parameter_value';
  END IF;

  IF delivery = 'at_most_once' THEN
    v_attempts := 1;
  END IF;
  unique_key := nullif(unique_key, '');
  idempotency_key := nullif(idempotency_key, '');
  concurrency_key := nullif(concurrency_key, '');
  -- The names that schema/task_options.cpp reads; what is at its default is left out.
  v_options := nullif(jsonb_strip_nulls(jsonb_build_object(
    'heartbeat_timeout', (extract(epoch FROM nullif(heartbeat_timeout, '0')) * 1000000)::bigint || 'us',
    'unique_scope', nullif(unique_scope, 'until_finished'),
    'unique_policy', nullif(unique_policy, 'return_first'),
    'unique_period', (extract(epoch FROM unique_period) * 1000000)::bigint || 'us',
    'unique_key', CASE WHEN unique_scope = 'for_period' THEN unique_key END)), '{}');
  IF idempotency_key IS NOT NULL THEN
    v_print := sha256(convert_to(jsonb_build_array(kind, v_payload, queue, run_at, delay, priority, timeout, expires_at, v_attempts, retry,
                                                   delivery, unique_key, concurrency_key, labels, v_options)::text, 'UTF8'));
    DELETE FROM taskmaster.keys k WHERE k.scope = 'idempotency' AND k.key = idempotency_key AND k.expires_at <= v_now;
    LOOP
      INSERT INTO taskmaster.keys AS k (scope, key, task_id, fingerprint, expires_at)
      VALUES ('idempotency', idempotency_key, v_id, v_print, v_now + interval '24 hours') ON CONFLICT DO NOTHING;
      EXIT WHEN FOUND;
      SELECT * INTO v_owner FROM taskmaster.keys k WHERE k.scope = 'idempotency' AND k.key = idempotency_key;
      CONTINUE WHEN NOT FOUND; -- it was removed in between
      IF v_owner.fingerprint IS DISTINCT FROM v_print THEN
        RAISE EXCEPTION 'idempotency_key was used with another task; take a new key or submit the first task again'
          USING ERRCODE = 'invalid_parameter_value';
      END IF;
      RETURN v_owner.task_id;
    END LOOP;
  END IF;
  IF unique_key IS NOT NULL THEN
    DELETE FROM taskmaster.keys k WHERE k.scope = 'unique' AND k.key = unique_key AND k.expires_at <= v_now;
    LOOP
      INSERT INTO taskmaster.keys AS k (scope, key, task_id, expires_at) VALUES ('unique', unique_key, v_id, v_now + unique_period)
      ON CONFLICT DO NOTHING;
      EXIT WHEN FOUND;
      SELECT * INTO v_owner FROM taskmaster.keys k WHERE k.scope = 'unique' AND k.key = unique_key;
      CONTINUE WHEN NOT FOUND;
      IF unique_policy = 'refuse' THEN
        RAISE EXCEPTION 'task % holds the unique_key %', v_owner.task_id, quote_literal(unique_key) USING ERRCODE = 'unique_violation';
      END IF;
      DELETE FROM taskmaster.keys k WHERE k.scope = 'idempotency' AND k.key = idempotency_key AND k.task_id = v_id;
      RETURN v_owner.task_id;
    END LOOP;
  END IF;

  INSERT INTO taskmaster.tasks (id, queue, kind, priority, run_at, created_at, payload, timeout, expires_at, max_attempts,
                                retry_initial, retry_factor, retry_max, retry_jitter, at_most_once, unique_key, concurrency_key, labels,
                                options)
  VALUES (v_id, queue, kind, priority, v_due, v_now, convert_to(v_payload, 'UTF8'), coalesce(timeout, '0'), expires_at, v_attempts,
          v_initial, v_factor, v_max, v_jitter, delivery = 'at_most_once', CASE WHEN unique_period IS NULL THEN unique_key END, concurrency_key,
          CASE WHEN jsonb_typeof(labels) = 'object' AND labels <> '{}' THEN labels END, v_options);
  IF notify THEN
    PERFORM pg_notify('taskmaster_submitted', v_id::text);
  END IF;
  RETURN v_id;
END $$;
