SELECT id, already FROM taskmaster.mark_tasks_v1($1, $2, $3, $4, $5, $6)
