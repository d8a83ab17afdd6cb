-- Everything in the schema `taskmaster`, a row for each thing: kind, the table it belongs to, name, what it is. Said with as little of the server's own
-- wording as can be, which changes between releases: indexes by their columns, functions by a hash of the text they were made from, a view by its columns
-- alone, NOT NULL as a property of its column (PostgreSQL 18 makes constraints of them). Only what is read from an expression is the
-- server's wording; the connection's search_path is pg_catalog alone, so that names are written the same for everybody.
-- The days of the history are left out: they are made alike from task_history.
WITH rel AS (
  SELECT c.* FROM pg_class c
   WHERE c.relnamespace = to_regnamespace('taskmaster') AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relname !~ '^task_history_[0-9]{8}$'
)
SELECT 'table' AS kind, '' AS part_of, r.relname::text AS name,
       CASE r.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE r.relkind::text END
       || CASE r.relpersistence WHEN 'u' THEN ', unlogged' ELSE '' END
       || coalesce(', partitioned by ' || (SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM pg_partitioned_table p, unnest(p.partattrs::int2[]) WITH ORDINALITY AS k (attnum, n)
                                             JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = k.attnum WHERE p.partrelid = r.oid), '')
       || coalesce(', ' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(r.reloptions) AS o), '') AS what
  FROM rel r
UNION ALL
SELECT 'column', r.relname, a.attname,
       format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
       || CASE WHEN a.attidentity <> '' THEN ' identity' ELSE '' END || CASE WHEN a.attgenerated <> '' THEN ' generated' ELSE '' END
       || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
  FROM rel r
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
 WHERE r.relkind <> 'S'
UNION ALL
SELECT 'index', r.relname, i.relname,
       CASE WHEN x.indisprimary THEN 'primary key ' WHEN x.indisunique THEN 'unique ' ELSE '' END || m.amname || ' ('
       || (SELECT string_agg(pg_get_indexdef(x.indexrelid, k, true) || CASE WHEN x.indoption[k - 1] & 1 = 1 THEN ' desc' ELSE '' END, ', ' ORDER BY k)
             FROM generate_series(1, x.indnkeyatts) AS k) || ')'
       || coalesce(' include ' || (SELECT string_agg(pg_get_indexdef(x.indexrelid, k, true), ', ' ORDER BY k) FROM generate_series(x.indnkeyatts + 1, x.indnatts) AS k), '')
       || coalesce(' where ' || pg_get_expr(x.indpred, x.indrelid), '')
       || coalesce(', ' || array_to_string(i.reloptions, ', '), '') || CASE WHEN x.indisvalid THEN '' ELSE ', not valid' END
  FROM rel r
  JOIN pg_index x ON x.indrelid = r.oid
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_am m ON m.oid = i.relam
UNION ALL
SELECT 'constraint', r.relname, c.conname, pg_get_constraintdef(c.oid) || CASE WHEN c.convalidated THEN '' ELSE ', not validated' END
  FROM rel r
  JOIN pg_constraint c ON c.conrelid = r.oid AND c.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT 'trigger', r.relname, t.tgname,
       replace(pg_get_triggerdef(t.oid), 'CREATE TRIGGER ' || quote_ident(t.tgname) || ' ', '') || CASE t.tgenabled WHEN 'O' THEN '' ELSE ', enabled: ' || t.tgenabled::text END
  FROM rel r
  JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
UNION ALL
SELECT 'function', '', p.proname || '(' || oidvectortypes(p.proargtypes) || ')',
       '(' || pg_get_function_arguments(p.oid) || ') returns ' || coalesce(pg_get_function_result(p.oid), '') || ', ' || l.lanname || ', '
       || CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END || CASE WHEN p.proisstrict THEN ', strict' ELSE '' END
       || CASE WHEN p.prosecdef THEN ', security definer' ELSE '' END || coalesce(', ' || array_to_string(p.proconfig, ', '), '')
       || ', body ' || md5(replace(p.prosrc, E'\r', ''))
  FROM pg_proc p
  JOIN pg_language l ON l.oid = p.prolang
 WHERE p.pronamespace = to_regnamespace('taskmaster')
