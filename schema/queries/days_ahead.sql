-- From today on, without a gap.
SELECT count(*)
  FROM (SELECT day, row_number() OVER (ORDER BY day) AS place FROM taskmaster.history_days
         WHERE attached AND NOT detaching AND day >= (clock_timestamp() AT TIME ZONE 'UTC')::date) AS d
 WHERE d.day = (clock_timestamp() AT TIME ZONE 'UTC')::date + (d.place - 1)::integer
