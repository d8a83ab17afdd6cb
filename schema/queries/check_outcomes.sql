-- What must never be: a task that is finished and unfinished, an outcome that is there twice (of the last day: the whole history would take long).
WITH both_ways AS (
  SELECT h.id FROM taskmaster.task_history h JOIN taskmaster.tasks t ON t.id = h.id WHERE h.finished_at > clock_timestamp() - interval '1 day' LIMIT 20
), twice AS (
  SELECT id FROM taskmaster.task_history WHERE finished_at > clock_timestamp() - interval '1 day' GROUP BY id HAVING count(*) > 1 LIMIT 20
)
SELECT 'bad', format('%s tasks are finished and unfinished at once, such as %s', count(*), min(id::text)), 'this is a fault of TaskMaster: report it with these ids'
  FROM both_ways HAVING count(*) > 0
UNION ALL
SELECT 'bad', format('%s tasks have two outcomes, such as %s', count(*), min(id::text)), 'this is a fault of TaskMaster: report it with these ids'
  FROM twice HAVING count(*) > 0
UNION ALL
SELECT 'good', 'each task of the last day has one outcome', '' WHERE NOT EXISTS (SELECT FROM both_ways) AND NOT EXISTS (SELECT FROM twice)
