-- Whose backend ended is dropped from the list, so that it stays as short as the leader has lanes.
UPDATE taskmaster.leader
   SET backend_pids = ARRAY (SELECT a.pid FROM pg_stat_activity a WHERE a.pid = ANY (backend_pids) AND a.pid <> pg_backend_pid()) || pg_backend_pid()
 WHERE term = $1::bigint
RETURNING true
