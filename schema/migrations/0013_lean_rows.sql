-- Rows without what most tasks do not say, and outcomes in one pass: 128 bytes of write-ahead log a task less.

-- NULL is what a task has that says nothing: no timeout, a retry after 1 second, twice as long each time, at most 10 minutes, a jitter of a tenth.
-- Nodes of the build before read it so already.
ALTER TABLE taskmaster.tasks
  ALTER COLUMN timeout DROP NOT NULL, ALTER COLUMN timeout DROP DEFAULT,
  ALTER COLUMN retry_initial DROP NOT NULL, ALTER COLUMN retry_initial DROP DEFAULT,
  ALTER COLUMN retry_max DROP NOT NULL, ALTER COLUMN retry_max DROP DEFAULT,
  ALTER COLUMN retry_factor DROP NOT NULL, ALTER COLUMN retry_factor DROP DEFAULT,
  ALTER COLUMN retry_jitter DROP NOT NULL, ALTER COLUMN retry_jitter DROP DEFAULT;
ALTER TABLE taskmaster.task_history
  ALTER COLUMN timeout DROP NOT NULL,
  ALTER COLUMN retry_initial DROP NOT NULL,
  ALTER COLUMN retry_max DROP NOT NULL,
  ALTER COLUMN retry_factor DROP NOT NULL,
  ALTER COLUMN retry_jitter DROP NOT NULL;

CREATE OR REPLACE VIEW taskmaster.all_tasks AS
SELECT id, queue, kind, CASE WHEN run_at <= clock_timestamp() THEN 'ready' ELSE 'scheduled' END AS state, reason, priority, run_at, created_at,
       expires_at, coalesce(timeout, '0') AS timeout, attempt, max_attempts, failures, losses, CASE WHEN at_most_once THEN 'at_most_once' ELSE 'at_least_once' END AS delivery,
       unique_key, concurrency_key, coalesce(labels, '{}') AS labels, convert_from(payload, 'UTF8') AS payload, NULL::text AS result,
       NULL::text AS error_code, NULL::text AS error_message, NULL::text AS worker, NULL::timestamptz AS picked_at,
       NULL::timestamptz AS started_at, NULL::timestamptz AS finished_at, coalesce(options, '{}') AS options
  FROM taskmaster.tasks
UNION ALL
SELECT id, queue, kind, state, reason, priority, run_at, created_at,
       expires_at, coalesce(timeout, '0'), attempt, max_attempts, failures, losses, CASE WHEN at_most_once THEN 'at_most_once' ELSE 'at_least_once' END,
       unique_key, concurrency_key, coalesce(labels, '{}'), convert_from(payload, 'UTF8'), convert_from(result, 'UTF8'),
       error_code, error_message, worker, picked_at, started_at, finished_at, coalesce(options, '{}')
  FROM taskmaster.task_history;

-- As v2 (0006_options.sql), in one pass over what left `tasks`: unique keys are freed and attempts written by statements of their own, and only
-- when the batch has any. Most batches have neither, and v2 walked the batch twice more to find that out.
CREATE FUNCTION taskmaster.finish_tasks_v3(
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
  IF NOT 'succeeded' = ALL (p_states) THEN
    INSERT INTO taskmaster.attempts (task_id, attempt, losses, fence_term, fence_sequence, picked_at, started_at, finished_at, worker,
                                     outcome, reason, error_code, error_message)
    SELECT u.id, u.attempt, u.losses, u.fence_term, u.fence_sequence, u.picked_at, u.started_at, finish_tasks_v3.now, u.worker,
           CASE WHEN u.state = 'failed' AND u.reason IN ('lost', 'quarantined') THEN 'lost' ELSE u.state END, u.reason, u.code, u.message
      FROM unnest(v_applied) AS a (id) JOIN unnest(p_ids, p_attempts, p_losses, p_states, p_reasons, p_codes, p_messages, p_workers, p_fence_terms, p_fence_sequences,
                  p_picked, p_started)
             AS u (id, attempt, losses, state, reason, code, message, worker, fence_term, fence_sequence, picked_at, started_at) USING (id)
     WHERE u.state <> 'succeeded' AND (u.fence_term > 0 OR u.started_at IS NOT NULL);
  END IF;

  IF coalesce(cardinality(v_applied), 0) < cardinality(p_ids) THEN
    SELECT coalesce(array_agg(m.id) FILTER (WHERE m.recorded), '{}'), coalesce(array_agg(m.id) FILTER (WHERE NOT m.recorded), '{}')
      INTO already, stale
      FROM (SELECT u.id,
                   EXISTS (SELECT FROM taskmaster.task_history h
                            WHERE h.id = u.id AND h.fence_term = u.fence_term AND h.fence_sequence = u.fence_sequence
                              AND (u.fence_term > 0 OR h.state = u.state)) AS recorded
              FROM unnest(p_ids, p_fence_terms, p_fence_sequences, p_states) AS u (id, fence_term, fence_sequence, state)
              LEFT JOIN unnest(v_applied) AS a (id) USING (id)
             WHERE a.id IS NULL) AS m;
  END IF;
END $$;
