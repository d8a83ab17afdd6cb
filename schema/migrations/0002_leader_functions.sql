-- The leader's writes. Each is one call, one round trip, so that a leader frozen in the middle holds no lock between statements of
-- its own; each first locks its term's row, and changes in later statements (a statement that locks and reads at once was
-- measured to read the old rows). Names carry a version: an older binary keeps calling the functions that it knows.
-- The guard of a row is its version, (attempt, losses).

CREATE FUNCTION taskmaster.hold_term_v1(p_term bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM taskmaster.leader WHERE term = p_term FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'term % is over; another coordinator leads', p_term USING ERRCODE = 'TM001';
  END IF;
END $$;

CREATE FUNCTION taskmaster.acquire_v1(p_holder text, p_address text, p_ttl interval)
RETURNS TABLE (term bigint, previous_term bigint, now timestamptz, secret bytea)
LANGUAGE plpgsql SET lock_timeout = '500ms' AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  UPDATE taskmaster.leader l
     SET previous_term = l.term,
         term = greatest(l.term + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint),
         holder = p_holder, address = p_address, asked_at = clock_timestamp(), expires_at = clock_timestamp() + p_ttl,
         backend_pids = '{}'
   WHERE l.expires_at < clock_timestamp()
  RETURNING l.term, l.previous_term, clock_timestamp(), (SELECT c.secret FROM taskmaster.cluster c);
END $$;

-- Ends the sessions of a leader whose lease has run out and whose writes hold up the takeover (a frozen process, a half-open
-- connection). Only sessions of this role in this database: a pid may have been used again.
CREATE FUNCTION taskmaster.end_writers_v1() RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FILTER (WHERE pg_terminate_backend(a.pid))
    FROM taskmaster.leader l, pg_stat_activity a
   WHERE l.expires_at < clock_timestamp() AND a.pid = ANY (l.backend_pids) AND a.pid <> pg_backend_pid()
     AND a.datname = current_database() AND a.usename = current_user
$$;

-- R5: history is inserted from the rows that the DELETE returned, never from the parameters alone. What was not there is looked up:
-- the same fence (or, of a task that ended without a run, the same state) means that this very outcome is recorded.
CREATE FUNCTION taskmaster.finish_tasks_v1(
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
      payload, result)
    SELECT run_at, created_at, expires_at, finish_tasks_v1.now, picked_at, started_at, timeout, retry_initial, retry_max, retry_factor,
      retry_jitter, marked_term, marked_sequence, fence_term, fence_sequence, id, priority, max_attempts, attempt, failures, losses,
      deferrals, at_most_once, queue, kind, new_state, new_reason, unique_key, concurrency_key, worker, code, message, labels,
      payload, result
    FROM gone
    RETURNING id
  ), freed AS (
    DELETE FROM taskmaster.keys k USING gone g
     WHERE g.unique_key IS NOT NULL AND k.scope = 'unique' AND k.key = g.unique_key AND k.task_id = g.id
  ), runs AS (
    INSERT INTO taskmaster.attempts (task_id, attempt, losses, fence_term, fence_sequence, picked_at, started_at, finished_at, worker,
                                     outcome, reason, error_code, error_message)
    SELECT id, attempt, losses, fence_term, fence_sequence, picked_at, started_at, finish_tasks_v1.now, worker,
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

-- R6. `burned` counts a failure; else it was a deferral ("ask me later"). A mark is cleared: the next attempt is a new decision.
CREATE FUNCTION taskmaster.retry_tasks_v1(
  p_term bigint, p_ids uuid[], p_attempts integer[], p_losses integer[], p_waits interval[], p_burned boolean[], p_reasons text[],
  p_codes text[], p_messages text[], p_workers text[], p_fence_terms bigint[], p_fence_sequences bigint[], p_picked timestamptz[],
  p_started timestamptz[])
RETURNS TABLE (id uuid, run_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  RETURN QUERY
  WITH changed AS (
    UPDATE taskmaster.tasks t
       SET attempt = t.attempt + 1,
           failures = t.failures + u.burned::integer,
           deferrals = CASE WHEN u.burned THEN 0 ELSE t.deferrals + 1 END,
           run_at = clock_timestamp() + u.wait,
           reason = u.new_reason, marked_term = NULL, marked_sequence = NULL, xid = pg_current_xact_id()
      FROM unnest(p_ids, p_attempts, p_losses, p_waits, p_burned, p_reasons, p_codes, p_messages, p_workers, p_fence_terms,
                  p_fence_sequences, p_picked, p_started)
           AS u (id, old_attempt, old_losses, wait, burned, new_reason, code, message, worker, fence_term, fence_sequence, picked_at,
                 started_at)
     WHERE t.id = u.id AND t.attempt = u.old_attempt AND t.losses = u.old_losses
    RETURNING t.id, t.run_at, u.*
  ), runs AS (
    INSERT INTO taskmaster.attempts (task_id, attempt, losses, fence_term, fence_sequence, picked_at, started_at, finished_at, worker,
                                     outcome, reason, error_code, error_message)
    SELECT c.id, c.old_attempt, c.old_losses, c.fence_term, c.fence_sequence, c.picked_at, c.started_at, clock_timestamp(), c.worker,
           CASE WHEN c.burned THEN 'failed' ELSE 'deferred' END, c.new_reason, c.code, c.message
      FROM changed AS c (id, run_at, same_id, old_attempt, old_losses, wait, burned, new_reason, code, message, worker, fence_term,
                         fence_sequence, picked_at, started_at)
  )
  SELECT c.id, c.run_at FROM changed AS c (id, run_at, same_id);
END $$;

-- R6: committed before the task is handed out again. A mark stays: a lost at_most_once task is finished, not run twice.
CREATE FUNCTION taskmaster.lose_tasks_v1(
  p_term bigint, p_ids uuid[], p_attempts integer[], p_losses integer[], p_reasons text[], p_codes text[], p_messages text[],
  p_workers text[], p_fence_terms bigint[], p_fence_sequences bigint[], p_picked timestamptz[], p_started timestamptz[])
RETURNS TABLE (id uuid, run_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  RETURN QUERY
  WITH changed AS (
    UPDATE taskmaster.tasks t
       SET losses = t.losses + 1, reason = coalesce(u.new_reason, 'lost'), xid = pg_current_xact_id()
      FROM unnest(p_ids, p_attempts, p_losses, p_reasons, p_codes, p_messages, p_workers, p_fence_terms, p_fence_sequences, p_picked,
                  p_started)
           AS u (id, old_attempt, old_losses, new_reason, code, message, worker, fence_term, fence_sequence, picked_at, started_at)
     WHERE t.id = u.id AND t.attempt = u.old_attempt AND t.losses = u.old_losses
    RETURNING t.id, t.run_at, u.*
  ), runs AS (
    INSERT INTO taskmaster.attempts (task_id, attempt, losses, fence_term, fence_sequence, picked_at, started_at, finished_at, worker,
                                     outcome, reason, error_code, error_message)
    SELECT c.id, c.old_attempt, c.old_losses, c.fence_term, c.fence_sequence, c.picked_at, c.started_at, clock_timestamp(), c.worker,
           'lost', c.new_reason, c.code, c.message
      FROM changed AS c (id, run_at, same_id, old_attempt, old_losses, new_reason, code, message, worker, fence_term, fence_sequence,
                         picked_at, started_at)
  )
  SELECT c.id, c.run_at FROM changed AS c (id, run_at, same_id);
END $$;

-- R16. The xid stays as it was: nobody has to find this row who did not know it, and so the update touches no index.
CREATE FUNCTION taskmaster.mark_tasks_v1(
  p_term bigint, p_ids uuid[], p_attempts integer[], p_losses integer[], p_fence_terms bigint[], p_fence_sequences bigint[])
RETURNS TABLE (id uuid, already boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  RETURN QUERY
  SELECT t.id, true
    FROM unnest(p_ids, p_attempts, p_losses, p_fence_terms, p_fence_sequences) AS u (id, attempt, losses, term, sequence)
    JOIN taskmaster.tasks t ON t.id = u.id AND t.attempt = u.attempt AND t.losses = u.losses
   WHERE t.marked_term = u.term AND t.marked_sequence = u.sequence;
  RETURN QUERY
  UPDATE taskmaster.tasks t
     SET marked_term = u.term, marked_sequence = u.sequence
    FROM unnest(p_ids, p_attempts, p_losses, p_fence_terms, p_fence_sequences) AS u (id, attempt, losses, term, sequence)
   WHERE t.id = u.id AND t.attempt = u.attempt AND t.losses = u.losses AND t.marked_term IS NULL
  RETURNING t.id, false;
END $$;

-- A finished task back to work, by hand. Its last run moves to attempts, since the history row goes. Whoever holds its unique_key in an
-- open transaction is not waited for: the leader's lane would stand still behind him.
CREATE FUNCTION taskmaster.reopen_task_v1(p_term bigint, p_id uuid, p_finished_after timestamptz)
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
    at_most_once, queue, kind, unique_key, concurrency_key, labels, payload)
  VALUES (
    clock_timestamp(), v_old.created_at, CASE WHEN v_old.expires_at > clock_timestamp() THEN v_old.expires_at END, v_old.timeout,
    v_old.retry_initial, v_old.retry_max, v_old.retry_factor, v_old.retry_jitter, p_id, v_old.priority, v_old.max_attempts,
    v_old.attempt + 1, v_old.at_most_once, v_old.queue, v_old.kind, v_old.unique_key, v_old.concurrency_key, v_old.labels,
    v_old.payload)
  RETURNING *;
END $$;

CREATE FUNCTION taskmaster.open_session_v1(p_term bigint, p_worker text, p_incarnation text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  INSERT INTO taskmaster.sessions (worker, incarnation, term) VALUES (p_worker, p_incarnation, p_term)
  ON CONFLICT (worker, incarnation) DO UPDATE SET term = excluded.term, opened_at = excluded.opened_at;
END $$;

CREATE FUNCTION taskmaster.close_session_v1(p_term bigint, p_worker text, p_incarnation text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  DELETE FROM taskmaster.sessions s WHERE s.worker = p_worker AND s.incarnation = p_incarnation;
END $$;
