-- One row for each queue, and one more for each of its paused kinds and keys.
SELECT q.name, q.paused, q.concurrency, q.rate_limit, q.rate_period, q.rate_burst, q.key_concurrency, q.key_rate_limit, q.key_rate_period,
       q.key_rate_burst, q.weight, p.part, p.name
  FROM taskmaster.queues q
  LEFT JOIN taskmaster.paused_parts p ON p.queue = q.name
 ORDER BY q.name
