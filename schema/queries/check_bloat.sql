SELECT CASE WHEN s.n_dead_tup > 100000 AND s.n_dead_tup > 2 * s.n_live_tup THEN 'warn' ELSE 'good' END,
       format('the table of unfinished tasks has about %s rows and %s dead ones, %s', s.n_live_tup, s.n_dead_tup, pg_size_pretty(pg_total_relation_size(s.relid))),
       CASE WHEN s.n_dead_tup > 100000 AND s.n_dead_tup > 2 * s.n_live_tup THEN
              CASE WHEN c.reloptions::text LIKE '%autovacuum_vacuum_threshold%' THEN 'autovacuum does not keep up: look for old transactions above'
                   ELSE 'the table has lost its autovacuum settings; ALTER TABLE taskmaster.tasks SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)' END
            ELSE '' END
  FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
 WHERE s.schemaname = 'taskmaster' AND s.relname = 'tasks'
