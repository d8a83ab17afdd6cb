-- -infinity, so that a renewal that arrives later does not bring the lease back.
UPDATE taskmaster.leader SET expires_at = '-infinity' WHERE term = $1::bigint AND term > 0
