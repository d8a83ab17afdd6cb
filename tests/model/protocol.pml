/* The protocol of TaskMaster (ARCHITECTURE.md, rules R1 to R16) as it is built, for one task, two coordinators, two workers of one slot
   and one database. run.sh checks it with every rule on, and shows what happens without each of them; README.md tells the stories.

   A rule is on unless the environment says otherwise: R8_TOMBSTONE=0. FAULTS bounds what goes wrong: crashes of leaders and workers,
   streams that break or stall, a scheduler that dies before its announce, a session given up without a reason. Time is not modelled:
   a lease, a grace or an alarm may end whenever the rules allow it. Not in here either: limits, rates, windows, several lanes. */

hidden byte FAULTS = 2;
hidden byte FAILURES = 0;                  /* runs that fail, and so are to run again */
hidden byte CANCELS = 0;                   /* 1: a client cancels, once */
hidden byte AT_MOST_ONCE = 0;
hidden byte IDLE_SCANS = 1;                /* scans that nothing called for */

/* -- the rules ------------------------------------------------------------------------------------------------------------------- */
hidden byte R1_WAIT_FOR_WRITES = 1;        /* taking over waits for the open writes of the last leader */
hidden byte R2_LOAD_AFTER = 1;             /* what is loaded was read after the takeover */
hidden byte R3_TRUST_ENDS_FIRST = 1;       /* a leader's trust ends before its lease does, so that it hands out nothing once another leads */
hidden byte R4_TERM_CHECK = 1;             /* a write looks at the term first */
hidden byte R5_ACK_AFTER_COMMIT = 1;       /* a worker is told "recorded" after the commit */
hidden byte R5_FROM_THE_ROW = 1;           /* history is inserted from the row that the delete returned */
hidden byte R6_VERSION = 1;                /* a change is guarded by the row's version */
hidden byte R6_LOSS_COMMITTED = 1;         /* a loss is a change of the row, committed before the next run */
hidden byte R8_TOMBSTONE = 1;              /* what left the plan is remembered while a read that may show it is under way */
hidden byte R8_SCAN = 1;                   /* there is a scan */
hidden byte R9_ANNOUNCE_YOUNG = 1;         /* tombstones outlive announces */
hidden byte R9_ANNOUNCE_AFTER_LOAD = 1;    /* an announce of what was stored before this leader's load is refused */
hidden byte R10_HELLO_FIRST = 1;           /* nothing is sent on a stream before its hello was heard */
hidden byte R10_OLD_STREAM_UNREAD = 1;     /* a worker reads nothing more of its old stream */
hidden byte R10_RECONCILE = 1;             /* what a hello does not name was never received */
hidden byte R11_SAME_VERSION = 1;          /* a claim is adopted only with the row's version */
hidden byte R12_STALE_BY_TERM = 1;         /* "stale" counts from a leader that is not older than the last that welcomed */
hidden byte R14_LEASE = 1;                 /* a worker starts nothing without a lease; it is given up when that is over */
hidden byte R14_WELCOME = 1;               /* after a reconnect nothing starts before the welcome has judged it */
hidden byte R15_CANCEL_NOT_HELD = 1;       /* no "cancelled" in the grace */
hidden byte R15_CANCEL_NOT_GIVEN = 1;      /* no "cancelled" of what is handed out */
hidden byte R16_LOST_NOT_RERUN = 1;        /* a marked task that nobody claims is lost */
hidden byte R16_MARK_FIRST = 1;            /* the mark is committed before the task is sent */
hidden byte GRACE = 1;                     /* what an earlier leader may have handed out waits */

/* From the environment, before anything else happens: one checker, compiled once, serves every question. They stand outside the state. */
c_decl { extern char *getenv(const char *); extern int atoi(const char *); }
#define ASKED(name) if (getenv(#name)) name = atoi(getenv(#name));

#define NOBODY 255
#define AT(c, w) ((c) * 2 + (w))

/* the task in a coordinator's plan */
#define UNKNOWN 0
#define HELD 1      /* an earlier leader may have handed it out: waits for the end of the grace */
#define WAITING 2
#define MARKING 3
#define GIVEN 4
#define SETTLING 5  /* a change is on its way to the database */
#define STONE 6     /* gone, and remembered */

/* a worker's slot */
#define EMPTY 0
#define QUEUED 1
#define RUNNING 2
#define ENDED 3

/* a worker's stream: 0 none, 1 and 2 to that coordinator, 3 dead without its knowing */
#define DEAD_STREAM 3
#define ALIVE(w) (stream[w] == 1 || stream[w] == 2)

/* a change on its way to the database */
#define NOTHING 0
#define FINISH 1
#define RETRY 2
#define MARK 3
#define LOSE 4      /* again elsewhere; of an at_most_once task: it ends, lost */
#define CANCEL 5

mtype = { assign, recorded, stale, welcome, hello, result };

/* -- the database ---------------------------------------------------------------------------------------------------------------- */
byte db_term;
bit row; byte row_version; bit row_marked; bit row_later;   /* unfinished; its version; marked; its time has not come */
byte ends; byte end_fence;                                  /* rows in the history; the run that it is of */
bit stored; byte stored_in; bit announcing;

/* what each coordinator has sent there; its backend outlives it */
byte tx[2]; byte tx_fence[2]; byte tx_version[2]; bit tx_client[2]; bit tx_done[2]; bit tx_applied[2];

/* -- the coordinators ------------------------------------------------------------------------------------------------------------- */
bit leads[2]; byte term[2]; byte sequence[2]; bit loaded[2]; bit grace[2]; byte previous[2];
byte plan[2]; byte plan_fence[2]; byte plan_worker[2]; byte plan_version[2]; bit plan_later[2]; bit cancelling[2];
bit scanning[2]; bit scan_row[2]; byte scan_version[2]; bit scan_later[2]; bit scan_marked[2];
bit session[4]; bit busy[4]; byte waiting_claim[4];

/* -- the workers ------------------------------------------------------------------------------------------------------------------ */
byte stream[2]; byte slot[2]; byte slot_fence[2]; byte slot_version[2]; bit slot_ok[2]; bit slot_sent[2];
bit lease[2]; byte highest[2]; bit heard[2]; bit welcomed[2];
chan down[2] = [2] of { mtype, byte, byte, byte };          /* what, fence (NOBODY: none), version, term */
chan up[2] = [2] of { mtype, byte, byte, byte };            /* what, fence, version, 1 ok */

/* -- what is counted to judge by ------------------------------------------------------------------------------------------------- */
byte faults; byte idle_scans; byte failures; bit cancels;
byte starts;            /* of an at_most_once task */
byte failed_runs;       /* that really failed */
byte retries;           /* that were written */
bit told_cancelled; bit told_recorded;

inline hear_what_is_asked() {
  c_code {
    ASKED(FAULTS) ASKED(FAILURES) ASKED(CANCELS) ASKED(AT_MOST_ONCE) ASKED(IDLE_SCANS) ASKED(R1_WAIT_FOR_WRITES) ASKED(R2_LOAD_AFTER)
    ASKED(R3_TRUST_ENDS_FIRST) ASKED(R4_TERM_CHECK) ASKED(R5_ACK_AFTER_COMMIT) ASKED(R5_FROM_THE_ROW) ASKED(R6_VERSION)
    ASKED(R6_LOSS_COMMITTED) ASKED(R8_TOMBSTONE) ASKED(R8_SCAN) ASKED(R9_ANNOUNCE_YOUNG) ASKED(R9_ANNOUNCE_AFTER_LOAD)
    ASKED(R10_HELLO_FIRST) ASKED(R10_OLD_STREAM_UNREAD) ASKED(R10_RECONCILE) ASKED(R11_SAME_VERSION) ASKED(R12_STALE_BY_TERM)
    ASKED(R14_LEASE) ASKED(R14_WELCOME) ASKED(R15_CANCEL_NOT_HELD) ASKED(R15_CANCEL_NOT_GIVEN) ASKED(R16_LOST_NOT_RERUN)
    ASKED(R16_MARK_FIRST) ASKED(GRACE)
  };
  faults = FAULTS; idle_scans = IDLE_SCANS; failures = FAILURES; cancels = CANCELS
}

