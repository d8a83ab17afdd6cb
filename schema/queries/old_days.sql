-- Days that ended longer ago than the retention.
SELECT name, attached, detaching FROM taskmaster.history_days
 WHERE (day + 1)::timestamp AT TIME ZONE 'UTC' <= clock_timestamp() - $1::interval
 ORDER BY name
