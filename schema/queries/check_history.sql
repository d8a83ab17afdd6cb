-- Without a partition for the day no outcome can be recorded.
WITH ahead AS (
  SELECT count(*) AS days
    FROM (SELECT day, row_number() OVER (ORDER BY day) AS place FROM taskmaster.history_days
           WHERE attached AND NOT detaching AND day >= (clock_timestamp() AT TIME ZONE 'UTC')::date) AS d
   WHERE d.day = (clock_timestamp() AT TIME ZONE 'UTC')::date + (d.place - 1)::integer
), behind AS (
  SELECT count(*) AS days FROM taskmaster.history_days WHERE NOT attached OR detaching
)
SELECT CASE WHEN a.days = 0 THEN 'bad' WHEN a.days < 3 THEN 'warn' WHEN b.days > 0 THEN 'note' ELSE 'good' END,
       CASE WHEN a.days = 0 THEN 'today has no partition: no outcome can be recorded'
            WHEN a.days < 3 THEN format('only %s days of history have a partition, today included', a.days)
            WHEN b.days > 0 THEN format('%s days have a partition; %s old ones are detached and not dropped yet', a.days, b.days)
            ELSE format('%s days have a partition, today included', a.days) END,
       CASE WHEN a.days < 3 THEN 'run: taskmaster migrate; a leading coordinator does it every hour'
            WHEN b.days > 0 THEN 'somebody reads them; the next round drops them' ELSE '' END
  FROM ahead a, behind b
