-- Partitions of the history, and the view that people query.

-- Makes those of today and the next days that are missing. Each is made alone and then attached: CREATE TABLE ... PARTITION OF
-- takes ACCESS EXCLUSIVE on the parent, ATTACH only SHARE UPDATE EXCLUSIVE, so that outcomes go on meanwhile.
CREATE FUNCTION taskmaster.make_partitions_v1(p_days integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
  v_day   date;
  v_name  text;
  v_made  integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('taskmaster.task_history'));
  FOR v_day IN SELECT v_today + n FROM generate_series(0, p_days) AS n LOOP
    v_name := 'task_history_' || to_char(v_day, 'YYYYMMDD');
    IF to_regclass('taskmaster.' || v_name) IS NULL THEN
      EXECUTE format('CREATE TABLE taskmaster.%I (LIKE taskmaster.task_history INCLUDING ALL)', v_name);
      EXECUTE format('ALTER TABLE taskmaster.task_history ATTACH PARTITION taskmaster.%I FOR VALUES FROM (%L) TO (%L)', v_name,
                     v_day || ' 00:00:00+00', (v_day + 1) || ' 00:00:00+00');
      v_made := v_made + 1;
    END IF;
  END LOOP;
  RETURN v_made;
END $$;

-- Every day's table, attached or not: a detached one is left over when its DROP had to give way.
CREATE VIEW taskmaster.history_days AS
SELECT c.relname::text AS name, to_date(substring(c.relname FROM 14), 'YYYYMMDD') AS day, i.inhparent IS NOT NULL AS attached,
       coalesce(i.inhdetachpending, false) AS detaching
  FROM pg_class c
  LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
 WHERE c.relnamespace = 'taskmaster'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^task_history_[0-9]{8}$';

SELECT taskmaster.make_partitions_v1(7);

-- Who runs is the leader's knowledge: what is handed out shows as ready here.
CREATE VIEW taskmaster.all_tasks AS
SELECT id, queue, kind, CASE WHEN run_at <= clock_timestamp() THEN 'ready' ELSE 'scheduled' END AS state, reason, priority, run_at, created_at,
       expires_at, timeout, attempt, max_attempts, failures, losses, CASE WHEN at_most_once THEN 'at_most_once' ELSE 'at_least_once' END AS delivery,
       unique_key, concurrency_key, coalesce(labels, '{}') AS labels, convert_from(payload, 'UTF8') AS payload, NULL::text AS result,
       NULL::text AS error_code, NULL::text AS error_message, NULL::text AS worker, NULL::timestamptz AS picked_at,
       NULL::timestamptz AS started_at, NULL::timestamptz AS finished_at
  FROM taskmaster.tasks
UNION ALL
SELECT id, queue, kind, state, reason, priority, run_at, created_at,
       expires_at, timeout, attempt, max_attempts, failures, losses, CASE WHEN at_most_once THEN 'at_most_once' ELSE 'at_least_once' END,
       unique_key, concurrency_key, coalesce(labels, '{}'), convert_from(payload, 'UTF8'), convert_from(result, 'UTF8'),
       error_code, error_message, worker, picked_at, started_at, finished_at
  FROM taskmaster.task_history;
