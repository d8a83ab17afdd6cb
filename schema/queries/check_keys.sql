-- A unique_key that is held by a task which is not unfinished would refuse every later task of its name.
WITH stray AS (
  SELECT k.key FROM taskmaster.keys k
   WHERE k.scope = 'unique' AND k.expires_at IS NULL AND NOT EXISTS (SELECT FROM taskmaster.tasks t WHERE t.id = k.task_id) LIMIT 20
)
SELECT CASE WHEN count(*) > 0 THEN 'bad' ELSE 'good' END,
       CASE WHEN count(*) > 0 THEN format('%s unique keys are held by tasks that are not there, such as %L', count(*), min(key)) ELSE 'each unique key is held by an unfinished task' END,
       CASE WHEN count(*) > 0 THEN 'this is a fault of TaskMaster: report it; free them with: delete from taskmaster.keys k where k.scope = ''unique'' and k.expires_at is null and not exists (select from taskmaster.tasks t where t.id = k.task_id)' ELSE '' END
  FROM stray
