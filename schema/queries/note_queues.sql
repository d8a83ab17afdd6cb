-- Queues whose first task came through taskmaster.submit(), which leaves this table alone: its caller's open transaction would hold
-- up everyone else's first task of the same queue.
WITH RECURSIVE found AS (
  (SELECT queue FROM taskmaster.tasks ORDER BY queue LIMIT 1)
  UNION ALL
  SELECT n.queue FROM found f, LATERAL (SELECT t.queue FROM taskmaster.tasks t WHERE t.queue > f.queue ORDER BY t.queue LIMIT 1) AS n
)
INSERT INTO taskmaster.queues (name) SELECT queue FROM found ON CONFLICT DO NOTHING
