SELECT taskmaster.delete_schedule_v1($1, $2)