#define ROOM(ch) (len(ch) < 2)
#define SILENT(ch) (len(ch) == 0)
#define TRUE_LEADER(c) (leads[c] && term[c] == db_term)
#define OPEN(c) (tx[c] != NOTHING && !tx_done[c])
#define FENCE_OF(c) (term[c] * 8 + sequence[c])
#define TERM_OF(f) ((f) / 8)
#define LEASES_OVER(c) (!R14_LEASE || ((!lease[0] || session[AT(c, 0)]) && (!lease[1] || session[AT(c, 1)])))
#define MAY_START(w) (!R14_LEASE || lease[w])
#define SAME(c, v) (!R11_SAME_VERSION || plan_version[c] == (v))

inline clear_worker(w) { slot[w] = EMPTY; slot_fence[w] = 0; slot_version[w] = 0; slot_ok[w] = 0; slot_sent[w] = 0 }
inline clear_tx(c) { tx[c] = NOTHING; tx_fence[c] = 0; tx_version[c] = 0; tx_client[c] = 0; tx_done[c] = 0; tx_applied[c] = 0 }
inline empty_channel(ch) { do :: len(ch) > 0 -> ch?_,_,_,_ :: len(ch) == 0 -> break od }

inline begin(c, what, f, v) {
  tx[c] = what; tx_fence[c] = f; tx_version[c] = v; tx_client[c] = 1; tx_done[c] = 0; tx_applied[c] = 0
}

/* Everything in a coordinator's memory; its write goes on without it. */
inline forget(c) {
  leads[c] = 0; loaded[c] = 0; grace[c] = 0; term[c] = 0; sequence[c] = 0; previous[c] = 0;
  plan[c] = UNKNOWN; plan_fence[c] = 0; plan_worker[c] = 0; plan_version[c] = 0; plan_later[c] = 0; cancelling[c] = 0;
  scanning[c] = 0; scan_row[c] = 0; scan_version[c] = 0; scan_later[c] = 0; scan_marked[c] = 0;
  tx_client[c] = 0;
  if :: tx_done[c] -> clear_tx(c) :: else fi;
  i = 0;
  do
  :: i < 2 ->
     session[AT(c, i)] = 0; busy[AT(c, i)] = 0; waiting_claim[AT(c, i)] = 0;
     if :: stream[i] == c + 1 -> stream[i] = DEAD_STREAM; empty_channel(up[i]) :: else fi;
     i++
  :: else -> break
  od;
  i = 0
}

inline commit(c) {
  if
  :: !(row && (!R6_VERSION || row_version == tx_version[c])) ->
     tx_applied[c] = 0;
     if :: !R5_FROM_THE_ROW && tx[c] == FINISH -> ends++ :: else fi
  :: else ->
     tx_applied[c] = 1;
     if
     :: tx[c] == FINISH || tx[c] == CANCEL || (tx[c] == LOSE && AT_MOST_ONCE) ->
        row = 0; ends++; end_fence = tx_fence[c];
        assert(!(tx[c] == LOSE && told_recorded))             /* "lost", and its worker was told that it is recorded */
     :: tx[c] == RETRY -> row_version++; row_later = 1; retries++; assert(retries <= failed_runs)
     :: tx[c] == LOSE && !AT_MOST_ONCE -> row_version++
     :: tx[c] == MARK -> if :: row_marked -> tx_applied[c] = 0 :: else -> row_marked = 1 fi
     :: else
     fi
  fi;
  assert(ends <= 1)                                            /* recorded once */
}

inline send(w, what, f, v) {
  if :: stream[w] == c + 1 && (!R10_HELLO_FIRST || heard[w]) && ROOM(down[w]) -> down[w]!what,f,v,term[c] :: else fi
}

/* The worker of the plan's run is told, and its slot counts as free. */
inline acknowledge(what) {
  if
  :: plan_fence[c] != 0 ->
     w = plan_worker[c];
     busy[AT(c, w)] = 0;
     if :: session[AT(c, w)] -> send(w, what, plan_fence[c], 0) :: else fi;
     w = 0
  :: else
  fi;
  plan_fence[c] = 0; plan_worker[c] = 0
}

