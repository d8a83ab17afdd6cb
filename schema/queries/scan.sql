-- By inserting transaction, not by run_at: a row may commit after later-dated rows, but never in a transaction older than the xmin of
-- the snapshot that missed it. The snapshot is this very statement's. LEFT JOIN, so that xmin comes back also when there are no rows.
SELECT s.xmin, t.xid, {task}
  FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin) AS s
  LEFT JOIN LATERAL (SELECT * FROM taskmaster.tasks
                      WHERE (xid, id) > ($1::xid8, $2::uuid) ORDER BY xid, id LIMIT $3::bigint) AS t ON true
 ORDER BY t.xid, t.id
