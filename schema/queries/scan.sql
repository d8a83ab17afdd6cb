-- By inserting transaction, not by run_at: a row may commit after later-dated rows, but never in a transaction older than the xmin of
-- the snapshot that missed it. The snapshot is this very statement's. LEFT JOIN, so that xmin comes back also when there are no rows.
-- `taken` is what the limit let in, before the cut by bytes. $5 are transactions whose rows the caller knows. IS NOT TRUE,
-- since NOT would become <> ALL, which PostgreSQL looks up by hash from version 15 on only: 5 s where this takes 0.1 (10,000 of them, 80,000 rows).
SELECT s.xmin, t.xid, t.taken, {scanned}
  FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin) AS s
  LEFT JOIN LATERAL (SELECT i.*, count(*) OVER () AS taken, row_number() OVER walk AS place, sum(octet_length(i.payload)) OVER walk AS total
                       FROM (SELECT * FROM taskmaster.tasks
                              WHERE (xid, id) > ($1::xid8, $2::uuid) AND run_at < 'infinity' AND (xid = ANY ($5::xid8[])) IS NOT TRUE
                              ORDER BY xid, id LIMIT $3::bigint) AS i
                     WINDOW walk AS (ORDER BY i.xid, i.id)) AS t ON t.place = 1 OR t.total <= $4::bigint
 ORDER BY t.xid, t.id
