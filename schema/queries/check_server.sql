-- What weakens the promise, or keeps the scheduler from working: one row a fault, and one row when there is none. A server that is too old is
-- refused before (oldest_server in postgres_connection.hpp).
SELECT f.grade, f.detail, f.advice
  FROM (VALUES
    (pg_is_in_recovery(), 'bad', 'this is a replica: nothing can be written here', 'name the primary, or every host with target_session_attrs=read-write'),
    (current_setting('server_encoding') <> 'UTF8', 'bad', 'the database has the encoding ' || current_setting('server_encoding') || ', which cannot hold every text',
     'create one with ENCODING ''UTF8'''),
    (current_setting('fsync') = 'off', 'bad', 'fsync is off: a crash of the machine may damage the database', 'turn it on'),
    (current_setting('full_page_writes') = 'off', 'bad', 'full_page_writes is off: a crash of the machine may damage the database', 'turn it on'),
    (current_setting('synchronous_commit') = 'off', 'bad', 'synchronous_commit is off: a crash may lose tasks that were acknowledged',
     'set it to on for this role or database'),
    (current_setting('autovacuum') = 'off', 'bad', 'autovacuum is off: the table of unfinished tasks grows and slows down', 'turn it on'),
    (EXISTS (SELECT FROM pg_stat_replication) AND current_setting('synchronous_standby_names') = '', 'warn',
     'there are replicas, and none is synchronous: a failover may lose what was acknowledged a moment before', 'set synchronous_standby_names'),
    ((SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') > 0.9 * current_setting('max_connections')::integer, 'warn',
     'more than nine tenths of max_connections (' || current_setting('max_connections') || ') are in use', 'raise it, or find who holds them in pg_stat_activity')
  ) AS f (applies, grade, detail, advice)
 WHERE f.applies
UNION ALL
SELECT 'good', 'PostgreSQL ' || current_setting('server_version'), ''
