-- Counted bucket by bucket, each up to the cap, so that ten million waiting tasks cost no more than ten thousand. Queues whose first
-- task came through SQL may be known from their tasks alone.
WITH RECURSIVE bucket AS (
  (SELECT queue, kind, priority FROM taskmaster.tasks ORDER BY queue, kind, priority LIMIT 1)
  UNION ALL
  SELECT n.queue, n.kind, n.priority
    FROM bucket b, LATERAL (SELECT t.queue, t.kind, t.priority FROM taskmaster.tasks t
                             WHERE (t.queue, t.kind, t.priority) > (b.queue, b.kind, b.priority)
                             ORDER BY t.queue, t.kind, t.priority LIMIT 1) AS n
), clock AS MATERIALIZED (
  SELECT clock_timestamp() AS now
), counted AS (
  SELECT b.queue,
         (SELECT count(*) FROM (SELECT FROM taskmaster.tasks t
                                 WHERE t.queue = b.queue AND t.kind = b.kind AND t.priority = b.priority
                                   AND t.run_at > (SELECT now FROM clock) LIMIT $1::bigint + 1) AS waiting) AS scheduled,
         (SELECT count(*) FROM (SELECT FROM taskmaster.tasks t
                                 WHERE t.queue = b.queue AND t.kind = b.kind AND t.priority = b.priority
                                   AND t.run_at <= (SELECT now FROM clock) LIMIT $1::bigint + 1) AS due) AS ready
    FROM bucket b
)
SELECT name, sum(scheduled)::bigint, sum(ready)::bigint
  FROM (SELECT queue AS name, scheduled, ready FROM counted
        UNION ALL
        SELECT name, 0, 0 FROM taskmaster.queues) AS both_sides
 GROUP BY name
 ORDER BY name
