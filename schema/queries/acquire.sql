-- R1; migrations/0002_leader_functions.sql says how.
SELECT term, previous_term, now, secret FROM taskmaster.acquire_v1($1, $2, $3)
