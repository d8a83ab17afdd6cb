-- Once per connection. A role or a database may have settings of its own; those that would change what our statements do, or end them, are set
-- here. READ COMMITTED is what R1 to R4 are written for. Plans are made while tables are nearly empty and kept, so sequential scans and the
-- joins that want them are off: each statement of ours has an index. The server looks every second whether we are still there, so that a
-- call given up ends on its side too; its own time limits are off, since each call has a deadline of ours. Settings that this server does not
-- have (transaction_timeout before 17) are left out. Nothing of this is left in a pooler's session, since nodes refuse to start behind one
-- that shares sessions between transactions.
SELECT set_config(s.name, v.value, false)
  FROM (VALUES ('default_transaction_isolation', 'read committed'), ('default_transaction_deferrable', 'off'),
               ('client_connection_check_interval', '1s'), ('idle_in_transaction_session_timeout', '5s'), ('idle_session_timeout', '0'),
               ('statement_timeout', '0'), ('lock_timeout', '0'), ('transaction_timeout', '0'),
               ('search_path', 'pg_catalog'), ('timezone', 'UTC'), ('intervalstyle', 'postgres'), ('datestyle', 'ISO, YMD'), ('extra_float_digits', '1'),
               ('quote_all_identifiers', 'off'), ('check_function_bodies', 'on'), ('plan_cache_mode', 'auto'),
               ('jit', 'off'), ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'),
               ('enable_indexscan', 'on'), ('enable_indexonlyscan', 'on'), ('enable_nestloop', 'on')) AS v (name, value)
  JOIN pg_catalog.pg_settings s ON lower(s.name) = v.name
