DELETE FROM taskmaster.attempts WHERE (task_id, attempt, losses) IN (
  SELECT task_id, attempt, losses FROM taskmaster.attempts WHERE finished_at < clock_timestamp() - $1::interval ORDER BY finished_at LIMIT $2::bigint)
