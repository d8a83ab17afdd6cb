-- Of indexes that cost the same, as all do where the planner believes the table empty, it takes the youngest (migration 0015). A dump that was restored, or
-- REINDEX CONCURRENTLY of another index, makes another one the youngest.
SELECT CASE WHEN y.is_primary THEN 'good' ELSE 'warn' END,
       CASE WHEN y.is_primary THEN 'tasks are found by their ids whatever the statistics say'
            ELSE format('the youngest index of tasks is %s: after the queue was empty, outcomes may take seconds until the table is analyzed again', y.name) END,
       CASE WHEN y.is_primary THEN '' ELSE 'REINDEX INDEX CONCURRENTLY taskmaster.tasks_id' END
  FROM (SELECT i.indisprimary AS is_primary, c.relname AS name
          FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE i.indrelid = 'taskmaster.tasks'::regclass AND i.indpred IS NULL
         ORDER BY i.indexrelid DESC LIMIT 1) AS y
