-- Those of unfinished tasks stay however old they are; a failed task's stays as long as its history, for a retry by hand.
DELETE FROM taskmaster.checkpoints WHERE task_id IN (
  SELECT c.task_id FROM taskmaster.checkpoints c
   WHERE c.saved_at < clock_timestamp() - $1::interval AND NOT EXISTS (SELECT FROM taskmaster.tasks t WHERE t.id = c.task_id)
   LIMIT $2::bigint)