inline settle(what, f, v) {
  if
  :: R4_TERM_CHECK && term[c] != db_term -> forget(c)         /* TM001: deposed */
  :: else -> plan[c] = SETTLING; begin(c, what, f, v)
  fi
}

inline adopt(f) { plan[c] = GIVEN; plan_fence[c] = f; plan_worker[c] = w; busy[AT(c, w)] = 1 }

/* -- one who submits -------------------------------------------------------------------------------------------------------------- */
inline hear_announce(c) {
  announcing = 0;
  if
  :: (!R9_ANNOUNCE_AFTER_LOAD || stored_in == term[c]) && plan[c] == UNKNOWN ->
     plan[c] = WAITING; plan_version[c] = 1; plan_later[c] = 0
  :: else
  fi
}

proctype Scheduler() {
  atomic { row = 1; row_version = 1; stored = 1; stored_in = db_term; announcing = 1 }
  do
  :: atomic { announcing && faults > 0 -> faults--; announcing = 0; break }
  :: atomic { announcing && leads[0] && loaded[0] -> hear_announce(0); break }
  :: atomic { announcing && leads[1] && loaded[1] -> hear_announce(1); break }
  od
}

/* -- the database's side of each coordinator's connection, and its clock ------------------------------------------------------------- */
proctype Backend(byte c) {
  do
  :: atomic { OPEN(c) -> commit(c); if :: tx_client[c] -> tx_done[c] = 1 :: else -> clear_tx(c) fi }
  :: atomic { OPEN(c) && !tx_client[c] -> clear_tx(c) }         /* rolled back */
  :: atomic { tx_done[c] && tx_client[c] && faults > 0 -> faults--; tx_done[c] = 0 }   /* the answer is lost: the same change is sent again */
  :: atomic { c == 0 && row_later -> row_later = 0; plan_later[0] = 0; plan_later[1] = 0 }
  od
}

/* -- a coordinator ------------------------------------------------------------------------------------------------------------------ */
#define keep_it 0
#define drop_it 1
/* With the welcome the worker may start again. */
inline judge(what) {
  if
  :: what == keep_it && R14_WELCOME -> send(w, welcome, NOBODY, 0)
  :: what == drop_it && R14_WELCOME -> send(w, welcome, f, 0)
  :: what == drop_it && !R14_WELCOME -> send(w, stale, f, 0)
  :: else
  fi
}

inline hear_hello() {
  up[w]?hello,f,v,ok;
  session[AT(c, w)] = 1; busy[AT(c, w)] = 0; heard[w] = 1; waiting_claim[AT(c, w)] = 0;
  if
  :: plan[c] == GIVEN && plan_worker[c] == w && plan_fence[c] != f ->
     if
     :: !R10_RECONCILE -> busy[AT(c, w)] = 1
     :: R10_RECONCILE && AT_MOST_ONCE -> plan[c] = HELD; plan_fence[c] = 0
     :: R10_RECONCILE && !AT_MOST_ONCE -> plan[c] = WAITING; plan_fence[c] = 0; plan_worker[c] = 0
     fi
  :: else
  fi;
  if
  :: f == NOBODY -> judge(keep_it)
  :: f != NOBODY && (plan[c] == GIVEN || plan[c] == SETTLING) && plan_fence[c] == f -> busy[AT(c, w)] = 1; plan_worker[c] = w; judge(keep_it)
  :: f != NOBODY && plan[c] == HELD && grace[c] && SAME(c, v) && TERM_OF(f) == previous[c] -> adopt(f); judge(keep_it)
  :: f != NOBODY && plan[c] == HELD && grace[c] && SAME(c, v) && TERM_OF(f) != previous[c] -> waiting_claim[AT(c, w)] = f; busy[AT(c, w)] = 1
  :: f != NOBODY && plan[c] == WAITING && !AT_MOST_ONCE && SAME(c, v) -> adopt(f); judge(keep_it)
  :: else -> judge(drop_it)
  fi;
  f = 0; v = 0; ok = 0; w = 0
}
inline hear_result() {
  up[w]?result,f,v,ok;
  if
  :: plan[c] == GIVEN && plan_fence[c] == f ->
     if
     :: R4_TERM_CHECK && term[c] != db_term -> forget(c)
     :: else ->
        plan[c] = SETTLING; plan_worker[c] = w;
        if :: !R5_ACK_AFTER_COMMIT -> send(w, recorded, f, 0); busy[AT(c, w)] = 0 :: else fi;
        if :: !R11_SAME_VERSION -> v = plan_version[c] :: else fi;
        if :: ok -> begin(c, FINISH, f, v) :: else -> begin(c, RETRY, f, v) fi
     fi
  :: plan[c] == SETTLING && plan_fence[c] == f -> skip          /* sent again while it is being recorded */
  :: else ->
     busy[AT(c, w)] = 0;
     if
     :: ends > 0 && end_fence == f -> send(w, recorded, f, 0)  /* recorded, and the word of it was lost */
     :: else -> send(w, stale, f, 0)
     fi
  fi;
  f = 0; v = 0; ok = 0; w = 0
}

