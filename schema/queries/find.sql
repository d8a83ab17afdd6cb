-- One statement, hence one snapshot: a task that is being finished is in exactly one of the two. A version 7 id bounds the days of
-- history to look in ($2; a day of slack covers clocks that disagree).
SELECT {planned}, {unfinished} FROM taskmaster.tasks t WHERE t.id = $1::uuid
UNION ALL
SELECT {task}, {finished} FROM taskmaster.task_history t WHERE t.id = $1::uuid AND t.finished_at >= $2::timestamptz
LIMIT 1
