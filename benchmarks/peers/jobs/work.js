// A BullMQ worker process: `node work.js CONCURRENCY in-process|sandbox`.
'use strict';
const path = require('path');
const { Worker } = require('bullmq');

const [concurrency, how] = [Number(process.argv[2]), process.argv[3]];
const url = new URL(process.env.PEERS_URL);
const processor = how === 'sandbox' ? path.join(__dirname, 'handlers.js') : require('./handlers.js');
const worker = new Worker('peers', processor, {
  connection: { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null },
  concurrency,
});
worker.on('error', (error) => console.error(error));
worker.on('stalled', (id) => console.error(`job ${id} stalled`));
worker.on('failed', (job, error) => console.error(`job ${job && job.id} failed: ${error.message}`));
process.on('SIGTERM', () => worker.close().then(() => process.exit(0)));
