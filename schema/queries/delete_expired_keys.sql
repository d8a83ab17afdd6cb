-- In portions, so that no statement holds many rows for long; the next round takes the rest.
DELETE FROM taskmaster.keys WHERE (scope, key) IN (
  SELECT scope, key FROM taskmaster.keys WHERE expires_at <= clock_timestamp() ORDER BY expires_at LIMIT $1::bigint FOR UPDATE SKIP LOCKED)
