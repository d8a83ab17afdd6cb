-- For one transaction in a session that may be anybody's: the settings of a role or database that would change what our questions are answered.
-- A setting that this server does not have is left out.
SELECT set_config(s.name, v.value, true)
  FROM (VALUES ('search_path', 'pg_catalog'), ('timezone', 'UTC'), ('intervalstyle', 'postgres'), ('datestyle', 'ISO, YMD'),
               ('quote_all_identifiers', 'off'), ('extra_float_digits', '1'), ('jit', 'off'),
               ('transaction_timeout', '0'), ('idle_in_transaction_session_timeout', '30s')) AS v (name, value)
  JOIN pg_catalog.pg_settings s ON lower(s.name) = v.name
