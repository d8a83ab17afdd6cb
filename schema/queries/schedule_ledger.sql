-- The newest first, from before $2 on.
SELECT instant, until, decided_at, count, reason
  FROM taskmaster.schedule_ledger
 WHERE schedule = $1::text AND instant < $2::timestamptz
 ORDER BY instant DESC LIMIT $3::bigint
