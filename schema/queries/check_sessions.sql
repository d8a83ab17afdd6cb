-- Who keeps old rows alive for everybody: the table of unfinished tasks is small only as long as vacuum may clear it.
WITH oldest AS (
  SELECT pid, usename, application_name, state, clock_timestamp() - xact_start AS age
    FROM pg_stat_activity
   WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
   ORDER BY xact_start LIMIT 1
)
SELECT CASE WHEN o.age > interval '1 hour' THEN 'bad' WHEN o.age > interval '5 minutes' THEN 'warn' ELSE 'good' END,
       CASE WHEN o.age > interval '5 minutes' THEN
              format('a transaction of %s (%s, pid %s, %s) is open for %s min', o.usename, coalesce(nullif(o.application_name, ''), 'no name'), o.pid, o.state,
                     round(extract(epoch FROM o.age) / 60))
            ELSE 'no transaction is open for longer than five minutes' END,
       CASE WHEN o.age > interval '5 minutes' THEN format('end it, or: select pg_terminate_backend(%s)', o.pid) ELSE '' END
  FROM (SELECT 1) AS one LEFT JOIN oldest o ON true
UNION ALL
SELECT 'warn', format('a prepared transaction (%s) is open since %s', gid, prepared), format('commit it, or: rollback prepared %L', gid)
  FROM pg_prepared_xacts WHERE database = current_database() AND prepared < clock_timestamp() - interval '5 minutes'
