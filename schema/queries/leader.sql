-- Term 0 is the row before the first leader.
SELECT term, holder, address, expires_at, clock_timestamp() FROM taskmaster.leader
