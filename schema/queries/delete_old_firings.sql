-- In portions. A key that its schedule has not passed stays, however old.
DELETE FROM taskmaster.schedule_firings WHERE (schedule, instant) IN (
  SELECT f.schedule, f.instant FROM taskmaster.schedule_firings f
   WHERE f.fired_at < clock_timestamp() - $1::interval
     AND NOT EXISTS (SELECT FROM taskmaster.schedules s WHERE s.name = f.schedule AND s.next_at <= f.instant)
   ORDER BY f.fired_at LIMIT $2::bigint)
