SELECT CASE WHEN l.term = 0 THEN 'warn' WHEN l.expires_at < clock_timestamp() THEN 'bad' WHEN s.old > 0 THEN 'warn' ELSE 'good' END,
       CASE WHEN l.term = 0 THEN 'no coordinator has ever led here'
            WHEN l.expires_at < clock_timestamp() THEN
              format('no coordinator leads: the lease of %s ran out %s s ago', l.holder, round(extract(epoch FROM clock_timestamp() - l.expires_at)))
            WHEN s.old > 0 THEN format('%s leads with term %s, and %s sessions of older terms are still open', l.holder, l.term, s.old)
            ELSE format('%s leads with term %s%s; workers with a session: %s', l.holder, l.term,
                        CASE WHEN l.address <> '' THEN ', reached at ' || l.address ELSE '' END, s.now) END,
       CASE WHEN l.expires_at < clock_timestamp() THEN 'start a coordinator, or look into its log for why it cannot lead'
            WHEN s.old > 0 THEN 'they are closed a second after a takeover; if this stays, look into the leader''s log' ELSE '' END
  FROM taskmaster.leader l, LATERAL (SELECT count(*) FILTER (WHERE term < l.term) AS old, count(*) FILTER (WHERE term = l.term) AS now FROM taskmaster.sessions) AS s
