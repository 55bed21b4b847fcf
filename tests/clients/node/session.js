// A session of one Node client library against a cluster: session.js LIBRARY host:port…
// Prints "ready" after the fixed part; then writes until standard input ends, a line "n" for each hundredth
// acknowledged write, and at the end "done" and the errors it met. Exits 1 when an answer is wrong.
'use strict';
const assert = require('node:assert');

const [library, ...addresses] = process.argv.slice(2);
const nodes = addresses.map((a) => ({ host: a.split(':')[0], port: Number(a.split(':')[1]) }));

function ioredis() {
  const { Cluster } = require('ioredis');
  const client = new Cluster(nodes, { redisOptions: { connectTimeout: 1000 }, clusterRetryStrategy: () => 50 });
  client.on('error', () => {});
  return {
    run: (...args) => client.call(args[0], ...args.slice(1)),
    raw: (...args) => client.callBuffer(args[0], ...args.slice(1)),
    set: (key, value) => client.set(key, value),
    hash: async (key) => ({ ...(await client.hgetall(key)) }),
    transaction: async (key) => (await client.multi().incr(key).incrby(key, 5).get(key).exec()).map(([err, value]) => { assert.ifError(err); return String(value); }),
    pipeline: async (key, n) => {
      const pipe = client.pipeline();
      for (let i = 0; i < n; i++) pipe.append(key, String(i % 10));
      return (await pipe.exec()).map(([err, value]) => { assert.ifError(err); return value; });
    },
    close: () => client.quit(),
  };
}

async function nodeRedis(RESP) {
  const { createCluster } = require('redis');
  const client = createCluster({ rootNodes: nodes.map((n) => ({ socket: n })), defaults: { socket: { connectTimeout: 1000 } }, RESP, maxCommandRedirections: 64 });
  client.on('error', () => {});
  client.on('node-error', () => {});
  await client.connect();
  return {
    run: (...args) => client.sendCommand(args[1], false, args.map(String)),
    raw: (...args) => client.sendCommand(args[1].toString(), false, args, { typeMapping: { 36: Buffer } }),
    set: (key, value) => client.set(key, value),
    hash: async (key) => ({ ...(await client.hGetAll(key)) }),
    transaction: async (key) => (await client.multi().incr(key).incrBy(key, 5).get(key).exec()).map(String),
    pipeline: (key, n) => Promise.all(Array.from({ length: n }, (_, i) => client.append(key, String(i % 10)))),
    close: () => client.close(),
  };
}

async function fixedPart(c) {
  assert.strictEqual(String(await c.run('SET', 'greeting', 'hello')), 'OK');
  assert.strictEqual(String(await c.run('GET', 'greeting')), 'hello');
  assert.strictEqual(await c.run('GET', 'nothing'), null);
  assert.strictEqual(Number(await c.run('DEL', 'greeting')), 1);
  await c.run('MSET', '{tag}1', 'a', '{tag}2', 'b');
  assert.deepStrictEqual((await c.run('MGET', '{tag}1', '{tag}2', '{tag}3')).map((v) => v && String(v)), ['a', 'b', null]);
  await c.run('DEL', 'h');
  assert.strictEqual(Number(await c.run('HSET', 'h', 'f1', 'v1', 'f2', 'v2')), 2);
  assert.deepStrictEqual(await c.hash('h'), { f1: 'v1', f2: 'v2' });
  await c.run('DEL', 'counter');
  assert.deepStrictEqual(await c.transaction('counter'), ['1', '6', '6']);
  await assert.rejects(Promise.resolve(c.run('INCR', 'h')), /WRONGTYPE/);
  await assert.rejects(Promise.resolve(c.run('MGET', 'a', 'b')), /CROSSSLOT/);
  await c.run('DEL', 'long');
  const lengths = await c.pipeline('long', 1000);
  // node-redis spreads a cluster's commands over connections, so only the set of the answers is certain.
  assert.deepStrictEqual(lengths.map(Number).sort((a, b) => a - b), Array.from({ length: 1000 }, (_, i) => i + 1));
  await c.run('SET', 'volatile', 'v', 'PX', '100000');
  assert.ok(Number(await c.run('PTTL', 'volatile')) > 0);
  for (let i = 0; i < 300; i++) await c.set(`many:${i}`, String(i));
  for (let i = 0; i < 300; i++) assert.strictEqual(String(await c.run('GET', `many:${i}`)), String(i));
}

async function writeUntilTold(c) {
  let told = false;
  process.stdin.on('end', () => { told = true; });
  process.stdin.resume();
  const errors = {};
  let acknowledged = 0;
  for (let i = 0; !told; i++) {
    try {
      await Promise.race([c.set(`many:${i % 300}`, String(i)), new Promise((_, no) => setTimeout(() => no(new Error('no answer in 3 s')), 3000))]);
      if (++acknowledged % 100 === 0) console.log(acknowledged);
    } catch (err) {
      const text = String(err.message).slice(0, 60);
      errors[text] = (errors[text] || 0) + 1;
      await new Promise((wake) => setTimeout(wake, 10));
    }
  }
  console.log('done', JSON.stringify(errors));
}

async function main() {
  const c = library === 'ioredis' ? ioredis() : await nodeRedis(library === 'node-redis-3' ? 3 : 2);
  await fixedPart(c);
  console.log('ready');
  await writeUntilTold(c);
  await Promise.race([c.close(), new Promise((wake) => setTimeout(wake, 1000))]);
  process.exit(0);
}

main().catch((err) => { console.error(err); process.exit(1); });
