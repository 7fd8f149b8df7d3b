// The producer of BullMQ: the commands of produce.py.
'use strict';
const fs = require('fs');
const readline = require('readline');
const { Queue } = require('bullmq');

const CHUNK = 1000;
const starts = `${process.env.PEERS_DIR}/starts`;
const url = new URL(process.env.PEERS_URL);
const queue = new Queue('peers', {
  connection: { host: url.hostname, port: Number(url.port) },
  defaultJobOptions: { removeOnComplete: 1000, removeOnFail: 5000 },
});
queue.on('error', (error) => console.error(error));

const ACT = { attempts: 3, backoff: { type: 'fixed', delay: 1000 } };
const now = () => Number(process.hrtime.bigint());
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const lines = () => (fs.existsSync(starts) ? fs.readFileSync(starts, 'latin1').split('\n').length - 1 : 0);

const commands = {
  async single({ count }) {
    for (let i = 0; i < count; i++) await queue.add('noop', []);
  },
  async bulk({ count }) {
    for (let from = 0; from < count; from += CHUNK) {
      const size = Math.min(CHUNK, count - from);
      await queue.addBulk(Array.from({ length: size }, () => ({ name: 'noop', data: [] })));
    }
  },
  async idle({ count }) {
    for (let number = 1; number <= count; number++) {
      await queue.add('stamp', [now()]);
      const deadline = Date.now() + 10000;
      while (lines() < number && Date.now() < deadline) await pause(1);
      await pause(5 + Math.random() * 5);
    }
  },
  async paced({ rate, seconds }) {
    const began = process.hrtime.bigint();
    const passed = () => Number(process.hrtime.bigint() - began) / 1e9;
    let pushed = 0;
    while (passed() < seconds) {
      const due = Math.min(CHUNK, Math.floor(rate * passed()) - pushed);
      if (due > 1) {
        const at = now();
        await queue.addBulk(Array.from({ length: due }, () => ({ name: 'stamp', data: [at] })));
      } else if (due > 0) await queue.add('stamp', [now()]);
      else await pause(1);
      pushed += Math.max(due, 0);
    }
    return { pushed };
  },
  async act({ jobs }) {
    const ids = [];
    for (const [kind, number] of jobs) ids.push((await queue.add('act', [kind, number, now()], ACT)).id);
    return { ids };
  },
  async failures() {
    const failed = await queue.getFailed(0, 100);
    const live = await queue.getJobs(['delayed', 'wait', 'active'], 0, 100);
    const told = [...failed, ...live].filter((job) => job && job.failedReason);
    return { records: told.map((job) => `${job.id} ${JSON.stringify(job.data)} ${job.failedReason} ${job.stacktrace}`) };
  },
};

async function main() {
  await queue.waitUntilReady();
  console.log(JSON.stringify({ ready: true, bulk: true }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    const began = process.hrtime.bigint();
    const before = process.cpuUsage();
    const answer = (await commands[command.op](command)) || {};
    const cpu = process.cpuUsage(before);
    answer.s = Number(process.hrtime.bigint() - began) / 1e9;
    answer.cpu_s = (cpu.user + cpu.system) / 1e6;
    console.log(JSON.stringify(answer));
  }
  process.exit(0);
}

main();
