-- Asked only when a store meets a queue's name for the first time. By itself, so that it waits for nobody's open transaction.
INSERT INTO taskmaster.queues (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING
