// A session of one Node client library against a cluster: session.js LIBRARY host:port…, the tags of its keys in
// COBBLE_TAGS. What it does and prints is said at session and external in session_test.go.
'use strict';
const assert = require('node:assert');
const slotOf = require('cluster-key-slot');

const [library, ...addresses] = process.argv.slice(2);
const tags = process.env.COBBLE_TAGS.split(' ');
const nodes = addresses.map((a) => ({ host: a.split(':')[0], port: Number(a.split(':')[1]) }));
const add = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
const patience = 30; // seconds
const pause = (ms) => new Promise((wake) => { setTimeout(wake, ms); });

// ioredis speaks RESP2 only.
async function ioredis() {
  const { Cluster } = require('ioredis');
  const open = () => {
    const c = new Cluster(nodes, { redisOptions: { connectTimeout: 1000 }, clusterRetryStrategy: () => 50, shardedSubscribers: true });
    c.on('error', () => {});
    return c;
  };
  const client = open();
  const waiting = open();
  client.defineCommand('add', { numberOfKeys: 1, lua: add });
  const values = (replies) => replies.map(([err, value]) => { if (err) throw err; return value; });
  const nodeOf = async (key) => {
    for (const node of client.nodes('master')) if (await node.get(key).then(() => true, () => false)) return node.duplicate();
    throw new Error(`nobody serves ${key}`);
  };
  return {
    run: (key, ...args) => client.call(args[0], ...args.slice(1)),
    wait: (key, ...args) => waiting.call(args[0], ...args.slice(1)),
    hash: (key) => client.hgetall(key),
    pipeline: async (key, n) => values(await Array.from({ length: n }).reduce((p) => p.append(key, 'x'), client.pipeline()).exec()),
    transaction: async (key) => values(await client.multi().incr(key).incrby(key, 4).exec()),
    watch: async (key, meddle) => {
      const d = await nodeOf(key);
      await d.watch(key);
      await meddle();
      const replies = await d.multi().get(key).exec();
      d.disconnect();
      return replies && values(replies);
    },
    add: (key, n) => client.add(key, n),
    fcall: (key, value) => client.fcall('put', 1, key, value),
    subscribe: async (sharded, channel, hear) => {
      const sub = open();
      sub.on(sharded ? 'smessage' : 'message', (_, message) => { sub.disconnect(); hear(message); });
      await (sharded ? sub.ssubscribe(channel) : sub.subscribe(channel));
    },
    publish: (sharded, channel, message) => (sharded ? client.spublish(channel, message) : client.publish(channel, message)),
    // In RESP2, invalidations come as messages to another connection.
    tracking: async (key) => {
      const [reader, listener] = [await nodeOf(key), await nodeOf(key)];
      await reader.client('TRACKING', 'ON', 'REDIRECT', await listener.client('ID'));
      await listener.subscribe('__redis__:invalidate');
      const told = new Promise((hear) => { listener.on('message', (_, keys) => hear(keys)); });
      assert.strictEqual(await reader.get(key), 'before');
      await client.set(key, 'after');
      assert.strictEqual(await told, key);
      reader.disconnect();
      listener.disconnect();
    },
    ways: [
      (key, value) => client.set(key, value),
      async (key, value) => values(await client.pipeline().set(key, value).set(`${key}:2`, value).exec()),
      (key, value) => client.fcall('put', 1, key, value),
      async (key, value) => values(await client.multi().set(key, value).set(`${key}:2`, value).exec()),
    ],
  };
}

async function nodeRedis(RESP) {
  const { createCluster, defineScript } = require('redis');
  const script = defineScript({
    SCRIPT: add, NUMBER_OF_KEYS: 1, transformReply: undefined,
    parseCommand(parser, key, n) { parser.pushKey(key); parser.push(String(n)); },
  });
  const open = async (more) => {
    const c = createCluster({ rootNodes: nodes.map((n) => ({ socket: n })), defaults: { socket: { connectTimeout: 1000 } }, RESP, scripts: { add: script }, maxCommandRedirections: 64, ...more });
    c.on('error', () => {});
    c.on('node-error', () => {});
    await c.connect();
    return c;
  };
  const client = await open();
  const waiting = await open();
  return {
    run: (key, ...args) => client.sendCommand(key, false, args.map(String)),
    wait: (key, ...args) => waiting.sendCommand(key, false, args.map(String)),
    hash: async (key) => ({ ...(await client.hGetAll(key)) }),
    pipeline: (key, n) => Promise.all(Array.from({ length: n }, () => client.append(key, 'x'))),
    transaction: (key) => client.multi().incr(key).incrBy(key, 4).exec(),
    watch: async (key, meddle) => {
      const d = (await client.nodeClient(client.getSlotMaster(slotOf(key)))).duplicate();
      d.on('error', () => {});
      await d.connect();
      await d.watch(key);
      await meddle();
      const replies = await d.multi().get(key).exec().catch((err) => { assert.strictEqual(err.constructor.name, 'WatchError'); return null; });
      await d.close();
      return replies;
    },
    add: (key, n) => client.add(key, n),
    fcall: (key, value) => client.fCall('put', { keys: [key], arguments: [value] }),
    subscribe: (sharded, channel, hear) => (sharded ? client.sSubscribe(channel, hear) : client.subscribe(channel, hear)),
    publish: (sharded, channel, message) => (sharded ? client.sPublish(channel, message) : client.publish(channel, message)),
    tracking: RESP === 3 && (async (key) => {
      const cached = await open({ clientSideCache: { ttl: 0, maxEntries: 0 } });
      for (let i = 0; i < 3; i++) assert.strictEqual(await cached.get(key), 'before');
      assert.strictEqual(cached.clientSideCache.stats().hitCount, 2);
      await client.set(key, 'after');
      while (await cached.get(key) !== 'after') await pause(5); // the invalidation comes by another connection
      await cached.close();
    }),
    ways: [
      (key, value) => client.set(key, value),
      (key, value) => Promise.all([client.set(key, value), client.set(`${key}:2`, value)]),
      (key, value) => client.fCall('put', { keys: [key], arguments: [value] }),
      (key, value) => client.multi().set(key, value).set(`${key}:2`, value).exec(),
    ],
  };
}

