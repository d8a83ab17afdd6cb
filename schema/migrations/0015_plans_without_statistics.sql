-- Plans that do not need statistics. A vacuum or ANALYZE that sees no row of `tasks` (the queue was drained a moment ago; or thousands of rows
-- are being inserted by a transaction that has not ended) tells the planner that the table is empty, until the next one, a minute later. Then
-- `t.id = u.id` was planned as a walk over all of an index for each batch: 20 s for a thousand outcomes among 100,000 tasks, which take
-- 0.01 s now, and the leader could record nothing meanwhile.

-- Of indexes that look the same to the planner, as all do on an empty table, it takes the youngest. That one has to be the primary key, not
-- one that has the id last.
CREATE UNIQUE INDEX tasks_id_youngest ON taskmaster.tasks (id);
ALTER TABLE taskmaster.tasks DROP CONSTRAINT tasks_id, ADD CONSTRAINT tasks_id PRIMARY KEY USING INDEX tasks_id_youngest;

-- The functions as they were, but for `= ANY (ARRAY[…])`: an equality by which the planner cannot merge, so that it sees no use in reading an index
-- in its order. It is left with looking up each id.

CREATE OR REPLACE FUNCTION taskmaster.finish_tasks_v3(
  p_term bigint, p_ids uuid[], p_attempts integer[], p_losses integer[], p_states text[], p_reasons text[], p_codes text[],
  p_messages text[], p_results bytea[], p_workers text[], p_fence_terms bigint[], p_fence_sequences bigint[],
  p_picked timestamptz[], p_started timestamptz[],
  OUT now timestamptz, OUT already uuid[], OUT stale uuid[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_applied uuid[];
  v_owners  uuid[];
  v_keys    text[];
BEGIN
  IF NOT 'succeeded' = ALL (p_states) THEN
    SELECT f.now, f.already, f.stale INTO now, already, stale
      FROM taskmaster.finish_tasks_v2(p_term, p_ids, p_attempts, p_losses, p_states, p_reasons, p_codes, p_messages, p_results, p_workers,
                                      p_fence_terms, p_fence_sequences, p_picked, p_started) AS f;
    RETURN;
  END IF;
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
     WHERE t.id = ANY (ARRAY[u.id]) AND t.attempt = u.attempt AND t.losses = u.losses
    RETURNING t.*, u.new_state, u.new_reason, u.code, u.message, u.result, u.worker, u.fence_term, u.fence_sequence, u.picked_at,
              u.started_at
  ), kept AS (
    INSERT INTO taskmaster.task_history (
      run_at, created_at, expires_at, finished_at, picked_at, started_at, timeout, retry_initial, retry_max, retry_factor,
      retry_jitter, marked_term, marked_sequence, fence_term, fence_sequence, id, priority, max_attempts, attempt, failures, losses,
      deferrals, at_most_once, queue, kind, state, reason, unique_key, concurrency_key, worker, error_code, error_message, labels,
      payload, result, options)
    SELECT run_at, created_at, expires_at, finish_tasks_v3.now, picked_at, started_at, timeout, retry_initial, retry_max, retry_factor,
      retry_jitter, marked_term, marked_sequence, fence_term, fence_sequence, id, priority, max_attempts, attempt, failures, losses,
      deferrals, at_most_once, queue, kind, new_state, new_reason, unique_key, concurrency_key, worker, code, message, labels,
      payload, result, options
    FROM gone
    RETURNING id, unique_key
  )
  SELECT array_agg(id), array_agg(id) FILTER (WHERE unique_key IS NOT NULL), array_agg(unique_key) FILTER (WHERE unique_key IS NOT NULL)
    INTO v_applied, v_owners, v_keys FROM kept;

  IF v_keys IS NOT NULL THEN
    DELETE FROM taskmaster.keys k USING unnest(v_owners, v_keys) AS g (id, key)
     WHERE k.scope = 'unique' AND k.key = ANY (ARRAY[g.key]) AND k.task_id = g.id;
  END IF;

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

CREATE OR REPLACE FUNCTION taskmaster.finish_tasks_v2(
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
     WHERE t.id = ANY (ARRAY[u.id]) AND t.attempt = u.attempt AND t.losses = u.losses
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
     WHERE g.unique_key IS NOT NULL AND k.scope = 'unique' AND k.key = ANY (ARRAY[g.unique_key]) AND k.task_id = g.id
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

CREATE OR REPLACE FUNCTION taskmaster.retry_tasks_v1(
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
     WHERE t.id = ANY (ARRAY[u.id]) AND t.attempt = u.old_attempt AND t.losses = u.old_losses
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

CREATE OR REPLACE FUNCTION taskmaster.lose_tasks_v1(
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
     WHERE t.id = ANY (ARRAY[u.id]) AND t.attempt = u.old_attempt AND t.losses = u.old_losses
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

CREATE OR REPLACE FUNCTION taskmaster.mark_tasks_v1(
  p_term bigint, p_ids uuid[], p_attempts integer[], p_losses integer[], p_fence_terms bigint[], p_fence_sequences bigint[])
RETURNS TABLE (id uuid, already boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  RETURN QUERY
  SELECT t.id, true
    FROM unnest(p_ids, p_attempts, p_losses, p_fence_terms, p_fence_sequences) AS u (id, attempt, losses, term, sequence)
    JOIN taskmaster.tasks t ON t.id = ANY (ARRAY[u.id]) AND t.attempt = u.attempt AND t.losses = u.losses
   WHERE t.marked_term = u.term AND t.marked_sequence = u.sequence;
  RETURN QUERY
  UPDATE taskmaster.tasks t
     SET marked_term = u.term, marked_sequence = u.sequence
    FROM unnest(p_ids, p_attempts, p_losses, p_fence_terms, p_fence_sequences) AS u (id, attempt, losses, term, sequence)
   WHERE t.id = ANY (ARRAY[u.id]) AND t.attempt = u.attempt AND t.losses = u.losses AND t.marked_term IS NULL
  RETURNING t.id, false;
END $$;

CREATE OR REPLACE FUNCTION taskmaster.free_keys_v1(p_term bigint, p_ids uuid[], p_attempts integer[], p_losses integer[])
RETURNS TABLE (id uuid)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  DELETE FROM taskmaster.keys k
   USING unnest(p_ids, p_attempts, p_losses) AS u (id, attempt, losses), taskmaster.tasks t
   WHERE t.id = ANY (ARRAY[u.id]) AND t.attempt = u.attempt AND t.losses = u.losses AND k.scope = 'unique'
     AND k.key = ANY (ARRAY[t.unique_key]) AND k.task_id = ANY (ARRAY[t.id]);
  RETURN QUERY
  SELECT t.id FROM unnest(p_ids, p_attempts, p_losses) AS u (id, attempt, losses)
    JOIN taskmaster.tasks t ON t.id = ANY (ARRAY[u.id]) AND t.attempt = u.attempt AND t.losses = u.losses;
END $$;

CREATE OR REPLACE FUNCTION taskmaster.keep_checkpoints_v1(p_term bigint, p_ids uuid[], p_attempts integer[], p_losses integer[], p_data bytea[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  DELETE FROM taskmaster.checkpoints c USING unnest(p_ids, p_data) AS u (id, data) WHERE c.task_id = ANY (ARRAY[u.id]) AND u.data IS NULL;
  INSERT INTO taskmaster.checkpoints (task_id, saved_at, data)
  SELECT u.id, clock_timestamp(), u.data
    FROM unnest(p_ids, p_attempts, p_losses, p_data) AS u (id, attempt, losses, data)
    JOIN taskmaster.tasks t ON t.id = ANY (ARRAY[u.id]) AND t.attempt = u.attempt AND t.losses = u.losses
   WHERE u.data IS NOT NULL
  ON CONFLICT (task_id) DO UPDATE SET saved_at = excluded.saved_at, data = excluded.data;
END $$;

CREATE OR REPLACE FUNCTION taskmaster.follow_up_v1(p_term bigint, p_most integer, p_bytes bigint)
RETURNS TABLE (more boolean, edges boolean, released taskmaster.tasks)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_numbers bigint[];
  v_parents uuid[];
  v_ended   uuid[];
  v_states  text[];
  v_bytes   bigint := 0;
  v_row     taskmaster.tasks;
BEGIN
  IF EXISTS (SELECT FROM taskmaster.follow_ups)
     OR EXISTS (SELECT FROM taskmaster.tasks t WHERE t.run_at = 'infinity' AND t.expires_at <= clock_timestamp()) THEN
    PERFORM taskmaster.hold_term_v1(p_term);
    SELECT array_agg(f.number), array_agg(DISTINCT f.parent) INTO v_numbers, v_parents
      FROM (SELECT number, parent FROM taskmaster.follow_ups ORDER BY number LIMIT p_most) AS f;
    UPDATE taskmaster.tasks t SET followed = true WHERE t.id = ANY (v_parents) AND t.followed IS NULL;
    -- A later statement: it sees an end that the update had to wait for.
    SELECT array_agg(p.id), array_agg(h.state) INTO v_ended, v_states
      FROM unnest(v_parents) AS p (id)
      LEFT JOIN LATERAL (SELECT state FROM taskmaster.task_history h
                          WHERE h.id = p.id AND h.finished_at >= taskmaster.finished_after(p.id)
                          ORDER BY h.finished_at DESC LIMIT 1) AS h ON true
     WHERE NOT EXISTS (SELECT FROM taskmaster.tasks t WHERE t.id = p.id OFFSET 0);
    FOR v_row IN
      WITH page AS MATERIALIZED (
        SELECT e.parent, e.child, u.state
          FROM unnest(v_ended, v_states) AS u (id, state) JOIN taskmaster.edges e ON e.parent = ANY (ARRAY[u.id])
         LIMIT p_most
      ), settled AS (
        DELETE FROM taskmaster.edges e USING page p WHERE e.parent = ANY (ARRAY[p.parent]) AND e.child = ANY (ARRAY[p.child])
        RETURNING e.child, e.parent, e.otherwise, p.state, (e.on_finished OR p.state IS NOT DISTINCT FROM 'succeeded' OR e.otherwise = 'run') AS good
      ), sums AS MATERIALIZED (
        SELECT child, count(*) AS n, bool_and(good) AS good, max(otherwise) FILTER (WHERE NOT good) AS otherwise,
               (array_agg(parent ORDER BY parent) FILTER (WHERE NOT good))[1] AS culprit,
               (array_agg(state ORDER BY parent) FILTER (WHERE NOT good))[1] AS culprit_state
          FROM settled GROUP BY child
      )
      UPDATE taskmaster.tasks t
         SET waits_for = CASE WHEN s.good AND t.waits_for > s.n THEN t.waits_for - s.n END,
             run_at = CASE WHEN NOT s.good THEN t.created_at
                           WHEN t.waits_for > s.n THEN t.run_at
                           ELSE taskmaster.due_after_wait(t.options, clock_timestamp()) END,
             reason = CASE WHEN s.good THEN t.reason
                           ELSE 'dependency:' || CASE s.otherwise WHEN 'fail' THEN 'failed' ELSE 'cancelled' END || ':' || s.culprit || ':'
                                || coalesce(s.culprit_state, '') END,
             xid = CASE WHEN s.good AND t.waits_for > s.n THEN t.xid ELSE pg_current_xact_id() END
        FROM sums s
       WHERE t.id = ANY (ARRAY[s.child]) AND t.waits_for > 0
      RETURNING t.*
    LOOP
      CONTINUE WHEN v_row.waits_for > 0;
      v_bytes := v_bytes + octet_length(v_row.payload);
      IF v_bytes <= p_bytes THEN
        released := v_row;
        RETURN NEXT;
      END IF;
    END LOOP;
    -- What was looked at is done, but for the ended ones with more edges than the page had room for.
    DELETE FROM taskmaster.follow_ups f
     WHERE f.number = ANY (v_numbers)
       AND NOT (f.parent = ANY (coalesce(v_ended, '{}')) AND EXISTS (SELECT FROM taskmaster.edges e WHERE e.parent = f.parent));
    FOR v_row IN
      UPDATE taskmaster.tasks t
         SET waits_for = NULL, run_at = t.created_at, reason = 'dependency:expired:00000000-0000-0000-0000-000000000000:', xid = pg_current_xact_id()
       WHERE t.id = ANY (ARRAY(SELECT l.id FROM taskmaster.tasks l WHERE l.run_at = 'infinity' AND l.expires_at <= clock_timestamp()
                             ORDER BY l.expires_at LIMIT p_most))
         AND t.run_at = 'infinity'
      RETURNING t.*
    LOOP
      v_bytes := v_bytes + octet_length(v_row.payload);
      IF v_bytes <= p_bytes THEN
        released := v_row;
        RETURN NEXT;
      END IF;
    END LOOP;
  END IF;
  released := NULL;
  more := EXISTS (SELECT FROM taskmaster.follow_ups);
  edges := EXISTS (SELECT FROM taskmaster.edges);
  RETURN NEXT;
END $$;
