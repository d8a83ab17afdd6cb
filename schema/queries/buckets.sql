-- The distinct prefixes of tasks_window by skipping from one to the next: as many index probes as there are buckets, whatever the backlog.
WITH RECURSIVE bucket AS (
  (SELECT queue, kind, priority FROM taskmaster.tasks ORDER BY queue, kind, priority LIMIT 1)
  UNION ALL
  SELECT n.queue, n.kind, n.priority
    FROM bucket b, LATERAL (SELECT t.queue, t.kind, t.priority FROM taskmaster.tasks t
                             WHERE (t.queue, t.kind, t.priority) > (b.queue, b.kind, b.priority)
                             ORDER BY t.queue, t.kind, t.priority LIMIT 1) AS n
)
SELECT queue, kind, priority FROM bucket