const is = (got, want) => assert.deepStrictEqual(JSON.parse(JSON.stringify(got)), want);
const within = (seconds, promise) => {
  let timer;
  const late = new Promise((_, no) => { timer = setTimeout(() => no(new Error(`no answer in ${seconds} s`)), 1000 * seconds); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

const key = (name) => `{${library}}${name}`;
const listens = (sharded) => async (c) => {
  const channel = key(sharded ? 'shard' : 'news');
  let heard;
  const message = new Promise((hear) => { heard = hear; });
  await c.subscribe(sharded, channel, heard);
  await c.publish(sharded, channel, 'hello');
  is(await message, 'hello');
};

const shows = {
  types: async (c) => {
    const run = (name, command, ...args) => c.run(key(name), command, key(name), ...args);
    is(Number(await run('h', 'HSET', 'a', '1', 'b', '2')), 2);
    is(await c.hash(key('h')), { a: '1', b: '2' });
    is(await run('none', 'GET'), null);
    is(Number(await run('l', 'RPUSH', 'a', 'b', 'c')), 3);
    is(await run('l', 'LRANGE', '0', '-1'), ['a', 'b', 'c']);
    is((await (await run('s', 'SADD', '1', '2', '3'), run('s', 'SMEMBERS'))).map(String).sort(), ['1', '2', '3']);
    is(Number(await run('z', 'ZADD', '1', 'one', '2.5', 'two')), 2);
    is(Number(await run('z', 'ZSCORE', 'two')), 2.5);
    await assert.rejects(Promise.resolve(run('h', 'INCR')), /WRONGTYPE/);
    await assert.rejects(Promise.resolve(c.run('a', 'MGET', 'a', 'b')), /CROSSSLOT/);
  },
  // node-redis spreads a cluster's commands over connections, so only the set of the answers is certain.
  pipeline: async (c) => is((await c.pipeline(key('pipe'), 1000)).map(Number).sort((a, b) => a - b), Array.from({ length: 1000 }, (_, i) => i + 1)),
  transaction: async (c) => is((await c.transaction(key('n'))).map(Number), [1, 5]),
  watch: async (c) => {
    is(await c.watch(key('n'), () => c.run(key('n'), 'SET', key('n'), 'changed')), null);
    is(await c.watch(key('n'), () => {}), ['changed']);
  },
  evalsha: async (c) => { for (const want of [5, 10]) is(Number(await c.add(key('m'), 5)), want); },
  fcall: async (c) => is(await c.fcall(key('f'), 'v'), 'OK'),
  pubsub: listens(false),
  shardpubsub: listens(true),
  blpop: async (c) => {
    const popped = c.wait(key('wait'), 'BLPOP', key('wait'), patience);
    await c.run(key('wait'), 'RPUSH', key('wait'), 'came');
    is(await popped, [key('wait'), 'came']);
  },
  xread: async (c) => {
    const came = c.wait(key('x'), 'XREAD', 'BLOCK', 1000 * patience, 'STREAMS', key('x'), '0');
    await c.run(key('x'), 'XADD', key('x'), '1-1', 'f', 'v');
    assert.match(JSON.stringify(await came), /\["1-1",\["f","v"\]\]/);
  },
  tracking: async (c) => {
    await c.run(key('t'), 'SET', key('t'), 'before');
    await c.tracking(key('t'));
  },
};

async function main() {
  const c = library === 'ioredis' ? await ioredis() : await nodeRedis(library === 'node-redis-3' ? 3 : 2);
  for (const feature of Object.keys(shows)) {
    if (feature === 'tracking' && !c.tracking) continue;
    await within(patience, shows[feature](c)).catch((err) => { err.message = `${feature}: ${err.message}`; throw err; });
    console.log(feature);
  }
  console.log('ready');
  let told = false;
  process.stdin.on('end', () => { told = true; });
  process.stdin.resume();
  const errors = {};
  const note = (err) => { const text = String(err.message).slice(0, 80); errors[text] = (errors[text] || 0) + 1; return pause(10); };
  const last = new Map(); // what was acknowledged, and nothing was tried after it
  let [writes, popped] = [0, 0];
  const queue = `${library}:queue`;
  const consumer = (async () => {
    while (!told) await within(3, c.wait(queue, 'BLPOP', queue, 1)).then((r) => { if (r) popped++; }, note);
  })();
  for (let i = 0; !told; i++) {
    const [k, value] = [`{${tags[i % tags.length]}}${library}`, String(i)];
    last.delete(k);
    await pause(1); // leaves the machine to the others
    const done = await within(3, c.ways[Math.floor(i / tags.length) % c.ways.length](k, value)).then(() => true, note);
    if (done !== true) continue;
    last.set(k, value);
    writes++;
    if (i % 8 === 0) await within(3, c.run(queue, 'RPUSH', queue, value)).catch(note);
    if (i % 20 === 0) console.log(writes, popped);
  }
  await consumer;
  for (const [k, want] of last) is([k, String(await within(patience, c.run(k, 'GET', k)))], [k, want]);
  process.stdout.write(`done ${JSON.stringify(errors)}\n`, () => process.exit(0));
}

main().catch((err) => { console.error(err); process.exit(1); });
