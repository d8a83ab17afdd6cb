SELECT {task} FROM taskmaster.reopen_task_v2($1, $2, $3) AS t
