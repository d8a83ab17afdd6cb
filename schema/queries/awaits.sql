SELECT parent, on_finished, otherwise FROM taskmaster.edges WHERE child = $1::uuid ORDER BY parent LIMIT $2::bigint