inline lose_session() {
  if :: stream[w] == c + 1 -> faults--; empty_channel(up[w]); stream[w] = DEAD_STREAM :: else fi;
  session[AT(c, w)] = 0; waiting_claim[AT(c, w)] = 0; w = 0
}

proctype Coordinator(byte c) {
  byte i, w, f, v, ok;
  do
  /* it crashes, or finds out that it leads no more */
  :: atomic { leads[c] && faults > 0 -> faults--; forget(c) }
  :: atomic { leads[c] && term[c] != db_term -> forget(c) }

  /* it takes over: a lease that ran out for no good reason is a fault */
  :: atomic { !leads[c] && db_term < FAULTS + 2 && tx[c] == NOTHING && (!TRUE_LEADER(1 - c) || faults > 0) &&
              (!R1_WAIT_FOR_WRITES || !OPEN(1 - c)) ->
       if :: TRUE_LEADER(1 - c) -> faults-- :: else fi;
       previous[c] = db_term; db_term++; leads[c] = 1; term[c] = db_term; sequence[c] = 0;
       if :: !R2_LOAD_AFTER -> loaded[c] = 1 :: else fi }
  :: atomic { (R2_LOAD_AFTER -> leads[c] && !loaded[c] : !leads[c] && !grace[c]) ->
       if
       :: row -> plan[c] = (GRACE || (AT_MOST_ONCE && row_marked) -> HELD : WAITING); plan_version[c] = row_version; plan_later[c] = row_later
       :: else
       fi;
       grace[c] = 1;
       if :: R2_LOAD_AFTER -> loaded[c] = 1 :: else fi }

  /* the grace ends when both are back, or by time when no worker's lease is left; of the claims that waited the greatest fence counts */
  :: atomic { leads[c] && loaded[c] && grace[c] && LEASES_OVER(c) && SILENT(up[0]) && SILENT(up[1]) &&
              ((session[AT(c, 0)] && session[AT(c, 1)]) || faults > 0) ->
       if :: session[AT(c, 0)] && session[AT(c, 1)] -> skip :: else -> faults-- fi;
       grace[c] = 0;
       w = (waiting_claim[AT(c, 1)] > waiting_claim[AT(c, 0)] -> 1 : 0);
       f = waiting_claim[AT(c, w)];
       if :: f != 0 && plan[c] == HELD && session[AT(c, w)] -> adopt(f); send(w, welcome, NOBODY, 0) :: else fi;
       w = 1 - w;
       f = waiting_claim[AT(c, w)];
       if :: f != 0 && session[AT(c, w)] -> send(w, welcome, f, 0) :: else fi;
       waiting_claim[AT(c, 0)] = 0; waiting_claim[AT(c, 1)] = 0; w = 0; f = 0 }
  :: atomic { leads[c] && loaded[c] && !grace[c] && tx[c] == NOTHING && plan[c] == HELD ->
       if
       :: AT_MOST_ONCE && row_marked && R16_LOST_NOT_RERUN -> settle(LOSE, 0, plan_version[c])
       :: AT_MOST_ONCE && row_marked && !R16_LOST_NOT_RERUN -> plan[c] = WAITING; row_marked = 0
       :: else -> plan[c] = WAITING
       fi }

  /* it hands the task out */
  :: atomic { leads[c] && loaded[c] && plan[c] == WAITING && !plan_later[c] && !cancelling[c] && sequence[c] < 7 &&
              (!R3_TRUST_ENDS_FIRST || term[c] == db_term) &&
              (!AT_MOST_ONCE || (tx[c] == NOTHING && (!R4_TERM_CHECK || term[c] == db_term))) &&
              ((session[AT(c, 0)] && !busy[AT(c, 0)] && ROOM(down[0])) || (session[AT(c, 1)] && !busy[AT(c, 1)] && ROOM(down[1]))) ->
       if
       :: session[AT(c, 0)] && !busy[AT(c, 0)] && ROOM(down[0]) -> w = 0
       :: session[AT(c, 1)] && !busy[AT(c, 1)] && ROOM(down[1]) -> w = 1
       fi;
       sequence[c]++; plan_fence[c] = FENCE_OF(c); plan_worker[c] = w; busy[AT(c, w)] = 1;
       assert(!(TRUE_LEADER(c) && ends > 0));                  /* nothing finished is handed out by the leader of record, */
       assert(!(TRUE_LEADER(c) && told_recorded));             /* nor what a worker was told is recorded, */
       assert(!(TRUE_LEADER(c) && row_later));                 /* nor anything before its time */
       if
       :: AT_MOST_ONCE && R16_MARK_FIRST -> plan[c] = MARKING; begin(c, MARK, plan_fence[c], plan_version[c])
       :: AT_MOST_ONCE && !R16_MARK_FIRST ->
          plan[c] = GIVEN; send(w, assign, plan_fence[c], plan_version[c]); begin(c, MARK, plan_fence[c], plan_version[c])
       :: else -> plan[c] = GIVEN; send(w, assign, plan_fence[c], plan_version[c])
       fi;
       w = 0 }

  /* the database has answered */
  :: atomic { tx_done[c] && tx_client[c] ->
       if
       :: tx[c] == MARK && !R16_MARK_FIRST -> skip
       :: tx[c] == MARK && R16_MARK_FIRST && tx_applied[c] && session[AT(c, plan_worker[c])] && !cancelling[c] ->
          plan[c] = GIVEN; w = plan_worker[c]; send(w, assign, plan_fence[c], plan_version[c]); w = 0
       :: tx[c] == MARK && R16_MARK_FIRST && !(tx_applied[c] && session[AT(c, plan_worker[c])] && !cancelling[c]) ->
          busy[AT(c, plan_worker[c])] = 0; plan_fence[c] = 0; plan[c] = (row -> HELD : STONE)
       :: tx[c] == RETRY && tx_applied[c] -> plan[c] = WAITING; plan_version[c]++; plan_later[c] = row_later; acknowledge(recorded)
       :: tx[c] == LOSE && tx_applied[c] && !AT_MOST_ONCE -> plan[c] = WAITING; plan_version[c]++; plan_later[c] = row_later; acknowledge(stale)
       :: tx[c] == CANCEL && tx_applied[c] -> plan[c] = STONE; told_cancelled = 1; acknowledge(recorded)
       :: tx[c] == FINISH && tx_applied[c] -> plan[c] = STONE; acknowledge(recorded)
       :: tx[c] == LOSE && tx_applied[c] && AT_MOST_ONCE -> plan[c] = STONE; acknowledge(stale)
       :: tx[c] != MARK && !tx_applied[c] ->                  /* somebody else's change, or this one, sent before: the row says which */
          if :: tx[c] == FINISH && ends > 0 && end_fence == tx_fence[c] -> acknowledge(recorded) :: else -> acknowledge(stale) fi;
          if :: row -> plan[c] = WAITING; plan_version[c] = row_version; plan_later[c] = row_later :: else -> plan[c] = STONE fi
       fi;
       if :: !R8_TOMBSTONE && plan[c] == STONE -> plan[c] = UNKNOWN; plan_version[c] = 0 :: else fi;
       clear_tx(c) }

  /* a scan is issued; its answer comes later, as old as it is */
  :: atomic { R8_SCAN && TRUE_LEADER(c) && loaded[c] && !scanning[c] && ((row && plan[c] == UNKNOWN) || idle_scans > 0) ->
       if :: row && plan[c] == UNKNOWN -> skip :: else -> idle_scans-- fi;
       scanning[c] = 1; scan_row[c] = row; scan_version[c] = row_version; scan_later[c] = row_later; scan_marked[c] = row_marked }
  :: atomic { leads[c] && scanning[c] ->
       if
       :: scan_row[c] && plan[c] == UNKNOWN ->
          plan_version[c] = scan_version[c]; plan_later[c] = scan_later[c] && row_later; plan[c] = (scan_marked[c] || row_marked -> HELD : WAITING)
       :: else
       fi;
       scanning[c] = 0; scan_row[c] = 0; scan_version[c] = 0; scan_later[c] = 0; scan_marked[c] = 0 }
  :: atomic { leads[c] && plan[c] == STONE && !scanning[c] && (!R9_ANNOUNCE_YOUNG || !announcing) ->
       plan[c] = UNKNOWN; plan_fence[c] = 0; plan_worker[c] = 0; plan_version[c] = 0; plan_later[c] = 0 }

  /* a worker says hello: first it is settled what it holds */
  :: atomic { leads[c] && loaded[c] && tx[c] == NOTHING && stream[0] == c + 1 && ROOM(down[0]) && up[0]?[hello,_,_,_] -> w = 0; hear_hello() }
  :: atomic { leads[c] && loaded[c] && tx[c] == NOTHING && stream[1] == c + 1 && ROOM(down[1]) && up[1]?[hello,_,_,_] -> w = 1; hear_hello() }

  /* a result */
  :: atomic { leads[c] && loaded[c] && tx[c] == NOTHING && session[AT(c, 0)] && stream[0] == c + 1 && ROOM(down[0]) && up[0]?[result,_,_,_] ->
       w = 0; hear_result() }
  :: atomic { leads[c] && loaded[c] && tx[c] == NOTHING && session[AT(c, 1)] && stream[1] == c + 1 && ROOM(down[1]) && up[1]?[result,_,_,_] ->
       w = 1; hear_result() }

  /* a session ends: the stream broke, or (a fault) nothing was heard for too long */
  :: atomic { leads[c] && session[AT(c, 0)] && (stream[0] != c + 1 || faults > 0) -> w = 0; lose_session() }
  :: atomic { leads[c] && session[AT(c, 1)] && (stream[1] != c + 1 || faults > 0) -> w = 1; lose_session() }
  /* and its grace is over: what it had goes elsewhere */
  :: atomic { leads[c] && loaded[c] && tx[c] == NOTHING && plan[c] == GIVEN && !session[AT(c, plan_worker[c])] &&
              (!R14_LEASE || !lease[plan_worker[c]]) ->
       busy[AT(c, plan_worker[c])] = 0;
       if
       :: AT_MOST_ONCE || R6_LOSS_COMMITTED -> v = plan_version[c]; plan_fence[c] = 0; plan_worker[c] = 0; settle(LOSE, 0, v); v = 0
       :: else -> plan[c] = WAITING; plan_fence[c] = 0; plan_worker[c] = 0
       fi }

  /* a client cancels */
  :: atomic { cancels && TRUE_LEADER(c) && loaded[c] && tx[c] == NOTHING &&
              (plan[c] == WAITING || (!R15_CANCEL_NOT_HELD && plan[c] == HELD) || (!R15_CANCEL_NOT_GIVEN && plan[c] == GIVEN)) ->
       cancels = 0; cancelling[c] = 1; settle(CANCEL, 0, plan_version[c]) }
  od
}

