-- The rarer properties of a task in one column (schema/task_options.hpp): NULL for most, so that it costs a bit of the row's null bitmap, and a
-- new one needs no new version of the functions below. NOT VALID: no row has any yet, and no scan need look.
ALTER TABLE taskmaster.tasks ADD COLUMN options jsonb,
  ADD CONSTRAINT options_is_an_object CHECK (options IS NULL OR (jsonb_typeof(options) = 'object' AND octet_length(options::text) <= 65536)) NOT VALID;
ALTER TABLE taskmaster.task_history ADD COLUMN options jsonb;

CREATE OR REPLACE VIEW taskmaster.all_tasks AS
SELECT id, queue, kind, CASE WHEN run_at <= clock_timestamp() THEN 'ready' ELSE 'scheduled' END AS state, reason, priority, run_at, created_at,
       expires_at, timeout, attempt, max_attempts, failures, losses, CASE WHEN at_most_once THEN 'at_most_once' ELSE 'at_least_once' END AS delivery,
       unique_key, concurrency_key, coalesce(labels, '{}') AS labels, convert_from(payload, 'UTF8') AS payload, NULL::text AS result,
       NULL::text AS error_code, NULL::text AS error_message, NULL::text AS worker, NULL::timestamptz AS picked_at,
       NULL::timestamptz AS started_at, NULL::timestamptz AS finished_at, coalesce(options, '{}') AS options
  FROM taskmaster.tasks
UNION ALL
SELECT id, queue, kind, state, reason, priority, run_at, created_at,
       expires_at, timeout, attempt, max_attempts, failures, losses, CASE WHEN at_most_once THEN 'at_most_once' ELSE 'at_least_once' END,
       unique_key, concurrency_key, coalesce(labels, '{}'), convert_from(payload, 'UTF8'), convert_from(result, 'UTF8'),
       error_code, error_message, worker, picked_at, started_at, finished_at, coalesce(options, '{}')
  FROM taskmaster.task_history;

-- As v1 (0002_leader_functions.sql says how), with the options.
CREATE FUNCTION taskmaster.finish_tasks_v2(
  p_term bigint, p_ids uuid[], p_attempts integer[], p_losses integer[], p_states text[], p_reasons text[], p_codes text[],
  p_messages text[], p_results bytea[], p_workers text[], p_fence_terms bigint[], p_fence_sequences bigint[],
  p_picked timestamptz[], p_started timestamptz[],
  OUT now timestamptz, OUT already uuid[], OUT stale uuid[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_applied uuid[];
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  now := clock_timestamp();
  already := '{}';
  stale := '{}';
  WITH gone AS (
    DELETE FROM taskmaster.tasks t
     USING unnest(p_ids, p_attempts, p_losses, p_states, p_reasons, p_codes, p_messages, p_results, p_workers, p_fence_terms,
                  p_fence_sequences, p_picked, p_started)
           AS u (id, attempt, losses, new_state, new_reason, code, message, result, worker, fence_term, fence_sequence, picked_at,
                 started_at)
     WHERE t.id = u.id AND t.attempt = u.attempt AND t.losses = u.losses
    RETURNING t.*, u.new_state, u.new_reason, u.code, u.message, u.result, u.worker, u.fence_term, u.fence_sequence, u.picked_at,
              u.started_at
  ), kept AS (
    INSERT INTO taskmaster.task_history (
      run_at, created_at, expires_at, finished_at, picked_at, started_at, timeout, retry_initial, retry_max, retry_factor,
      retry_jitter, marked_term, marked_sequence, fence_term, fence_sequence, id, priority, max_attempts, attempt, failures, losses,
      deferrals, at_most_once, queue, kind, state, reason, unique_key, concurrency_key, worker, error_code, error_message, labels,
      payload, result, options)
    SELECT run_at, created_at, expires_at, finish_tasks_v2.now, picked_at, started_at, timeout, retry_initial, retry_max, retry_factor,
      retry_jitter, marked_term, marked_sequence, fence_term, fence_sequence, id, priority, max_attempts, attempt, failures, losses,
      deferrals, at_most_once, queue, kind, new_state, new_reason, unique_key, concurrency_key, worker, code, message, labels,
      payload, result, options
    FROM gone
    RETURNING id
  ), freed AS (
    DELETE FROM taskmaster.keys k USING gone g
     WHERE g.unique_key IS NOT NULL AND k.scope = 'unique' AND k.key = g.unique_key AND k.task_id = g.id
  ), runs AS (
    INSERT INTO taskmaster.attempts (task_id, attempt, losses, fence_term, fence_sequence, picked_at, started_at, finished_at, worker,
                                     outcome, reason, error_code, error_message)
    SELECT id, attempt, losses, fence_term, fence_sequence, picked_at, started_at, finish_tasks_v2.now, worker,
           CASE WHEN new_state = 'failed' AND new_reason IN ('lost', 'quarantined') THEN 'lost' ELSE new_state END,
           new_reason, code, message
      FROM gone
     WHERE new_state <> 'succeeded' AND (fence_term > 0 OR started_at IS NOT NULL)
  )
  SELECT array_agg(id) INTO v_applied FROM kept;

  IF coalesce(cardinality(v_applied), 0) < cardinality(p_ids) THEN
    SELECT coalesce(array_agg(m.id) FILTER (WHERE m.recorded), '{}'), coalesce(array_agg(m.id) FILTER (WHERE NOT m.recorded), '{}')
      INTO already, stale
      FROM (SELECT u.id,
                   EXISTS (SELECT FROM taskmaster.task_history h
                            WHERE h.id = u.id AND h.fence_term = u.fence_term AND h.fence_sequence = u.fence_sequence
                              AND (u.fence_term > 0 OR h.state = u.state)) AS recorded
              FROM unnest(p_ids, p_fence_terms, p_fence_sequences, p_states) AS u (id, fence_term, fence_sequence, state)
             WHERE v_applied IS NULL OR u.id <> ALL (v_applied)) AS m;
  END IF;
END $$;

CREATE FUNCTION taskmaster.reopen_task_v2(p_term bigint, p_id uuid, p_finished_after timestamptz)
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
    clock_timestamp(), v_old.created_at, CASE WHEN v_old.expires_at > clock_timestamp() THEN v_old.expires_at END, v_old.timeout,
    v_old.retry_initial, v_old.retry_max, v_old.retry_factor, v_old.retry_jitter, p_id, v_old.priority, v_old.max_attempts,
    v_old.attempt + 1, v_old.at_most_once, v_old.queue, v_old.kind, v_old.unique_key, v_old.concurrency_key, v_old.labels,
    v_old.payload, v_old.options)
  RETURNING *;
END $$;

CREATE FUNCTION taskmaster.insert_keyed_v2(
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
      INSERT INTO taskmaster.keys (scope, key, task_id) VALUES ('unique', r.unique_key, r.id) ON CONFLICT DO NOTHING;
      IF NOT FOUND THEN
        SELECT * INTO v_owner FROM taskmaster.keys k WHERE k.scope = 'unique' AND k.key = r.unique_key;
        IF NOT FOUND THEN
          RAISE EXCEPTION 'a key changed hands' USING ERRCODE = 'lock_not_available';
        END IF;
        verdict := 'repeated';
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
      VALUES (r.id, r.queue, r.kind, r.priority, insert_keyed_v2.run_at, v_now, r.payload, r.timeout, r.expires_at, r.max_attempts,
              r.retry_initial, r.retry_factor, r.retry_max, r.retry_jitter, r.at_most_once, r.unique_key, r.concurrency_key, r.labels, r.options);
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;
