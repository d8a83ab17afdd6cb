-- The plain success, which has no row in attempts, is told from the history.
SELECT attempt, losses, fence_term, fence_sequence, worker, picked_at, started_at, finished_at, outcome, reason, error_code, error_message
  FROM taskmaster.attempts
 WHERE task_id = $1::uuid
UNION ALL
SELECT attempt, losses, fence_term, fence_sequence, worker, picked_at, started_at, finished_at, state, reason, error_code, error_message
  FROM taskmaster.task_history
 WHERE id = $1::uuid AND finished_at >= $2::timestamptz AND state = 'succeeded' AND (fence_term > 0 OR started_at IS NOT NULL)
 ORDER BY attempt, losses