/* -- a worker ---------------------------------------------------------------------------------------------------------------------- */
proctype Worker(byte w) {
  byte f, v, by;
  do
  /* it finds a leader and says what it holds */
  :: atomic { stream[w] == 0 && ((leads[0] && loaded[0]) || (leads[1] && loaded[1])) ->
       if :: leads[0] && loaded[0] -> stream[w] = 1 :: leads[1] && loaded[1] -> stream[w] = 2 fi;
       if :: R10_OLD_STREAM_UNREAD -> empty_channel(down[w]) :: else fi;
       empty_channel(up[w]);
       if :: !R14_WELCOME -> lease[w] = 1 :: R14_WELCOME && slot[w] == QUEUED -> lease[w] = 0 :: else fi;
       slot_sent[w] = 0; heard[w] = 0; welcomed[w] = 0;
       if :: term[stream[w] - 1] > highest[w] -> highest[w] = term[stream[w] - 1] :: else fi;
       if :: slot[w] == EMPTY -> up[w]!hello,NOBODY,0,0 :: else -> up[w]!hello,slot_fence[w],slot_version[w],0 fi }

  /* its stream ends: a fault, or the other side has gone */
  :: atomic { (ALIVE(w) && faults > 0) || (ALIVE(w) && !leads[stream[w] - 1]) || stream[w] == DEAD_STREAM ->
       if :: ALIVE(w) && leads[stream[w] - 1] -> faults-- :: else fi;
       stream[w] = 0;
       if :: R10_OLD_STREAM_UNREAD -> empty_channel(down[w]) :: else fi;
       empty_channel(up[w]) }
  /* its lease runs out by its own clock */
  :: atomic { lease[w] && !ALIVE(w) -> lease[w] = 0 }
  /* it crashes, and its runs with it */
  :: atomic { slot[w] != EMPTY && faults > 0 ->
       faults--; clear_worker(w); stream[w] = 0; lease[w] = 0; highest[w] = 0; empty_channel(down[w]); empty_channel(up[w]) }

  /* what the coordinator says */
  :: atomic { down[w]?[assign,_,_,_] ->
       down[w]?assign,f,v,by;
       if :: slot[w] == EMPTY -> slot[w] = QUEUED; slot_fence[w] = f; slot_version[w] = v :: else fi;
       f = 0; v = 0; by = 0 }
  :: atomic { down[w]?[recorded,_,_,_] ->
       down[w]?recorded,f,v,by;
       if
       :: slot[w] != EMPTY && slot_fence[w] == f -> if :: slot_ok[w] -> told_recorded = 1 :: else fi; clear_worker(w)
       :: else
       fi;
       f = 0; v = 0; by = 0 }
  :: atomic { down[w]?[stale,_,_,_] || down[w]?[welcome,_,_,_] ->
       if
       :: down[w]?[welcome,_,_,_] -> down[w]?welcome,f,v,by; if :: ALIVE(w) -> lease[w] = 1; welcomed[w] = 1 :: else fi
       :: down[w]?[stale,_,_,_] -> down[w]?stale,f,v,by
       fi;
       if :: slot[w] != EMPTY && slot_fence[w] == f && (!R12_STALE_BY_TERM || by >= highest[w]) -> clear_worker(w) :: else fi;
       f = 0; v = 0; by = 0 }

  /* it works */
  :: atomic { slot[w] == QUEUED && MAY_START(w) ->
       slot[w] = RUNNING;
       assert(!told_cancelled);                                 /* nothing starts after "cancelled" */
       if :: AT_MOST_ONCE -> starts++; assert(starts <= 1) :: else fi }
  :: atomic { slot[w] == RUNNING -> slot[w] = ENDED; slot_ok[w] = 1; slot_sent[w] = 0 }
  :: atomic { slot[w] == RUNNING && failures > 0 -> failures--; failed_runs++; slot[w] = ENDED; slot_ok[w] = 0; slot_sent[w] = 0 }
  :: atomic { slot[w] == ENDED && ALIVE(w) && (!R14_WELCOME || welcomed[w]) && !slot_sent[w] && ROOM(up[w]) -> slot_sent[w] = 1; up[w]!result,slot_fence[w],slot_version[w],slot_ok[w] }
  od
}

/* Nothing moves any more: then the task has to have come to its end. */
proctype Judge() {
  timeout -> assert(stored && ends == 1)
}

init {
  atomic {
    hear_what_is_asked();
    run Backend(0); run Backend(1); run Coordinator(0); run Coordinator(1); run Worker(0); run Worker(1); run Scheduler(); run Judge()
  }
}
