-- Due for a minute and not finished: they may run, wait for a worker, or be stuck; `explain` tells of each.
WITH late AS (
  SELECT t.id, t.kind, t.queue, t.run_at FROM taskmaster.tasks t LEFT JOIN taskmaster.queues q ON q.name = t.queue
   WHERE t.run_at < clock_timestamp() - interval '1 minute' AND NOT coalesce(q.paused, false)
   LIMIT 10001
)
SELECT CASE WHEN count(*) > 0 THEN 'note' ELSE 'good' END,
       CASE WHEN count(*) > 0 THEN format('%s tasks are due for more than a minute and not finished; the longest of these, %s (%s), since %s',
                                          CASE WHEN count(*) > 10000 THEN 'over 10000' ELSE count(*)::text END,
                                          (array_agg(id ORDER BY run_at))[1], (array_agg(kind ORDER BY run_at))[1], date_trunc('second', min(run_at)))
            ELSE 'no task is due for more than a minute' END,
       CASE WHEN count(*) > 0 THEN format('if that is too long: taskmaster explain %s', (array_agg(id ORDER BY run_at))[1]) ELSE '' END
  FROM late
