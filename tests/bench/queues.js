// Two other queues on PostgreSQL, asked for the same figures as `taskmaster bench`: node queues.js graphile-worker|pg-boss URL JOBS
// Each is set up as its own guide to performance says. One line of JSON.
import { performance } from "node:perf_hooks";
import pg from "pg";

const [, , which, connectionString, count] = process.argv;
const jobs = Number(count);
const portion = 1000;
const payload = "x".repeat(48);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function percentiles(values) {
  values.sort((a, b) => a - b);
  const at = (part) => Math.round(values[Math.min(values.length - 1, Math.floor(part * values.length))] * 1000) / 1000;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
}

/** What a handler tells the measurement that goes on. */
let onJob = () => {};

// A local queue of 500 and batched completions: its README, "performance", and the benchmark in its own repository.
async function graphile() {
  const { run, makeWorkerUtils, Logger } = await import("graphile-worker");
  const logger = new Logger(() => () => {});
  const preset = {
    worker: { connectionString, concurrentJobs: 24, maxPoolSize: 26, pollInterval: 2000, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 },
  };
  const utils = await makeWorkerUtils({ connectionString, logger });
  await utils.migrate();
  let runner;
  return {
    add: (data) => utils.addJobs(data.map(({ at, ...rest }) => ({ identifier: "noop", payload: rest, ...(at ? { runAt: new Date(at) } : {}) }))),
    one: (data) => utils.addJob("noop", data),
    work: async () => (runner = await run({ preset, logger, noHandleSignals: true, taskList: { noop: async (data) => onJob(data) } })),
    stop: () => runner.stop(),
    end: () => utils.release(),
  };
}

// Batches and the shortest interval that it takes; four pollers, since one is idle while its batch runs.
async function boss() {
  const { default: PgBoss } = await import("pg-boss");
  const it = new PgBoss({ connectionString, max: 20 });
  it.on("error", (e) => console.error(e));
  await it.start();
  await it.createQueue("noop");
  const row = ({ at, ...rest }) => ({ name: "noop", data: rest, ...(at ? { startAfter: new Date(at) } : {}) });
  const each = async (batch) => batch.forEach((job) => onJob(job.data));
  return {
    add: (data) => it.insert(data.map(row)),
    one: (data) => it.send("noop", data),
    work: async () => {
      for (let i = 0; i < 4; i++) await it.work("noop", { batchSize: 500, pollingIntervalSeconds: 0.5 }, each);
    },
    stop: () => it.offWork("noop"),
    end: () => it.stop({ graceful: false }),
  };
}

async function submit(queue) {
  const begun = performance.now();
  const portions = Array.from({ length: jobs / portion }, () => Array.from({ length: portion }, () => ({ payload })));
  // Four under way, as in `taskmaster bench`.
  await Promise.all([0, 1, 2, 3].map(async (n) => { for (let i = n; i < portions.length; i += 4) await queue.add(portions[i]); }));
  return jobs / ((performance.now() - begun) / 1000);
}

async function drain(queue) {
  let left = jobs, first;
  const over = new Promise((done) => {
    onJob = () => {
      first ??= performance.now();
      if (--left === 0) done(performance.now());
    };
  });
  await queue.work();
  return jobs / (((await over) - first) / 1000);
}

async function start(queue, samples) {
  const took = [];
  for (let i = 0; i < samples; i++) {
    const sent = performance.now();
    const heard = new Promise((done) => (onJob = () => done(performance.now())));
    await queue.one({ payload });
    took.push((await heard) - sent);
    await sleep(3);
  }
  return percentiles(took);
}

async function lateness(queue, count, seconds) {
  const late = [];
  const over = new Promise((done) => {
    onJob = ({ due }) => {
      late.push(performance.timeOrigin + performance.now() - due);
      if (late.length === count) done();
    };
  });
  const first = Date.now() + 3000;
  const due = Array.from({ length: count }, (_, i) => first + Math.floor((i * seconds * 1000) / count));
  for (let i = 0; i < count; i += portion) await queue.add(due.slice(i, i + portion).map((at) => ({ at, due: at })));
  await over;
  return percentiles(late);
}

const queue = await { "graphile-worker": graphile, "pg-boss": boss }[which]();
const out = { queue: which };
out.submit_batch_per_s = Math.round(await submit(queue));
const analyst = new pg.Client({ connectionString });
await analyst.connect();
await analyst.query("ANALYZE");
await analyst.end();
out.drain_per_s = Math.round(await drain(queue));
await sleep(2000);
out.start_ms = await start(queue, which === "pg-boss" ? 50 : 500);
out.lateness_ms = await lateness(queue, 2000, 10);
console.log(JSON.stringify(out));
await queue.stop();
await queue.end();
process.exit(0);
