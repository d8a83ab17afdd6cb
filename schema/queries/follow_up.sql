SELECT f.more, f.edges, {task} FROM taskmaster.follow_up_v1($1, $2, $3) AS f, LATERAL (SELECT (f.released).*) AS t
