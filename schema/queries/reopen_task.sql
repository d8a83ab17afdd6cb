SELECT {planned} FROM taskmaster.reopen_task_v3($1, $2, $3, $4) AS t
