SELECT taskmaster.end_writers_v1()
