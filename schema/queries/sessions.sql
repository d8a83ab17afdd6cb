SELECT worker, incarnation, term FROM taskmaster.sessions ORDER BY worker, incarnation
