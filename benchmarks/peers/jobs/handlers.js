// What a job does, as handlers.py says it.
'use strict';
const fs = require('fs');

const open = (name) => fs.openSync(`${process.env.PEERS_DIR}/${name}`, 'a', 0o600);
const files = { tally: open('tally'), starts: open('starts'), journal: open('journal') };
const now = () => process.hrtime.bigint();
const forGood = new Int32Array(new SharedArrayBuffer(4));

function harm(kind) {
  if (kind === 'a') process.kill(process.pid, 'SIGSEGV');
  if (kind === 'b') process.kill(process.pid, 'SIGKILL');
  // Blocks the event loop in native code.
  if (kind === 'c') Atomics.wait(forGood, 0, 0, 3600 * 1000);
  // A signal to oneself may arrive a moment later.
  if (kind === 'a' || kind === 'b') Atomics.wait(forGood, 0, 0, 1000);
}

module.exports = async function handle(job) {
  const { name, data } = job;
  if (name === 'noop') {
    fs.writeSync(files.tally, '.');
  } else if (name === 'stamp') {
    fs.writeSync(files.starts, `${now() - BigInt(data[0])}\n`);
  } else {
    const [kind, number, pushed] = data;
    fs.writeSync(files.journal, `began ${number} ${process.pid} ${now()} ${pushed}\n`);
    harm(kind);
    await new Promise((resolve) => setTimeout(resolve, 5));
    fs.writeSync(files.journal, `ended ${number} ${process.pid} ${now()} 0\n`);
  }
};
