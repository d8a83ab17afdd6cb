SELECT {task} FROM taskmaster.reopen_task_v1($1, $2, $3) AS t
