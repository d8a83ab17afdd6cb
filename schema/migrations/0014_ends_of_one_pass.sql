-- A batch with an end that is not a success goes the way of v2 again. 0013 wrote the attempts of such a batch by joining what left `tasks` with
-- the arrays once more; TaskMaster's connections plan without hash joins, and that join walked one array for each row of the other.
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
     WHERE t.id = u.id AND t.attempt = u.attempt AND t.losses = u.losses
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
     WHERE k.scope = 'unique' AND k.key = g.key AND k.task_id = g.id;
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
