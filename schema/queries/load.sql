SELECT {planned} FROM taskmaster.tasks t WHERE t.id = ANY ($1::uuid[])
