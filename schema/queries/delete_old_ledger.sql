DELETE FROM taskmaster.schedule_ledger WHERE (schedule, instant) IN (
  SELECT schedule, instant FROM taskmaster.schedule_ledger WHERE decided_at < clock_timestamp() - $1::interval ORDER BY decided_at LIMIT $2::bigint)
