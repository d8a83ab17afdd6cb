-- R3. It changes no key column, so it waits for no writer of this leader.
UPDATE taskmaster.leader SET expires_at = clock_timestamp() + $2::interval, asked_at = clock_timestamp()
 WHERE term = $1::bigint AND expires_at > '-infinity'
RETURNING expires_at - $2::interval
