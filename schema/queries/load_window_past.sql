-- A bucket's window without the keys that have windows of their own. $8 has these keys as an object of jsonb, which finds a key by
-- halving; $9 bounds the walk past them, so that ten million rows of one key cost many short walks and never a long one. Where the walk
-- ended comes back even when no row passed.
WITH walked AS MATERIALIZED (
  SELECT run_at, id, octet_length(payload) AS size, (concurrency_key IS NULL OR NOT ($8::jsonb ? concurrency_key)) AS passed
    FROM taskmaster.tasks
   WHERE queue = $1::text AND kind = $2::text AND priority = $3::integer AND (run_at, id) > ($4::timestamptz, $5::uuid)
     AND run_at < 'infinity'
   ORDER BY run_at, id LIMIT $9::bigint
), passing AS MATERIALIZED (
  SELECT id, row_number() OVER walk AS place, sum(size) OVER walk - size AS before
    FROM walked WHERE passed WINDOW walk AS (ORDER BY run_at, id)
), ends AS (
  SELECT (SELECT count(*) FROM walked) AS walked, (SELECT count(*) FROM passing) AS passing, l.run_at, l.id
    FROM (SELECT run_at, id FROM walked ORDER BY run_at DESC, id DESC LIMIT 1) AS l
)
SELECT e.walked, e.passing, e.run_at, e.id, {planned}
  FROM ends e
  LEFT JOIN (passing p JOIN taskmaster.tasks t ON t.id = ANY (ARRAY[p.id])) ON p.place <= $6::bigint AND p.before < $7::bigint
 ORDER BY t.run_at, t.id
